# SPDX-License-Identifier: BSD-3-Clause
"""How many packets a second one master core can carry, protected and unprotected in turn.

The input log is filled while the master is held, so that it always finds full bursts; then it is
let go, and the cycles it spends on bursts are counted in its own thread. What the other core does
meanwhile (release, commit, replay) goes on as in production, but does not bound the figure.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.rig import PORTION, Rig
from benchmarks.traffic import flows

OPTIONS: dict[str, dict[str, Any]] = {
    "forward": {"first": "inside", "second": "outside"},
    "monitor": {"first": "inside", "second": "outside"},
    "nat": {
        "inside": "inside",
        "outside": "outside",
        "external": ["203.0.113.0/27"],
        "sessions_max": 1 << 21,
    },
}


@dataclass
class Series:
    """One element at one number of flows; a rate for each round, in packets a microsecond."""

    protected: list[float]
    unprotected: list[float]

    def summary(self) -> dict[str, Any]:
        """Medians and spread; the ratio is the median of the rounds' own ratios."""
        ratios = [p / u for p, u in zip(self.protected, self.unprotected, strict=True)]
        return {
            "protected_mpps": round(statistics.median(self.protected), 3),
            "unprotected_mpps": round(statistics.median(self.unprotected), 3),
            "ratio": round(statistics.median(ratios), 3),
            "protected_ns_per_packet": round(1000 / statistics.median(self.protected), 2),
            "unprotected_ns_per_packet": round(1000 / statistics.median(self.unprotected), 2),
            "protected_spread": [round(min(self.protected), 3), round(max(self.protected), 3)],
            "unprotected_spread": [
                round(min(self.unprotected), 3),
                round(max(self.unprotected), 3),
            ],
        }


def one_round(rig: Rig, cycles_per_second: float) -> float:
    """Packets a microsecond of the master's busy time."""
    before = rig.master_counts()
    rig.master.hold()
    rig.source.send(PORTION)
    while rig.source.left():
        time.sleep(0.0005)
    rig.master.release()
    rig.wait_until_sent()
    after = rig.master_counts()
    packets = after["packets"] - before["packets"]
    busy = (after["busy_cycles"] - before["busy_cycles"]) / cycles_per_second
    return float(packets / busy / 1e6)


def measure(element: str, flow_count: int, rounds: int, cycles_per_second: float) -> Series:
    """Alternating rounds: A B A B ... The box that is not measured sleeps meanwhile."""
    frames = flows(flow_count)
    series = Series([], [])
    with (
        Rig(element, OPTIONS[element], frames, protected=True, idle="sleep") as protected,
        Rig(element, OPTIONS[element], frames, protected=False, idle="sleep") as unprotected,
    ):
        for rig in (protected, unprotected):
            rig.warm_up(max(2 * flow_count, PORTION))
        for _ in range(rounds):
            for rig, rates in ((protected, series.protected), (unprotected, series.unprotected)):
                rates.append(one_round(rig, cycles_per_second))
        for rig in (protected, unprotected):
            if rig.dropped():
                raise RuntimeError(f"{element}: {rig.dropped()} packets dropped while measuring")
    return series
