# SPDX-License-Identifier: BSD-3-Clause
"""Failovers of a real box: how long until packets flow, and until the box is protected again.

A protected NAT between namespaces knows so many flows; its master is killed again and again, with
a few packets on the way (idle) or with half of what the box carries on this machine. Times begin
with the signal and are the logger process's own, on the machine's one monotonic clock.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from benchmarks.real_box import RealBox, real_box
from benchmarks.spread import spread

IDLE_RATE = 1000  # packets a second; the first packet after a failover has to be one of them
PAUSE_S = 0.2
LOADS = ("idle", "half")
TIMES = {"detect_ms": "detected_ns", "live_ms": "live_ns", "recovery_ms": "first_output_ns",
         "protected_again_ms": "protected_again_ns"}  # fmt: skip


def fail_once(box: RealBox) -> dict[str, Any]:
    """Kills the master; milliseconds from the kill, and the pause of the snapshot."""
    before = box.status()
    killed = time.monotonic_ns()
    os.kill(before["processes"]["master"]["pid"], signal.SIGKILL)

    def is_over(status: dict[str, Any]) -> bool:
        if status["failover_count"] == before["failover_count"] or status["state"] != "protected":
            return False
        return all(status["failovers"][-1][stamp] is not None for stamp in TIMES.values())

    failover = box.wait_until(is_over, "protected again")["failovers"][-1]
    if failover["lost_state"]:
        raise RuntimeError("the box lost its state")
    times = {name: (failover[stamp] - killed) / 1e6 for name, stamp in TIMES.items()}
    return {**times, "pause_ms": (failover["snapshot_pause_ns"] or 0) / 1e6}


def at_load(box: RealBox, rate: int, kills: int) -> dict[str, Any]:
    """So many kills at one rate."""
    box.sender.send_at(rate)
    time.sleep(PAUSE_S * 2)
    failovers = []
    for _ in range(kills):
        failovers.append(fail_once(box))
        time.sleep(PAUSE_S)
    box.sender.stop()
    names = failovers[0].keys()
    figures = {name: spread([one[name] for one in failovers]) for name in names}
    return {"packets_per_second": rate, "kills": kills, **figures}


def measure(flows: int, kills: int, loads: tuple[str, ...] = LOADS) -> dict[str, Any]:
    """By load, in one box."""
    command = f"python -m benchmarks failover --flows {flows} --kills {kills}"
    with real_box(flows) as box:
        box.fill()
        capacity = box.capacity()
        rates = {"idle": IDLE_RATE, "half": max(IDLE_RATE, capacity // 2)}
        return {
            load: {**at_load(box, rates[load], kills), "capacity": capacity, "command": command}
            for load in loads
        }
