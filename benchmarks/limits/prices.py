# SPDX-License-Identifier: BSD-3-Clause
"""What was counted, priced with what was measured: a role's cycles a packet, put together.

A read that misses has two prices: waited for alone, or one of many under way. What it truly takes
lies between them; a processor that runs ahead, and prefetching by burst, bring it near the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LINE = 64
HELD_IN = {"L2": 512, "L3": 4096, "memory": 262_144}  # KiB that are held there, and not nearer
Section = dict[str, Any]


@dataclass(frozen=True)
class Price:
    """Cycles of one line: waited for alone, and when others are under way."""

    alone: float
    overlapped: float


def prices(costs: Section) -> dict[str, Price]:
    """Of a line from L2, L3, memory and, where there are two cores, from another core."""
    found = {
        level: Price(row["dependent"], row["independent"])
        for level, kib in HELD_IN.items()
        for row in costs["loads"]
        if row["kib"] == kib and row["huge_pages"]
    }
    hop = costs.get("hop")
    if hop is not None:
        found["core"] = Price(hop["line_waited_for"], hop["line_in_a_row"])
    return found


def copy_cycles(costs: Section, role: str) -> float:
    """Of 1,500 bytes that another core wrote: into a log, or by the standby to where it works."""
    row = next(row for row in costs["copies"] if row["kib"] == HELD_IN["L3"])
    return float(row["to_l1" if role == "standby" else "to_log"])


@dataclass(frozen=True)
class Reads:
    """Lines a packet that a role's reads miss L1 for, by where they come from."""

    l2: float
    l3: float
    memory: float
    core: float

    def cycles(self, known: dict[str, Price]) -> Price:
        """All of them; a line from another core as one from L3 where there is none."""
        amounts = {"L2": self.l2, "L3": self.l3, "memory": self.memory, "core": self.core}
        paid = [(lines, known.get(level, known["L3"])) for level, lines in amounts.items()]
        return Price(
            sum(lines * price.alone for lines, price in paid),
            sum(lines * price.overlapped for lines, price in paid),
        )


def reads_of(row: Section, logs: Section) -> Reads:
    """`logs`: the same role's row with an element and so few flows that nothing but the logs, which
    another role wrote, is missed at the last level."""
    core = min(row["l3"], logs["l3"])
    return Reads(
        l2=max(0.0, row["l1"] - row["l2"]),
        l3=max(0.0, row["l2"] - row["l3"]),
        memory=row["l3"] - core,
        core=core,
    )


def logs_case(case: str) -> str:
    """The case whose last-level misses are those of the logs alone."""
    _, size, _, side, log_mib = case.split(":")
    return f"forward:{size}:10000:{side}:{log_mib}"


def reads_in(section: Section, case: str, role: str) -> Reads:
    counted = section["counted"]
    return reads_of(counted[case][role], counted[logs_case(case)][role])


def per_core_cycle(section: Section, row: Section) -> float:
    """Instructions in a cycle of the core's own clock."""
    return float(row["instructions"] / row["cycles"] / section["costs"]["core_cycles"])


def memory_bytes(section: Section, case: str) -> float:
    """Bytes a packet between the caches and memory, of all roles: what is read, and each line that
    is written anew twice, since it is fetched before it is written and put back after."""
    rows = section["counted"][case]
    read = sum(reads_in(section, case, role).memory for role in rows)
    return LINE * (read + 2 * sum(row["written"] for row in rows.values()))


def memory_bytes_per_cycle(costs: Section) -> float:
    """What one core was seen to move: copies from memory to a log, read, fetched and put back."""
    row = max(costs["copies"], key=lambda row: float(row["kib"]))
    return 3 * costs["copy_bytes"] / float(row["to_log"])
