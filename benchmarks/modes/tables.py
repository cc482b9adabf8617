# SPDX-License-Identifier: BSD-3-Clause
"""The comparison as tables."""

from __future__ import annotations

from typing import Any

from benchmarks.report.table import Table, with_spread


def tables(section: dict[str, Any]) -> list[Table]:
    """What each mode carries, delays, logs, and what a kill costs in it."""
    rate = section["packets_per_second"]
    speed = Table(
        "The same binary in other modes: a NAT on one worker",
        ("mode", "Mpps, port to port", f"p50 us at {rate:,}/s", "p99 us"),
        note="median (smallest to largest of the rounds); with checkpoints, output that waits is "
        "bounded by the output log's 4,096 records",
        command=section["command"],
    )
    logged = Table(
        f"What is logged: a monitor, {section['workers']} workers that share its tables",
        ("mode", "Mpps of the masters' workers", "cycles a packet, all roles", "PALs a packet",
         "log bytes a packet beyond it, framing included"),
        command=section["command"],
    )  # fmt: skip
    killed = Table(
        "A killed master, 2 workers, 20,000 datagrams/s",
        ("mode", "kills", "sent", "lost", "twice", "state lost", "longest gap, ms"),
        note="a real box between namespaces; the datagrams are numbered",
        command=section["command"],
    )
    for row in section["by_mode"].values():
        delay = row["latency_us"]
        speed.add(row["title"], with_spread(row["mpps"]), delay["p50"], delay["p99"])
        if "shared" in row:
            names = ("mpps", "cycles", "pals_per_packet", "log_bytes_per_packet")
            logged.add(row["title"], *(row["shared"][name] for name in names))
        if "killed" in row:
            names = ("kills", "sent", "lost", "duplicated", "state_losses")
            counts = [row["killed"][name] for name in names]
            killed.add(row["title"], *counts, with_spread(row["killed"]["gap_ms"]))
    return [speed, logged, killed]
