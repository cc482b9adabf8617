# SPDX-License-Identifier: BSD-3-Clause
"""What packets cost by the number of workers and the share of packets that touch shared state.

Threaded: each worker has a core, for as many as there are; what a hand-over between cores costs can
be seen there alone. Stepped: one thread moves all workers in turn, a burst each, which gives the
cost of everything else (dependencies, PALs, records) for up to 64 workers on any machine.
"""

from __future__ import annotations

from typing import Any

from benchmarks.rig import Rig, available_cores, cycles_per_second
from benchmarks.shared import in_turns
from benchmarks.spread import median
from benchmarks.traffic import Traffic, flows

SHARES = (0, 1, 10, 50, 100)  # percent of the flows that the monitor counts in its shared tables
STEPPED = (1, 2, 4, 8, 16, 32, 64)
FLOWS = 20_000
PACKETS_STEPPED = 1_500  # a worker in a round: well below what its small logs hold
PACKETS_THREADED = 30_000
SMALL_LOGS = {"input_size": 1 << 19, "output_size": 1 << 19, "access_size": 1 << 19}
WARM_UP_ROUNDS = 6
ACCESSES = 2  # of a packet that is counted: its host's stripe, and the totals
Point = dict[str, Any]


def _options(share: int) -> dict[str, Any]:
    return {
        "first": "inside",
        "second": "outside",
        "hosts_max": 65536,
        "sample_percent": share,
    }


def _sum(rig: Rig) -> dict[str, int]:
    return {
        "master": rig.sum_of("master", "busy_cycles"),
        "records": rig.sum_of("master", "bursts"),
        "pals": rig.sum_of("master", "pals"),
        "standby": rig.sum_of("standby", "busy_cycles") if rig.protected else 0,
    }


def _step_round(rig: Rig, packets: int) -> dict[str, float]:
    """Fill, run, release, replay, free: one after the other on this thread."""
    before = _sum(rig)
    rig.source.send(packets)
    loggers = rig.logger.step_until_quiet()
    rig.master.step_until_idle()
    loggers += rig.logger.step_until_quiet()
    if rig.standby is not None:
        rig.standby.step_until_idle()
        loggers += rig.logger.step_until_quiet()
    after = _sum(rig)
    change = {key: (after[key] - before[key]) / packets for key in before}
    return {**change, "loggers": loggers / packets}


def stepped_point(workers: int, share: int, traffic: Traffic, rounds: int, *, protected: bool,
                  packets: int = PACKETS_STEPPED) -> Point:  # fmt: skip
    """Cycles a packet of each role with so many workers, moved in turn."""
    with Rig("monitor", _options(share), traffic, protected=protected, workers=workers,
             has_packet_thread=False, has_worker_threads=False,
             logger_changes=SMALL_LOGS) as rig:  # fmt: skip
        # All are live before there is anything to do: the standby follows in turns, too, and would
        # wait for ever for a worker whose turn comes later than it came in the master.
        rig.master.step_until_idle()
        for _ in range(WARM_UP_ROUNDS):
            _step_round(rig, packets * workers)
        taken = [_step_round(rig, packets * workers) for _ in range(rounds)]
        rig.check()
    return {**_head("stepped", workers, share, protected), **_medians(taken)}


def _head(kind: str, workers: int, share: int, protected: bool) -> Point:
    return {
        "kind": kind,
        "workers": workers,
        "share": share,
        "protected": protected,
        "accesses": ACCESSES * share / 100,
    }


def _medians(taken: list[dict[str, float]]) -> dict[str, float]:
    return {name: median([one[name] for one in taken]) for name in taken[0]}


def threaded_point(workers: int, share: int, traffic: Traffic, rounds: int, *, protected: bool,
                   packets: int = PACKETS_THREADED) -> Point:  # fmt: skip
    """The same with a core for each worker, and the rate of all of them together."""
    with Rig("monitor", _options(share), traffic, protected=protected, workers=workers,
             idle="sleep", input_mib=8, has_packet_thread=False) as rig:  # fmt: skip
        for _ in range(WARM_UP_ROUNDS):
            in_turns(rig, packets * workers)
        taken = [in_turns(rig, packets * workers) for _ in range(rounds)]
        rig.check()
    figures = _medians(taken)
    return {
        **_head("threaded", workers, share, protected),
        "master": figures["master"],
        "loggers": figures["loggers"],
        "standby": figures["standby"],
        "pals": figures["pals_per_packet"],
        "records": 1 / figures["packets_per_record"],
        "mpps": figures["mpps"],
        "mpps_rounds": [one["mpps"] for one in taken],
    }


def measure_points(rounds: int, *, threads_max: int | None, quick: bool) -> list[Point]:
    """Protected and unprotected side by side, everything else in order."""
    traffic = flows(FLOWS)
    threads = min(threads_max or len(available_cores()), len(available_cores()))
    shares = SHARES if not quick else (0, 10, 100)
    counts = STEPPED if not quick else (1, 4, 64)
    sides = (True, False)
    points = [
        stepped_point(workers, share, traffic, max(rounds, 3), protected=protected)
        for workers in counts
        for share in shares
        for protected in sides
    ]
    points += [
        threaded_point(workers, share, traffic, rounds, protected=protected)
        for workers in range(1, threads + 1)
        for share in shares
        for protected in sides
    ]
    for point in points:
        point["cycles_per_us"] = round(cycles_per_second() / 1e6, 1)
    return points
