# SPDX-License-Identifier: BSD-3-Clause
"""How long a snapshot of the master holds its workers, by the number of flows in its state.

That is the pause which live traffic feels when a new standby is brought up after a failover.
Traffic goes on meanwhile. In this process the fork also copies the benchmark's own page tables; a
replica is smaller. There is no standby, as there is none when a snapshot is taken.
"""

from __future__ import annotations

import mmap
import os
import statistics
import time
from typing import Any

from benchmarks.rig import Rig
from benchmarks.throughput import OPTIONS
from benchmarks.traffic import flows

RATE = 200_000  # packets a second while snapshots are taken
SNAPSHOTS = 21


def one_snapshot(rig: Rig) -> tuple[float, float]:
    """(pause in microseconds, milliseconds until it is written)."""
    descriptor = os.memfd_create("snapshot")
    start = time.monotonic()
    begun = rig.master.begin_snapshot(descriptor)
    _, status = os.waitpid(begun.child, 0)
    os.close(descriptor)
    if status != 0:
        raise RuntimeError("the snapshot was not written")
    return begun.pause_ns / 1000, (time.monotonic() - start) * 1000


def measure(flow_count: int) -> dict[str, Any]:
    """Pauses over SNAPSHOTS snapshots."""
    options = {**OPTIONS["nat"], "sessions_max": max(65536, flow_count * 5 // 4)}
    sent = flows(flow_count)
    frames = mmap.mmap(-1, len(sent))
    frames[:] = bytes(sent)
    frames.madvise(mmap.MADV_DONTFORK)  # the traffic is no part of a replica
    del sent
    with Rig("nat", options, frames, protected=False, idle="sleep") as rig:
        rig.warm_up(2 * flow_count)
        rig.source.send(RATE * 600, 10**9 // RATE)
        taken = [one_snapshot(rig) for _ in range(SNAPSHOTS)]
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
        "snapshots": SNAPSHOTS,
    }
