# SPDX-License-Identifier: BSD-3-Clause
"""Rounds in turn (A B A B ...), and what is told of them: the median and the spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

DIGITS = 3


def spread(values: Sequence[float]) -> dict[str, float | list[float]]:
    """Median, smallest and largest, and the rounds themselves."""
    return {
        "median": round(statistics.median(values), DIGITS),
        "min": round(min(values), DIGITS),
        "max": round(max(values), DIGITS),
        "rounds": [round(value, DIGITS) for value in values],
    }


def ratio(protected: Sequence[float], unprotected: Sequence[float]) -> float:
    """Median of the rounds' own ratios: what disturbs both halves of a round cancels out."""
    pairs = zip(protected, unprotected, strict=True)
    return round(statistics.median(a / b for a, b in pairs), DIGITS)


def median(values: Sequence[float]) -> float:
    return round(statistics.median(values), DIGITS)


def limits(values: Sequence[float]) -> list[float]:
    """[smallest, largest]."""
    return [round(min(values), DIGITS), round(max(values), DIGITS)]
