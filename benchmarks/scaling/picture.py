# SPDX-License-Identifier: BSD-3-Clause
"""The picture of scaling: rates against workers left, what protection leaves of them right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = {0: "#1f618d", 1: "#5dade2", 10: "#117864", 50: "#d68910", 100: "#c0392b"}
DPI = 110


def _colour(share: int) -> str:
    return COLOURS.get(share, "#212f3c")


def draw(section: dict[str, Any], path: Path) -> None:
    """Lines and bands are the model's, marks are measured."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.2), layout="constrained")
    shares = sorted({row["share"] for row in section["predictions"]})
    for share in shares:
        rows = [row for row in section["predictions"] if row["share"] == share]
        workers = [row["workers"] for row in rows]
        _rates(left, workers, rows, share)
        low, high = ([row["ratio"][end] for row in rows] for end in (0, -1))
        right.fill_between(workers, low, high, color=_colour(share), alpha=0.15)
        right.plot(workers, low, color=_colour(share), lw=1.6)
        right.plot(workers, high, color=_colour(share), lw=1.6)
    rows = [row for row in section["predictions"] if row["share"] == shares[0]]
    left.plot(workers, [row["protected_packet_thread_mpps"] for row in rows],
              color="#616a6b", ls=":", lw=2, label="one packet thread carries")  # fmt: skip
    _measured(left, right, section["points"])
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_xticks(workers, [str(count) for count in workers])
        axis.set_xlabel("workers, a core each")
        axis.grid(alpha=0.3, which="both", linewidth=0.5)
    left.set_yscale("log")
    left.set_ylabel("million packets a second, protected")
    left.set_title("Monitor: lines and bands predicted, marks measured")
    left.legend(fontsize=8, title="flows in shared tables", loc="upper left")
    right.set_ylim(0, 1.15)
    right.axhline(1, color="#616a6b", lw=0.8)
    right.set_ylabel("protected / unprotected")
    right.set_title("What protection leaves of the throughput")
    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)


def _rates(axis: Any, workers: list[int], rows: list[dict[str, Any]], share: int) -> None:
    low, high = ([row["protected_mpps"][end] for row in rows] for end in (0, -1))
    axis.fill_between(workers, low, high, color=_colour(share), alpha=0.15)
    axis.plot(workers, low, color=_colour(share), lw=1.6, label=f"{share} %")
    axis.plot(workers, high, color=_colour(share), lw=1.6)


def _measured(left: Any, right: Any, points: list[dict[str, Any]]) -> None:
    threaded = [point for point in points if point["kind"] == "threaded"]
    unprotected = {(p["workers"], p["share"]): p["mpps"] for p in threaded if not p["protected"]}
    for point in threaded:
        if not point["protected"]:
            continue
        at, share = point["workers"], point["share"]
        rounds = point["mpps_rounds"]
        middle = point["mpps"]
        errors = [[max(0.0, middle - min(rounds))], [max(0.0, max(rounds) - middle)]]
        left.errorbar([at], [point["mpps"]], yerr=errors, color=_colour(share), marker="o",
                      capsize=3, ls="none")  # fmt: skip
        right.plot([at], [point["mpps"] / unprotected[at, share]], color=_colour(share), marker="o")
