# SPDX-License-Identifier: BSD-3-Clause
"""Memory: what a NAT flow takes, all included, and that logs never grow.

A flow's bytes are counted twice: by what the state allocates for one more session, and by the
resident pages of a state whose tables are full to the last session, less those of an empty one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from benchmarks.rig import Rig
from benchmarks.throughput import options_of
from benchmarks.traffic import flows
from ftmb._native.process import ARENA_ADDRESS

FEW = 16
DIGITS = 1


def resident_bytes(address: int) -> int:
    """Of this process's mapping that begins at an address."""
    is_it, total = False, 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        start = re.match(r"^([0-9a-f]+)-[0-9a-f]+ ", line)
        if start:
            is_it = int(start[1], 16) == address
        elif is_it and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def _rig(flow_count: int, sessions: int) -> Rig:
    options = {**options_of("nat", flow_count), "sessions_max": sessions}
    changes = {"arena_address": ARENA_ADDRESS}
    return Rig(
        "nat", options, flows(flow_count), protected=False, idle="sleep", process_changes=changes
    )


def flow_bytes(flow_count: int) -> dict[str, float]:
    """Bytes for a flow, allocated and resident."""
    with _rig(FEW, FEW) as rig:
        rig.warm_up()
        smallest, before = rig.master.state_size(), resident_bytes(ARENA_ADDRESS)
    with _rig(flow_count, flow_count) as rig:
        rig.warm_up()
        allocated = rig.master.state_size() - smallest
        resident = resident_bytes(ARENA_ADDRESS) - before
        rig.check()
    return {
        "flows": flow_count,
        "allocated": round(allocated / flow_count, DIGITS),
        "resident": round(resident / flow_count, DIGITS),
    }


def log_bounds(packets: int) -> dict[str, Any]:
    """The logs of a box whose standby has stopped, offered more than they hold."""
    with Rig("forward", options_of("forward", 1), flows(1000), protected=True, idle="sleep",
             input_mib=4) as rig:  # fmt: skip
        assert rig.standby is not None
        rig.standby.hold()
        rig.source.send(packets)
        rig.wait_until_released()
        counts = rig.logger.queue_counts(0)
        rig.standby.release()
        rig.wait_until_sent()
        rig.check_digests()
    return {
        "packets": packets,
        "refused": counts["dropped"],
        "input_log": {"bytes": counts["input_size"], "fill_max": counts["input_fill"]},
        "access_log": {"bytes": counts["access_size"], "fill_max": counts["access_fill"]},
        "kept": counts["input_fill"] <= counts["input_size"]
        and counts["access_fill"] <= counts["access_size"],
    }


def measure(flow_count: int, packets: int = 400_000) -> dict[str, Any]:
    """Both."""
    return {
        "nat_flow_bytes": flow_bytes(flow_count),
        "logs": log_bounds(packets),
        "command": f"python -m benchmarks memory --flows {flow_count}",
    }
