# SPDX-License-Identifier: BSD-3-Clause
"""How long a packet takes from port to port, protected and unprotected in turn.

Open loop at a fixed rate: each frame is due at its time and is measured from then. Loggers and
master spin on a core each; the standby's worker has what is left.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.rig import Rig
from benchmarks.throughput import OPTIONS
from benchmarks.traffic import flows

RATE = 500_000  # packets a second
ROUND_PACKETS = 500_000
WARM_UP_PACKETS = 100_000
FLOWS = 10_000
PERCENTILES = {"p50": 50.0, "p99": 99.0, "p999": 99.9}


@dataclass
class Latency:
    """Percentiles of each round, in microseconds."""

    protected: list[dict[str, float]] = field(default_factory=list)
    unprotected: list[dict[str, float]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Medians over the rounds; `added` is the median of the rounds' own differences."""
        pairs = list(zip(self.protected, self.unprotected, strict=True))
        return {
            "protected": _medians(self.protected),
            "unprotected": _medians(self.unprotected),
            "added": _medians([{k: a[k] - b[k] for k in PERCENTILES} for a, b in pairs]),
            "rounds": {"protected": self.protected, "unprotected": self.unprotected},
            "packets_per_second": RATE,
        }


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(r[key] for r in rounds), 2) for key in PERCENTILES}


def one_round(protected: bool) -> dict[str, float]:
    """One box, started for this round; percentiles in microseconds."""
    samples = np.zeros(WARM_UP_PACKETS + ROUND_PACKETS, dtype=np.uint32)
    with Rig("nat", OPTIONS["nat"], flows(FLOWS), protected=protected, samples=samples) as rig:
        rig.source.send(WARM_UP_PACKETS + ROUND_PACKETS, 10**9 // RATE)
        rig.wait_until_sent()
        taken = rig.sink.samples()
        if taken != len(samples):
            raise RuntimeError(f"{len(samples) - taken} packets did not arrive")
    measured = samples[WARM_UP_PACKETS:] / 1000
    return {key: round(float(np.percentile(measured, at)), 3) for key, at in PERCENTILES.items()}


def measure(rounds: int) -> Latency:
    """Alternating rounds: A B A B ..."""
    latency = Latency()
    for _ in range(rounds):
        latency.protected.append(one_round(True))
        latency.unprotected.append(one_round(False))
    return latency
