# SPDX-License-Identifier: BSD-3-Clause
"""The limits as tables: what was counted by role, its functions, what things cost, large frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.limits.cases import LARGE, LOG_MIB, SMALL_LOG_MIB, case_of
from benchmarks.limits.prices import (
    copy_cycles,
    memory_bytes,
    memory_bytes_per_cycle,
    per_core_cycle,
    prices,
    reads_in,
)
from benchmarks.report.table import Table

Section = dict[str, Any]
SMALL = 64
MISSES = ("l1", "l2", "l3", "written")


def _cases(section: Section, size: int) -> Iterator[tuple[str, str, int, str, Section]]:
    """Those with logs as the other benchmarks have them."""
    for case, rows in section["counted"].items():
        element, counted_size, flows, side, log_mib = case.split(":")
        if (int(counted_size), int(log_mib)) == (size, LOG_MIB):
            yield case, element, int(flows), side, rows


def _caches(section: Section) -> str:
    sizes = section["caches"]
    return (
        f"simulated caches: L1 {sizes['L1'] >> 10} KiB, L2 {sizes['L2'] >> 10} KiB, "
        f"L3 {sizes['L3'] >> 20} MiB, without prefetching, for code without AVX-512"
    )


def roles(section: Section) -> Table:
    table = Table(
        "Counted by role, a packet of 64 bytes",
        ("element", "flows", "", "role", "instructions", "a core's cycle", "reads that miss L1",
         "L2", "L3", "of them another core's", "lines written", "misses priced, cycles", "cycles"),
        note=f"{_caches(section)}; priced: all overlapped to none; cycles: the same code, roles in "
        "turn on one core, at full speed",
        command=section["command"],
    )  # fmt: skip
    known = prices(section["costs"])
    for case, element, flows, side, rows in _cases(section, SMALL):
        for role, row in rows.items():
            reads = reads_in(section, case, role)
            paid = reads.cycles(known)
            table.add(element, flows, side, role, row["instructions"],
                      per_core_cycle(section, row), row["l1"], row["l2"], row["l3"],
                      reads.core, row["written"], f"{paid.overlapped:.0f} to {paid.alone:.0f}",
                      row["cycles"])  # fmt: skip
    return table


def functions(section: Section) -> Table:
    table = Table(
        "The most expensive functions of each role, protected, 10,000 flows",
        ("element", "role", "function", "instructions", "share", "reads that miss L1", "L2", "L3",
         "lines written"),
        note="what the compiler put into another function counts where it was written",
        command=section["command"],
    )  # fmt: skip
    for _, element, flows, side, rows in _cases(section, SMALL):
        if side != "protected" or flows != 10_000:
            continue
        for role, row in rows.items():
            for one in row["functions"]:
                share = f"{one['instructions'] / row['instructions']:.0%}"
                table.add(element, role, one["name"], one["instructions"], share,
                          *(one[name] for name in MISSES))  # fmt: skip
    return table


def lines(section: Section) -> Table:
    costs = section["costs"]
    table = Table(
        "What a line costs, cycles",
        ("a load from", "waited for alone", "others under way"),
        note=f"{costs['cycles_per_us']:,.0f} cycles of the time stamp counter a microsecond; the "
        f"core's own clock made {costs['core_cycles']:.2f} in each of them",
        command=section["command"],
    )
    for row in costs["loads"]:
        pages = "huge pages" if row["huge_pages"] else "pages of 4 KiB"
        table.add(f"{row['kib']:,} KiB, {pages}", row["dependent"], row["independent"])
    hop = costs.get("hop")
    if hop is not None:
        table.add("what the other core wrote", hop["line_waited_for"], hop["line_in_a_row"])
        table.add("one line to the other core, who spins for it", hop["one_way"], "")
    return table


def copies(section: Section) -> Table:
    costs = section["costs"]
    table = Table(
        f"What a copy of {costs['copy_bytes']:,} bytes costs, cycles",
        ("from a working set of", "to what L1 holds", "to a log of 4 MiB", "to a log of 64 MiB"),
        command=section["command"],
    )
    for row in costs["copies"]:
        table.add(f"{row['kib']:,} KiB", row["to_l1"], row["to_small_log"], row["to_log"])
    return table


def large_frames(section: Section) -> Table:
    """A copy's price is the measured one; that it is made is seen by the lines."""
    costs = section["costs"]
    table = Table(
        f"Frames of {LARGE:,} bytes, by role, protected",
        ("element", "role", "instructions", "lines read and written", "of them in its copy",
         "cycles", "a copy, cycles", "share of the role's",
         f"cycles, output log of {SMALL_LOG_MIB} MiB", "lines written then"),
        note=f"roles in turn on one core; output log of {LOG_MIB} MiB unless said; the output "
        "logger reads frames for their digest, and copies none",
        command=section["command"],
    )  # fmt: skip
    for _, element, flows, side, rows in _cases(section, LARGE):
        small_logs = section["counted"].get(case_of(element, flows, side, LARGE, SMALL_LOG_MIB), {})
        for role, row in rows.items():
            copying, small = row["copying"], small_logs.get(role, {})
            copy = copy_cycles(costs, role) if copying["l1"] > 1 else 0.0
            table.add(element, role, row["instructions"], row["l1"] + row["written"],
                      copying["l1"] + copying["written"], row["cycles"], copy,
                      f"{copy / row['cycles']:.0%}", small.get("cycles"),
                      small.get("written"))  # fmt: skip
    return table


def descriptors(section: Section) -> Table:
    """What would go away if the input log held descriptors: the input logger's copy."""
    costs = section["costs"]
    table = Table(
        f"Frames of {LARGE:,} bytes: what descriptors in the input log would spare",
        ("element", "cycles of all roles", "the input logger's copy", "share", "of the loggers'",
         "bytes to and from memory", "cycles of one core to move them"),
        note="a packet, protected; the master writes into its copy, and the standby works on its "
        "own: both stay",
        command=section["command"],
    )  # fmt: skip
    spared = copy_cycles(costs, "input logger")
    for case, element, _, _, rows in _cases(section, LARGE):
        whole = sum(row["cycles"] for row in rows.values())
        loggers = sum(rows[role]["cycles"] for role in ("input logger", "output logger"))
        moved = memory_bytes(section, case)
        table.add(element, whole, spared, f"{spared / whole:.0%}", f"{spared / loggers:.0%}",
                  moved, moved / memory_bytes_per_cycle(costs))  # fmt: skip
    return table


def tables(section: Section) -> list[Table]:
    return [roles(section), functions(section), lines(section), copies(section),
            large_frames(section), descriptors(section)]  # fmt: skip
