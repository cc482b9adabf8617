# SPDX-License-Identifier: BSD-3-Clause
"""Times in high dynamic range histograms: every sample counts, to three digits, up to a minute."""

from __future__ import annotations

from typing import Any

import numpy as np
from hdrh.histogram import HdrHistogram

NS_MAX = 60_000_000_000
DIGITS = 3
BITS_KEPT = 11  # that many hold 3 digits, as in the histogram itself
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "p9999": 99.99}


def histogram_of(samples_ns: np.ndarray) -> Any:
    """All samples, in nanoseconds, none of them left out."""
    histogram = HdrHistogram(1, NS_MAX, DIGITS)
    values, counts = np.unique(_as_recorded(samples_ns), return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(max(1, value), count)
    return histogram


def _as_recorded(samples_ns: np.ndarray) -> np.ndarray:
    """Values that share a place in the histogram made equal, so that few are left to record."""
    bits = np.frexp(samples_ns.astype(np.float64))[1]  # as many as the number has
    shift = np.maximum(bits - BITS_KEPT, 0).astype(samples_ns.dtype)
    return (samples_ns >> shift) << shift


def merged(histograms: list[Any]) -> Any:
    """One histogram of what is in several."""
    total = HdrHistogram(1, NS_MAX, DIGITS)
    for histogram in histograms:
        total.add(histogram)
    return total


def percentiles_us(histogram: Any) -> dict[str, float]:
    """p50 to p9999 and the largest, in microseconds."""
    found = {
        name: round(histogram.get_value_at_percentile(at) / 1000, 3)
        for name, at in PERCENTILES.items()
    }
    return {**found, "max": round(histogram.get_max_value() / 1000, 3)}


def cdf_of(histogram: Any) -> list[list[float]]:
    """[microseconds, share of samples at or below], denser towards the end, up to the largest."""
    total = histogram.get_total_count()
    if total == 0:
        return []
    shares = [*np.linspace(0, 0.99, 100)[1:], 0.995]
    tail = 0.001
    while tail * total >= 1:
        shares += [1 - tail, 1 - tail / 2, 1 - tail / 5]
        tail /= 10
    points = [
        [histogram.get_value_at_percentile(share * 100) / 1000, round(share, 9)] for share in shares
    ]
    return [*points, [histogram.get_max_value() / 1000, 1.0]]
