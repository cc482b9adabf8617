# SPDX-License-Identifier: BSD-3-Clause
"""The pictures of the report, each drawn from one section."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = {
    "protected": "#1f618d",
    "unprotected": "#d68910",
    "protected_with_snapshots": "#117864",
}
APART = {"protected": 0.97, "unprotected": 1.03, "idle": 0.97, "half": 1.03}  # on a log axis
SIZE, DPI = (8.6, 4.8), 110


def _figure() -> tuple[Any, Any]:
    figure, axis = pyplot.subplots(figsize=SIZE, layout="constrained")
    axis.grid(alpha=0.3, which="both", linewidth=0.5)
    axis.set_axisbelow(True)
    return figure, axis


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)


def _latency(section: Any, path: Path) -> None:
    """Share of packets that took longer, so that the tail is as readable as the middle."""
    figure, axis = _figure()
    words = {
        "unprotected": "unprotected",
        "protected": "protected",
        "protected_with_snapshots": "protected, a snapshot every 250 ms",
    }
    lowest = 1.0
    for kind, label in words.items():
        points = section["cdf"].get(kind) or []
        longer = [(us, 1 - share) for us, share in points if share < 1]
        if longer:
            axis.step(
                *zip(*longer, strict=True), where="post", label=label, color=COLOURS[kind], lw=1.8
            )
            lowest = min(lowest, longer[-1][1])
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(lowest, 1)
    marks = [share for share in (0.5, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6) if share >= lowest]
    axis.set_yticks(marks, [f"{100 - 100 * share:.6g} %" for share in marks])
    axis.set_xlabel("microseconds from port to port (due to sent)")
    axis.set_ylabel("packets that were as fast or faster")
    axis.invert_yaxis()
    axis.set_title(f"Latency of a NAT at {section['packets_per_second']:,} packets/s (half load)")
    axis.legend(loc="upper left")
    _save(figure, path)


def _sides(axis: Any, at: list[float], rows: list[Any], **style: Any) -> None:
    for side in ("protected", "unprotected"):
        middle = [row[f"{side}_mpps"] for row in rows]
        limits = [row[f"{side}_spread"] for row in rows]
        errors = [
            [max(0, m - low) for m, (low, _) in zip(middle, limits, strict=True)],
            [max(0, high - m) for m, (_, high) in zip(middle, limits, strict=True)],
        ]
        beside = [place * APART[side] for place in at]
        style |= {"color": COLOURS[side], "label": side}
        axis.errorbar(beside, middle, yerr=errors, capsize=4, **style)


def _by_element(section: Any, path: Path) -> None:
    figure, axis = _figure()
    rows = [(element, by.get("10000")) for element, by in section.items() if by.get("10000")]
    for offset, side in ((-0.19, "protected"), (0.19, "unprotected")):
        at = [place + offset for place in range(len(rows))]
        heights = [row[f"{side}_mpps"] for _, row in rows]
        limits = [row[f"{side}_spread"] for _, row in rows]
        errors = [
            [max(0, h - low) for h, (low, _) in zip(heights, limits, strict=True)],
            [max(0, high - h) for h, (_, high) in zip(heights, limits, strict=True)],
        ]
        bars = axis.bar(at, heights, 0.36, label=side, color=COLOURS[side], yerr=errors, capsize=5,
                        error_kw={"ecolor": "#212f3c", "elinewidth": 1.2})  # fmt: skip
        axis.bar_label(bars, [f"{h:.1f}" for h in heights], label_type="center", color="white")
    axis.set_xticks(range(len(rows)), [f"{name}\nratio {row['ratio']:.2f}" for name, row in rows])
    axis.set_ylabel("million packets a second")
    axis.set_title("One master core, 64-byte packets, 10,000 shuffled flows")
    axis.legend()
    _save(figure, path)


def _by_flows(section: Any, path: Path) -> None:
    figure, axis = _figure()
    by_flows = sorted(((int(flows), row) for flows, row in section["nat"].items()))
    _sides(axis, [flows for flows, _ in by_flows], [row for _, row in by_flows], marker="o", lw=1.8)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xticks([flows for flows, _ in by_flows], [f"{flows:,}" for flows, _ in by_flows])
    axis.set_xlabel("flows, shuffled")
    axis.set_ylabel("million packets a second")
    axis.set_title("NAT on one master core, 64-byte packets")
    axis.legend()
    _save(figure, path)


def _recovery(section: Any, path: Path) -> None:
    figure, axis = _figure()
    styles = {"idle": ("#d68910", "s"), "half": ("#1f618d", "o")}
    for load, (colour, marker) in styles.items():
        rows = sorted((int(flows), by[load]) for flows, by in section.items() if load in by)
        for key, words, line in (("recovery_ms", "first packet", "-"),
                                 ("protected_again_ms", "protected again", "--")):  # fmt: skip
            middle = [row[key]["median"] for _, row in rows]
            errors = [[row[key]["median"] - row[key]["min"] for _, row in rows],
                      [row[key]["max"] - row[key]["median"] for _, row in rows]]  # fmt: skip
            axis.errorbar(
                [flows * APART[load] for flows, _ in rows],
                middle,
                yerr=errors,
                color=colour,
                marker=marker,
                ls=line,
                capsize=4,
                label=f"{words}, {load} load",
            )
    flows = sorted(map(int, section))
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(flows, [f"{count:,}" for count in flows])
    axis.set_xlabel("flows in the NAT's state")
    axis.set_ylabel("milliseconds since the kill")
    axis.set_title("Failover of a real box: median, smallest and largest")
    axis.legend(fontsize=9)
    _save(figure, path)


def _scaling(section: Any, path: Path) -> None:
    from benchmarks.scaling.picture import draw as draw_scaling

    draw_scaling(section, path)


# section: (file, what it shows, how it is drawn, whether the section has enough for it)
PICTURES: tuple[tuple[str, str, str, Callable[[Any, Path], None], Callable[[Any], bool]], ...] = (
    ("throughput", "throughput-by-element.png",
     "Throughput by element: bars are medians, whiskers the smallest and largest round.",
     _by_element, lambda section: any("10000" in by for by in section.values())),
    ("throughput", "throughput-by-flows.png",
     "Throughput of the NAT against flows: medians, whiskers the smallest and largest round.",
     _by_flows, lambda section: len(section.get("nat", {})) > 1),
    ("latency_us", "latency.png",
     "Latency of all samples of all rounds, open loop.",
     _latency, lambda section: bool(section.get("cdf"))),
    ("failover", "recovery.png",
     "Recovery time of a real box against flows and load.",
     _recovery, lambda section: bool(section)),
    ("scaling", "scaling.png",
     "Measured and predicted throughput against workers.",
     _scaling, lambda section: bool(section.get("model"))),
)  # fmt: skip


def draw(report: dict[str, Any], folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Draws what the report has figures for; by section, what each shows and where it is."""
    drawn: dict[str, list[tuple[str, Path]]] = {}
    for section, name, words, picture, has_enough in PICTURES:
        if report.get(section) and has_enough(report[section]):
            path = folder / name
            picture(report[section], path)
            drawn.setdefault(section, []).append((words, path))
    return drawn
