# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a drill: throughput, and the longest stall of each connection, over time.

The protected run stands left, the unprotected one right, on the same scales; the
failures are marked in both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy
from matplotlib.colors import LogNorm

from ftmb.drill.run import RunResult
from ftmb.drill.settings import Failure
from ftmb.drill.workload.echo import stalls

matplotlib.use("Agg")
from matplotlib import pyplot

BUCKET_S = 0.1
CRASH = ("crash point", "#117864")
STALL_MS_MIN, STALL_MS_MAX = 40, 10_000
COLOURS = {Failure.KILL: "#c0392b", Failure.SEGV: "#8e44ad", Failure.STOP: "#d68910"}
NAMES = {Failure.KILL: "SIGKILL", Failure.SEGV: "SIGSEGV", Failure.STOP: "SIGSTOP"}


def draw(results: list[RunResult], path: Path) -> None:
    """Draws one column for each run and saves a PNG."""
    figure, axes = pyplot.subplots(
        3,
        len(results),
        figsize=(7.2 * len(results), 8.4),
        sharex="col",
        squeeze=False,
        gridspec_kw={"height_ratios": (1.1, 0.9, 1.8)},
        layout="constrained",
    )
    mbit_max = _throughput_shown(results)
    image: Any = None
    for column, result in enumerate(results):
        _draw_throughput(axes[0][column], result, mbit_max)
        _draw_longest(axes[1][column], result)
        image = _draw_stalls(axes[2][column], result)
        kind = "protected" if result.protected else "unprotected (killed and restarted)"
        axes[0][column].set_title(kind, fontweight="bold")
        axes[2][column].set_xlabel("seconds")
        for axis in axes[:, column]:
            _mark_failures(axis, result)
    axes[0][0].legend(loc="upper left", fontsize=8, ncols=3)
    axes[0][0].set_ylabel("Mbit/s, both directions")
    axes[1][0].set_ylabel("longest stall, ms")
    axes[2][0].set_ylabel("connection")
    if image is not None:
        bar = figure.colorbar(image, ax=axes[2, :].tolist(), pad=0.01)
        bar.set_label("stall, ms")
    pipeline = results[0].pipeline
    figure.suptitle(f"{pipeline.name} ({pipeline.elements})", fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _seconds(times_ns: Any, result: RunResult) -> Any:
    return (numpy.asarray(times_ns, dtype=numpy.int64) - result.figures.moments.started_ns) / 1e9


def _throughput(result: RunResult) -> tuple[Any, Any]:
    samples = numpy.array(result.figures.throughput, dtype=numpy.int64).reshape(-1, 2)
    if len(samples) < 2:
        return numpy.zeros(1), numpy.zeros(1)
    step_s = numpy.diff(samples[:, 0]) / 1e9
    mbit = numpy.diff(samples[:, 1]) * 8 / 1e6 / step_s
    return _seconds(samples[1:, 0], result), mbit


def _throughput_shown(results: list[RunResult]) -> float:
    """A short burst of retransmissions after a failure must not flatten all the rest."""
    shown = [numpy.percentile(_throughput(result)[1], 97) for result in results]
    return float(max([1.0, *shown])) * 1.4


def _draw_throughput(axis: Any, result: RunResult, mbit_max: float) -> None:
    seconds, mbit = _throughput(result)
    axis.plot(seconds, mbit, color="#1f618d", linewidth=0.9)
    axis.fill_between(seconds, mbit, color="#1f618d", alpha=0.15)
    axis.set_ylim(0, mbit_max)
    axis.grid(alpha=0.3)


def stall_grid(result: RunResult) -> Any:
    """The longest stall in ms that ended in each step of time, a row for each connection."""
    numbers, times, gaps = stalls(result.figures["tcp"].replies)
    seconds = _seconds(times, result)
    steps = int(max(1, numpy.ceil(seconds.max(initial=0.0) / BUCKET_S) + 1))
    grid = numpy.zeros((result.figures["tcp"].connections, steps))
    at = numpy.clip((seconds / BUCKET_S).astype(int), 0, steps - 1)
    numpy.maximum.at(grid, (numbers.astype(int), at), gaps / 1e6)
    for number, end, gap in zip(numbers, seconds, gaps / 1e9, strict=True):
        if gap > BUCKET_S:  # a long stall covers all the time that it lasted
            start = max(0, int((end - gap) / BUCKET_S))
            row = grid[int(number), start : int(end / BUCKET_S) + 1]
            numpy.maximum(row, gap * 1e3, out=row)
    return grid


def _draw_longest(axis: Any, result: RunResult) -> None:
    grid = stall_grid(result)
    longest = grid.max(axis=0)
    seconds = numpy.arange(len(longest)) * BUCKET_S
    axis.step(seconds, numpy.maximum(longest, STALL_MS_MIN), where="post", color="#212f3c")
    axis.set_yscale("log")
    axis.set_ylim(STALL_MS_MIN, STALL_MS_MAX)
    axis.grid(alpha=0.3, which="both", linewidth=0.4)


def _draw_stalls(axis: Any, result: RunResult) -> Any:
    grid = stall_grid(result)
    return axis.imshow(
        numpy.maximum(grid, STALL_MS_MIN),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(0, grid.shape[1] * BUCKET_S, 0, grid.shape[0]),
        norm=LogNorm(STALL_MS_MIN, STALL_MS_MAX),
        cmap="magma_r",
    )


def _mark_failures(axis: Any, result: RunResult) -> None:
    labelled: set[str] = set()
    for outcome in result.outcomes:
        if outcome.at_ns < result.figures.moments.started_ns:
            continue  # a crash point of the box's start
        name, colour = CRASH
        if isinstance(outcome.failure, Failure):
            name, colour = NAMES[outcome.failure], COLOURS[outcome.failure]
        label = None if name in labelled else name
        labelled.add(name)
        axis.axvline(
            float(_seconds(outcome.at_ns, result)),
            color=colour,
            linestyle="--",
            linewidth=0.9,
            alpha=0.8,
            label=label,
        )
