# SPDX-License-Identifier: BSD-3-Clause
"""Costs fitted to measured points, and what they say of more workers than there are cores for.

A role's cycles for a packet are a sum of what happens to it, each at a price that is fitted (least
squares over relative errors, no price below zero):

    master    packet + accesses + [PALs with their dependencies] + hand-overs between cores
    loggers   packet + workers served + [record kept for the standby + PALs + entries of the
              vectors that these change]
    standby   packet + accesses + PALs + hand-overs          ([...]: with protection)

Workers that are stepped on one core push one another out of its caches; that, too, is fitted, and
left out of what is predicted for workers with a core each.

Throughput of W workers is the smallest of three: W of them side by side; what the variable that all
of them write lets through, one after the other; what one packet thread carries. How often a
variable changes hands depends on how workers meet, so predictions are bands: at least once a burst,
and at most at every access that another worker may have come before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import nnls

Point = dict[str, Any]
Prices = dict[str, float]
PREDICTED = (1, 2, 4, 8, 16, 32, 64)
BURST = 32
MASTER = ("packet", "access", "pal", "hand_over", "shared_cache")
LOGGERS = ("packet", "worker", "kept", "vector_entry", "pal")
STANDBY = ("packet", "access", "pal", "hand_over", "shared_cache")
FEATURES = {"master": MASTER, "loggers": LOGGERS, "standby": STANDBY}


def features_of(point: Point) -> dict[str, float]:
    """How much of each a packet meets."""
    is_protected = float(point["protected"])
    between_cores = point["hand_overs"] if point["kind"] == "threaded" else 0.0
    return {
        "packet": 1.0,
        "access": point["accesses"],
        "vector_entry": is_protected * min(point["records"], point["pals"]) * point["workers"],
        "pal": is_protected * point["pals"],
        "kept": is_protected,
        "hand_over": between_cores,
        "worker": float(point["workers"]),
        "shared_cache": float(point["workers"] - 1) if point["kind"] == "stepped" else 0.0,
    }


def with_hand_overs(points: list[Point]) -> list[Point]:
    """Only a protected box counts hand-overs; the unprotected one beside it has as many."""
    counted = {(p["kind"], p["workers"], p["share"]): p["pals"] for p in points if p["protected"]}
    return [
        {**p, "hand_overs": counted.get((p["kind"], p["workers"], p["share"]), 0.0)} for p in points
    ]


def fit(points: list[Point], role: str) -> Prices:
    """Cycles for each feature of a role."""
    names = FEATURES[role]
    used = [point for point in points if point[role] > 0]
    rows = np.array([[features_of(point)[name] for name in names] for point in used])
    measured = np.array([point[role] for point in used])
    prices, _ = nnls(rows / measured[:, None], np.ones(len(used)))
    return {name: round(float(price), 3) for name, price in zip(names, prices, strict=True)}


def cost(prices: Prices, point: Point) -> float:
    """Cycles a packet, as the model has it."""
    features = features_of(point)
    return sum(price * features[name] for name, price in prices.items())


def errors_of(points: list[Point], role: str, prices: Prices) -> dict[str, float]:
    """Relative errors on the points that the prices were fitted to."""
    used = [point for point in points if point[role] > 0]
    errors = [abs(cost(prices, point) - point[role]) / point[role] for point in used]
    return {
        "median": round(float(np.median(errors)), 4),
        "largest": round(float(max(errors)), 4),
        "points": len(used),
    }


def hand_overs(workers: int, share: float) -> tuple[float, float]:
    """(fewest, most) a packet: the totals once a burst, or at each access by chance."""
    counted = share / 100
    others = (workers - 1) / workers
    fewest = min(counted, 1 / BURST) * (workers > 1)
    return fewest, 2 * counted * others


def _rates(prices: dict[str, Prices], frequency: float, workers: int, share: int, pals: float,
           *, protected: bool) -> dict[str, float]:  # fmt: skip
    point = {
        "kind": "threaded",
        "workers": workers,
        "protected": protected,
        "accesses": 2 * share / 100,
        "records": 1 / BURST,
        "pals": pals,
        "hand_overs": pals,
    }
    one = cost(prices["master"], point)
    master = prices["master"]
    counted = share / 100
    # What must be done one after the other: the totals' lock, and its line coming over; a PAL too.
    each = master["hand_over"] + (master["pal"] if protected else 0.0)
    serial = (counted * master["access"] + min(pals, counted) * each) * (workers > 1)
    side_by_side = workers * frequency / one
    limit = frequency / serial if serial > 0 else float("inf")
    return {
        "workers": round(min(side_by_side, limit), 2),
        "packet_thread": round(frequency / cost(prices["loggers"], point), 2),
    }


def predict(prices: dict[str, Prices], frequency: float, shares: list[int]) -> list[dict[str, Any]]:
    """Mpps by workers and share, as bands [least, most]."""
    found = []
    for share in shares:
        for workers in PREDICTED:
            row: dict[str, Any] = {"workers": workers, "share": share}
            for side, protected in (("protected", True), ("unprotected", False)):
                rates = [
                    _rates(prices, frequency, workers, share, pals, protected=protected)
                    for pals in hand_overs(workers, share)
                ]
                band = sorted(rate["workers"] for rate in rates)
                row[f"{side}_mpps"] = band
                row[f"{side}_packet_thread_mpps"] = min(rate["packet_thread"] for rate in rates)
            ratios = [
                a / b for a, b in zip(row["protected_mpps"], row["unprotected_mpps"], strict=True)
            ]
            row["ratio"] = [round(ratio, 3) for ratio in sorted(ratios)]
            found.append(row)
    return found


def fitted_and_predicted(points: list[Point]) -> dict[str, Any]:
    """Prices, their errors, predictions."""
    known = with_hand_overs(points)
    prices = {role: fit(known, role) for role in FEATURES}
    frequency = float(np.median([point["cycles_per_us"] for point in points]))
    shares = sorted({point["share"] for point in points})
    return {
        "model": {
            "cycles": prices,
            "errors": {role: errors_of(known, role, prices[role]) for role in FEATURES},
            "cycles_per_us": frequency,
        },
        "predictions": predict(prices, frequency, shares),
    }
