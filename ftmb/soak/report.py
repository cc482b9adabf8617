# SPDX-License-Identifier: BSD-3-Clause
"""What a soak leaves behind: report.json, report.png, and a table."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ftmb.drill.report.figures import broken_guarantees, report_of
from ftmb.soak.growth import MEBIBYTE, Growth, Sample, judge
from ftmb.soak.run import SoakResult, SoakSettings


def _shown(name: str, value: float) -> str:
    return f"{value / MEBIBYTE:,.1f} MiB" if name.endswith("bytes") else f"{value:,.0f}"


def _data_of(settings: SoakSettings, result: SoakResult, growths: list[Growth]) -> dict[str, Any]:
    drill = report_of(result.run)
    broken = broken_guarantees(drill, result.run.figures.sections)
    if result.run.status["state_losses"]:
        broken.append(f"the state was lost {result.run.status['state_losses']} times")
    rejected = sum(result.run.status["logger"]["rejected"].values())
    if rejected:
        broken.append(f"{rejected} records were rejected, and no master was mad")
    broken += [
        f"{growth.name} grew from {_shown(growth.name, growth.first)} to "
        f"{_shown(growth.name, growth.last)}"
        for growth in growths
        if growth.is_too_much
    ]
    if not growths:
        broken.append("too few failures to say whether anything grows")
    return {
        "minutes": round(result.seconds / 60, 2),
        "seed": settings.seed,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "failures_by_kind": dict(sorted(Counter(blow.name for blow in result.blows).items())),
        "failovers": result.run.status["failover_count"],
        "state_losses": result.run.status["state_losses"],
        "growth": [asdict(growth) for growth in growths],
        "samples": [asdict(sample) for sample in result.samples],
        "broken": broken,
        "drill": drill,
    }


def conclude(settings: SoakSettings, result: SoakResult, console: Console) -> int:
    """Writes and shows it all; 0, or 1 when something was broken or has grown."""
    growths = judge(result.samples)
    data = _data_of(settings, result, growths)
    folder = settings.output
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(data, indent=2) + "\n")
    draw(result.samples, folder / "report.png")
    console.print(_table(data, growths))
    for line in data["broken"]:
        console.print(f"[bold red]broken:[/] {line}", highlight=False)
    if not data["broken"]:
        console.print("[bold green]every guarantee was kept and nothing grew[/]")
    console.print(f"report: {folder / 'report.json'}, {folder / 'report.png'}", highlight=False)
    return 1 if data["broken"] else 0


def _table(data: dict[str, Any], growths: list[Growth]) -> Table:
    drill, count = data["drill"], sum(data["failures_by_kind"].values())
    table = Table(
        title=f"soak: {data['minutes']:.1f} minutes, {count} failures of "
        f"{len(data['failures_by_kind'])} kinds, {data['failovers']} failovers",
        title_justify="left",
    )
    for column in ("", "first third", "last third", "largest", "may grow by"):
        table.add_column(column, justify="left" if not column else "right")
    for growth in growths:
        values = (growth.first, growth.last, growth.largest, growth.allowed)
        style = "bold red" if growth.is_too_much else None
        table.add_row(growth.name, *(_shown(growth.name, value) for value in values), style=style)
    table.add_section()
    for name, value in (
        ("datagrams sent", drill["udp"]["sent"]),
        ("datagrams lost, doubled", f"{drill['udp']['lost']}, {drill['udp']['duplicated']}"),
        ("TCP connections, broken", f"{drill['tcp']['connections']}, {drill['tcp']['broken']}"),
        ("downloads", drill["http"]["downloads"]),
        ("digests compared", drill["digest"]["compared"]),
        ("digests mismatched", drill["digest"]["mismatched"]),
        ("first packet, ms: median, longest", _pair(drill["failover_ms"])),
        ("protected again, ms: median, longest", _pair(drill["protected_again_ms"])),
    ):
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return table


def _pair(spread: dict[str, float | None]) -> str:
    return ", ".join("-" if value is None else f"{value:.1f}" for value in spread.values())


def draw(samples: list[Sample], path: Path) -> None:
    """Each series over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted(set.intersection(*(set(sample.values) for sample in samples)))
    rows = (len(names) + 2) // 3
    figure, axes = pyplot.subplots(
        rows, 3, figsize=(13, 2.4 * rows), sharex=True, squeeze=False, layout="constrained"
    )
    minutes = [sample.at_s / 60 for sample in samples]
    for axis, name in zip(axes.flat, names, strict=False):
        unit = MEBIBYTE if name.endswith("bytes") else 1
        axis.plot(minutes, [sample.values[name] / unit for sample in samples], ".-", lw=0.8, ms=3)
        axis.set_title(name.replace("_bytes", ", MiB").replace("_", " "), fontsize=9)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("minutes")
    figure.suptitle(f"what the box holds while it is whole, over {samples[-1].failures} failures")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
