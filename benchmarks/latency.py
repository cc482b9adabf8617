# SPDX-License-Identifier: BSD-3-Clause
"""How long a packet takes from port to port, protected and unprotected in turn.

Open loop at a fixed rate: each frame is due at its time and is measured from then, so that a stall
is felt by every frame that was due in it. The rate is half of what the protected box carries from
port to port on this machine, measured in the same run. The master spins on a core of its own;
loggers and standby share another by turns, where there is no third. In a third kind of round the
protected master is snapshotted every quarter of a second.

The measuring adds nothing that it can avoid: the memory for the samples is touched before, the
waiting thread sleeps until the last frame is due and stays off the master's core.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import pipelined, snapshot
from benchmarks.histogram import cdf_of, histogram_of, merged, percentiles_us
from benchmarks.rig import Rig, beside_master
from benchmarks.scheduling import Observation
from benchmarks.spread import median
from benchmarks.throughput import options_of
from benchmarks.traffic import flows, untouched_by_fork

FLOWS = 10_000
SESSIONS_MAX = 65536  # as configured by default; a snapshot looks through all of them
SECONDS = 1.0
WARM_UP_SECONDS = 0.2
SNAPSHOT_INTERVAL_S = 0.25
RATE_MIN = 10_000
KINDS = ("unprotected", "protected", "protected_with_snapshots")


@dataclass
class Round:
    """One round's histogram, and what else happened in it."""

    histogram: Any
    lost: int  # packets that arrived while the input log was full
    scheduling: dict[str, Any]
    pauses_us: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        return {**percentiles_us(self.histogram), "lost": self.lost, **self.scheduling}


def half_load(rounds: int) -> int:
    """Packets a second: half of what the protected NAT carries from port to port."""
    carried = pipelined.measure("nat", FLOWS, rounds)["protected"]["mpps"]["median"]
    return max(RATE_MIN, int(carried * 1e6 / 2))


def _sleep_through(rig: Rig, seconds: float, takes_snapshots: bool) -> list[float]:
    end, pauses = time.monotonic() + seconds, []
    while takes_snapshots and time.monotonic() + SNAPSHOT_INTERVAL_S < end:
        time.sleep(SNAPSHOT_INTERVAL_S)
        pauses.append(snapshot.take(rig)[0])
    time.sleep(max(0.0, end - time.monotonic()))
    return pauses


def one_round(kind: str, rate: int, seconds: float = SECONDS) -> Round:
    """One box, started for this round."""
    warm_up, count = int(rate * WARM_UP_SECONDS), int(rate * (WARM_UP_SECONDS + seconds))
    memory = untouched_by_fork(4 * count)
    samples = np.frombuffer(memory, dtype=np.uint32)
    samples.fill(1)
    is_protected = kind != "unprotected"
    options = {**options_of("nat", FLOWS), "sessions_max": SESSIONS_MAX}
    with Rig("nat", options, flows(FLOWS), protected=is_protected, samples=samples) as rig:
        rig.warm_up()
        rig.sink.discard_samples()
        before = Observation.now()
        rig.source.send(count, round(1e9 / rate))
        pauses = _sleep_through(rig, count / rate, kind.endswith("snapshots"))
        scheduling = Observation.now().since(before)
        rig.wait_until_sent()
        rig.check_digests()
        taken = rig.sink.samples()
    return Round(histogram_of(samples[warm_up:taken]), count - taken, scheduling, pauses)


def measure(rounds: int, rate: int | None = None, seconds: float = SECONDS) -> dict[str, Any]:
    """Alternating rounds: A B C A B C ... `rate` None: half load, measured first."""
    taken: dict[str, list[Round]] = {kind: [] for kind in KINDS}
    with beside_master():
        rate = rate or half_load(min(rounds, 3))
        for _ in range(rounds):
            for kind, values in taken.items():
                values.append(one_round(kind, rate, seconds))
    return {
        **_compared(taken),
        "packets_per_second": rate,
        "lost": {kind: sum(one.lost for one in values) for kind, values in taken.items()},
        "snapshot_pause_us": [
            round(pause, 1) for one in taken["protected_with_snapshots"] for pause in one.pauses_us
        ],
        "rounds": {kind: [one.figures() for one in values] for kind, values in taken.items()},
        "cdf": {
            kind: cdf_of(merged([one.histogram for one in values]))
            for kind, values in taken.items()
        },
        "command": f"python -m benchmarks latency --rounds {rounds}",
    }


def _compared(taken: dict[str, list[Round]]) -> dict[str, Any]:
    """Medians over the rounds, and of the rounds' own differences to the unprotected."""
    figures = {
        kind: [percentiles_us(one.histogram) for one in values] for kind, values in taken.items()
    }
    base = figures["unprotected"]
    result: dict[str, Any] = {kind: _medians(values) for kind, values in figures.items()}
    for kind, name in (
        ("protected", "added"),
        ("protected_with_snapshots", "added_with_snapshots"),
    ):
        differences = [
            {key: a[key] - b[key] for key in a} for a, b in zip(figures[kind], base, strict=True)
        ]
        result[name] = _medians(differences)
    return result


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: median([one[key] for one in rounds]) for key in rounds[0]}
