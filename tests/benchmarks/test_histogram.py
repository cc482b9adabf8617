# SPDX-License-Identifier: BSD-3-Clause
"""Histograms lose no sample, and the curve drawn from one is the samples' own."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.histogram import cdf_of, histogram_of, merged, percentiles_us


def samples(seed: int = 1) -> np.ndarray:
    """Mostly a few hundred nanoseconds, with a long tail."""
    random = np.random.default_rng(seed)
    values = random.lognormal(6, 1, 200_000)
    values[:1000] *= 1_000
    return values.astype(np.uint32) + 1


def test_every_sample_is_in_it() -> None:
    values = samples()
    histogram = histogram_of(values)
    assert histogram.get_total_count() == len(values)
    for name, at in (("p50", 50), ("p99", 99), ("p999", 99.9)):
        exact = float(np.percentile(values, at, method="inverted_cdf")) / 1000
        assert percentiles_us(histogram)[name] == pytest.approx(exact, rel=0.002, abs=0.002)
    assert percentiles_us(histogram)["max"] == pytest.approx(values.max() / 1000, rel=0.001)


def test_the_curve_is_that_of_the_samples() -> None:
    values = samples()
    points = cdf_of(histogram_of(values))
    assert points == sorted(points)
    assert points[-1][1] == 1.0
    for us, share in points:
        at_or_below = float((values <= us * 1000 * 1.001 + 1).mean())
        below = float((values < us * 1000 * 0.998 - 1).mean())
        assert below <= share + 1e-9 and share <= at_or_below + 1e-9


def test_several_rounds_are_one_curve() -> None:
    rounds = [histogram_of(samples(seed)) for seed in (1, 2, 3)]
    total = merged(rounds)
    assert total.get_total_count() == 600_000
    assert cdf_of(total)[-1][0] == max(cdf_of(one)[-1][0] for one in rounds)


def test_nothing_measured_is_no_curve() -> None:
    assert cdf_of(merged([])) == []
