# SPDX-License-Identifier: BSD-3-Clause
"""Answers that came to the client around the failure, a row for each contestant.

Left: seconds. Right: the first tens of milliseconds. Grey: the traffic had ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy

from benchmarks.peers.failover import ConnectionFailure, DatagramFailure

matplotlib.use("Agg")
from matplotlib import pyplot

VIEWS = (  # from and until in ms after the failure, width of a bar in ms
    (-250, 4500, 25),
    (-20, 60, 1),
)
OURS, OTHERS = "#1f618d", "#717d7e"
Row = tuple[str, DatagramFailure, Sequence[ConnectionFailure]]


def bars(failure: DatagramFailure, from_ms: int, until_ms: int, width_ms: int) -> tuple[Any, Any]:
    """Where bars begin, in ms after the failure, and the packets per ms in each.

    Arrivals are known by whole milliseconds, so the failure is taken to begin with one.
    """
    killed = int(failure.killed_ms)
    counts = numpy.zeros(until_ms - from_ms)
    at = numpy.arange(len(failure.bins)) - killed - from_ms
    seen = (at >= 0) & (at < len(counts))
    counts[at[seen]] = numpy.asarray(failure.bins)[seen]
    return numpy.arange(from_ms, until_ms, width_ms), counts.reshape(-1, width_ms).mean(axis=1)


def draw(rows: Sequence[Row], rate: int, path: Path) -> None:
    """Saves a PNG; `rate` is what was sent a second."""
    figure, axes = pyplot.subplots(
        len(rows),
        len(VIEWS),
        figsize=(12, 1.35 * len(rows) + 0.9),
        sharex="col",
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for line, (title, failure, connections) in zip(axes, rows, strict=True):
        for axis, view in zip(line, VIEWS, strict=True):
            _draw_view(axis, failure, view, OURS if title.startswith("ftmb") else OTHERS)
            axis.set_ylim(0, rate / 1000 * 2.5)
        broken = sorted(connection.broken for connection in connections)
        line[0].set_title(title, loc="left", fontsize=9, fontweight="bold")
        line[1].set_title(
            f"longest gap {failure.gap_ms:,.1f} ms, lost {failure.lost:,}; "
            f"TCP connections broken: {broken[(len(broken) - 1) // 2]}",
            loc="left",
            fontsize=9,
        )
        line[0].set_ylabel("packets/ms", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("ms after the failure")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _draw_view(
    axis: Any, failure: DatagramFailure, view: tuple[int, int, int], colour: str
) -> None:
    starts, per_ms = bars(failure, *view)
    end = len(failure.bins) - int(failure.killed_ms)
    axis.bar(starts, per_ms, width=view[2], align="edge", color=colour)
    axis.axvspan(min(max(end, view[0]), view[1]), view[1], color="#e5e7e9")
    axis.axvline(0, color="#c0392b", linestyle="--", linewidth=0.9)
    axis.set_xlim(view[0], view[1])
    axis.grid(alpha=0.3)
