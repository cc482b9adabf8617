# SPDX-License-Identifier: BSD-3-Clause
"""What limits a target, said with what was counted; empty where it was not."""

from __future__ import annotations

from typing import Any

from benchmarks.limits.cases import case_of
from benchmarks.limits.prices import per_core_cycle, prices, reads_in

Section = dict[str, Any]
HOPS = ("to the input log", "to the output log")  # and each is read by another core


def _row(section: Section | None, case: str, role: str) -> Section | None:
    return None if section is None else section["counted"].get(case, {}).get(role)


def master(section: Section | None, element: str, flows: str, size: int = 64) -> str:
    """What the master's own cycles a packet are made of."""
    case = case_of(element, int(flows), "protected", size)
    row = _row(section, case, "master")
    if section is None or row is None:
        return ""
    reads = reads_in(section, case, "master")
    paid = reads.cycles(prices(section["costs"]))
    return (
        f"master: {row['instructions']:.0f} instructions a packet, "
        f"{per_core_cycle(section, row):.1f} a core's cycle; reads that miss L1 {row['l1']:.1f}, "
        f"L2 {row['l2']:.1f}, L3 {row['l3']:.1f} ({reads.core:.1f} of them lines from the loggers' "
        f"core): {paid.overlapped:.0f} cycles if all overlap, {paid.alone:.0f} if none does, of "
        f"{row['cycles']:.0f}"
    )


def protection(section: Section | None, element: str, flows: str) -> str:
    """What protection adds to the master."""
    with_it = _row(section, case_of(element, int(flows), "protected"), "master")
    without = _row(section, case_of(element, int(flows), "unprotected"), "master")
    if with_it is None or without is None:
        return ""
    return (
        f"master's instructions a packet: {with_it['instructions']:.0f} protected, "
        f"{without['instructions']:.0f} not; reads that miss L1 {with_it['l1']:.2f} and "
        f"{without['l1']:.2f}, lines written {with_it['written']:.2f} and {without['written']:.2f}"
    )


def all_roles(section: Section | None, element: str, flows: str) -> str:
    """Instructions of each role, against all of them unprotected."""
    if section is None:
        return ""
    found = section["counted"].get(case_of(element, int(flows), "protected"))
    bare = section["counted"].get(case_of(element, int(flows), "unprotected"))
    if found is None or bare is None:
        return ""
    roles = ", ".join(f"{role} {row['instructions']:.0f}" for role, row in found.items())
    without = sum(row["instructions"] for row in bare.values())
    return f"instructions a packet: {roles}; {without:.0f} of all roles unprotected"


def way_us(section: Section) -> tuple[float, float] | None:
    """Microseconds that a packet's hops take, and the roles' own work on it; None on one core."""
    known = prices(section["costs"])
    case = case_of("nat", 10_000, "protected")
    rows = section["counted"].get(case)
    if "core" not in known or rows is None:
        return None
    lines = reads_in(section, case, "master").core + reads_in(section, case, "output logger").core
    hops = len(HOPS) * section["costs"]["hop"]["one_way"] + lines * known["core"].alone
    work = sum(row["cycles"] for role, row in rows.items() if role != "standby")
    return hops / section["costs"]["cycles_per_us"], work / section["costs"]["cycles_per_us"]


def latency(section: Section | None) -> str:
    """The hops on a packet's way against the turns at a core that is shared."""
    way = None if section is None else way_us(section)
    if section is None or way is None:
        return ""
    turns = section["turns_ns"]
    return (
        f"{len(HOPS)} hops between cores ({' and '.join(HOPS)}) with the lines behind them "
        f"{way[0]:.2f} us, the roles' own work on a packet {way[1]:.2f} us; a turn at a core that "
        f"loggers and standby share: {turns['TURN_NS_STANDBY'] / 1000:.0f} us of the standby, up "
        f"to {turns['TURN_NS_BEHIND'] / 1000:.0f} if it is behind, {turns['TURN_NS'] / 1000:.0f} "
        "of the loggers"
    )
