# SPDX-License-Identifier: BSD-3-Clause
"""From the latencies of single packets to an HDR histogram (hdrhistogram, Gil Tene's design)."""

from __future__ import annotations

import numpy as np
from hdrh.histogram import HdrHistogram

from ftmb.pktgen.result import Latency

RANGE_NS_MAX = 2**32 - 1  # the receiver keeps 32 bits of each
SIGNIFICANT_FIGURES = 3
CHUNK = 1 << 20
CDF_TICKS = 10  # points for each halving of what is left to 100 %


def summarize(latency_ns: np.ndarray) -> Latency | None:
    """`latency_ns` has 0 for a packet that never came. None if none did."""
    histogram = HdrHistogram(1, RANGE_NS_MAX, SIGNIFICANT_FIGURES)
    beyond, total_ns, low, high = 0, 0, RANGE_NS_MAX, 0
    for first in range(0, len(latency_ns), CHUNK):
        chunk = latency_ns[first : first + CHUNK]
        values, counts = np.unique(chunk[chunk != 0], return_counts=True)
        if len(values) == 0:
            continue
        low, high = min(low, int(values[0])), max(high, int(values[-1]))
        total_ns += int(values.astype(np.uint64) @ counts.astype(np.uint64))
        beyond += int(counts[-1]) if values[-1] == RANGE_NS_MAX else 0
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            histogram.record_value(value, count)
    count = histogram.get_total_count()
    if count == 0:
        return None

    def percentile(percent: float) -> int:
        return min(int(histogram.get_value_at_percentile(percent)), high)

    points = [
        (min(int(step.value_iterated_to), high), step.total_count_to_this_value / count)
        for step in histogram.get_percentile_iterator(CDF_TICKS)
    ]
    return Latency(
        count=count,
        min_ns=low,
        mean_ns=total_ns / count,
        p50_ns=percentile(50),
        p90_ns=percentile(90),
        p99_ns=percentile(99),
        p999_ns=percentile(99.9),
        max_ns=high,
        beyond_range=beyond,
        histogram=histogram.encode().decode(),
        cdf=tuple(points),
    )
