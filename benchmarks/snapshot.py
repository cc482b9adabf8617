# SPDX-License-Identifier: BSD-3-Clause
"""How long a snapshot of the master holds its workers, by the number of flows in its state.

That is the pause which live traffic feels when a new standby is brought up after a failover.
Traffic goes on meanwhile. In this process the fork also copies the benchmark's own page tables; a
replica is smaller. There is no standby, as there is none when a snapshot is taken.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.rig import Rig, available_cores
from benchmarks.throughput import options_of
from benchmarks.traffic import flows
from ftmb.priority import REPLICA_NICE, come_first

RATE = 200_000  # packets a second while snapshots are taken
SNAPSHOTS = 21


@contextlib.contextmanager
def as_replica() -> Iterator[None]:
    """The caller's thread has the priority and the cores of the thread that forks in a replica."""
    cores, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, available_cores())
    come_first(REPLICA_NICE)
    try:
        yield
    finally:
        come_first(nice)
        os.sched_setaffinity(0, cores)


def take(rig: Rig) -> tuple[float, float]:
    """(pause in microseconds, milliseconds until it is written)."""
    descriptor = os.memfd_create("snapshot")
    start = time.monotonic()
    with as_replica():
        begun = rig.master.begin_snapshot(descriptor)
    _, status = os.waitpid(begun.child, 0)
    os.close(descriptor)
    if status != 0:
        raise RuntimeError("the snapshot was not written")
    return begun.pause_ns / 1000, (time.monotonic() - start) * 1000


def measure(flow_count: int, snapshots: int = SNAPSHOTS) -> dict[str, Any]:
    """Pauses over so many snapshots."""
    sessions = max(65536, flow_count * 5 // 4)
    options = {**options_of("nat", flow_count), "sessions_max": sessions}
    with Rig("nat", options, flows(flow_count), protected=False, idle="sleep") as rig:
        rig.warm_up()
        rig.source.send(RATE * 600, 10**9 // RATE)
        taken = [take(rig) for _ in range(snapshots)]
        rig.source.send(0)
        rig.wait_until_sent()
    pauses = [pause for pause, _ in taken]
    return {
        "pause_us": {
            "p50": round(statistics.median(pauses), 1),
            "min": round(min(pauses), 1),
            "max": round(max(pauses), 1),
        },
        "written_ms_p50": round(statistics.median(written for _, written in taken), 1),
        "snapshots": snapshots,
        "command": f"python -m benchmarks snapshot --flows {flow_count}",
    }
