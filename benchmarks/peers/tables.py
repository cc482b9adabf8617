# SPDX-License-Identifier: BSD-3-Clause
"""The section of the report as tables, for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.peers.summary import text
from benchmarks.report.table import Table

COMMAND = "make bench-peers"
SPREAD = "median (least to greatest of the rounds)"
SPEED_COLUMNS = (  # figure, heading, digits
    ("rate_pps", "packets/s, none lost", 0),
    ("cost_ns", "ns of processor a packet", 0),
    ("processes_ns", "of which processes", 1),
    ("kernel_ns", "of which software interrupts", 0),
    ("pps_per_core", "packets/s a core", 0),
    ("added_p50_us", "added us, median", 1),
    ("added_p99_us", "added us, p99", 1),
)
FAILOVER_COLUMNS = (  # part, figure, heading, digits
    ("datagrams", "gap_ms", "longest gap, ms", 1),
    ("datagrams", "quiet_gap_ms", "without failure", 1),
    ("datagrams", "lost", "lost", 0),
    ("datagrams", "before_box", "overran its ports", 0),
    ("datagrams", "missed", "overran the generator", 0),
    ("datagrams", "duplicated", "doubled", 0),
    ("tcp", "broken", "TCP broken", 0),
    ("tcp", "stall_ms", "TCP stall, ms", 0),
    ("tcp", "downloads_failed", "downloads failed", 0),
)


def tables(section: Mapping[str, Any]) -> list[Table]:
    return [_speed(section["speed"]), _failover(section["failover"])]


def _speed(section: Mapping[str, Any]) -> Table:
    settings = section["settings"]
    table = Table(
        f"Between the same veths: 64 bytes, {settings['flows']:,} flows",
        ("", *(heading for _, heading, _ in SPEED_COLUMNS)),
        note=f"{SPREAD}; added: beyond the bare wire at {settings['latency_rate']:,} packets/s; "
        "how processor time is counted: docs/peers.md",
        command=COMMAND,
    )
    for row in section["contestants"].values():
        cells = [text(row.get(figure), digits) for figure, _, digits in SPEED_COLUMNS]
        table.add(row["title"], *cells)
    return table


def _failover(section: Mapping[str, Any]) -> Table:
    settings = section["settings"]
    table = Table(
        "One failure",
        ("", *(heading for *_, heading, _ in FAILOVER_COLUMNS)),
        note=f"{SPREAD}; {settings['rate']:,} datagrams/s in {settings['flows']:,} flows, each "
        f"answered, and {settings['connections']} TCP connections; times beside a name are VRRP's "
        "advertisement interval",
        command=COMMAND,
    )
    for row in section["contestants"].values():
        cells = [text(row[part].get(figure), d) for part, figure, _, d in FAILOVER_COLUMNS]
        table.add(row["title"], *cells)
    return table
