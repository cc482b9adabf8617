# SPDX-License-Identifier: BSD-3-Clause
"""The main job: a protected run, the same without protection for contrast, and the report."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from rich.console import Console

from ftmb.drill.report.figures import broken_guarantees, report_of, state_was_lost
from ftmb.drill.run import RunResult, Say, run
from ftmb.drill.settings import DrillSettings
from ftmb.drill.workload.part import Report
from ftmb.errors import LabError

CONTRAST_FAILURES_MAX = 5


def run_drill(settings: DrillSettings) -> int:
    """Returns 0, or 1 when a guarantee was broken."""
    if os.geteuid() != 0:
        raise LabError("the lab is made of network namespaces: run the drill as root")
    console = Console()
    with ended_by_signals():
        return conclude(settings, _runs(settings, teller(console)), console)


def _runs(settings: DrillSettings, say: Say) -> list[RunResult]:
    say(f"seed {settings.seed}: repeat this drill with --seed {settings.seed}")
    results = [run(settings, True, settings.times, say)]
    if settings.contrast:
        say("now for contrast the same box without protection, restarted after each failure")
        times = min(settings.times, CONTRAST_FAILURES_MAX)
        results.append(run(settings, False, times, say))
    return results


def conclude(settings: DrillSettings, results: list[RunResult], console: Console) -> int:
    """Writes and shows the report."""
    report: Report = {
        **report_of(results[0]),
        "unprotected_run": report_of(results[1]) if len(results) > 1 else None,
        "pipeline": settings.pipeline,
        "seed": settings.seed,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
    }
    sections = results[0].figures.sections
    broken = broken_guarantees(report, sections)
    report["broken_guarantees"] = broken
    _write(settings, results, report)
    from ftmb.drill.report.table import table_of

    console.print(table_of(report, sections))
    for line in broken:
        console.print(f"[bold red]broken:[/] {line}", highlight=False)
    if not broken:
        console.print("[bold green]every guarantee was kept[/]")
    if state_was_lost(report):
        console.print("state was lost, at crash points of a box without protection; it said so")
    console.print(f"report: {settings.output / 'report.html'}", highlight=False, soft_wrap=True)
    return 1 if broken else 0


def _write(settings: DrillSettings, results: list[RunResult], report: Report) -> None:
    from ftmb.drill.report.page import page_of
    from ftmb.drill.report.picture import draw

    folder = settings.output
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    draw(results, folder / "report.png")
    page = page_of(report, results[0].figures.sections, folder / "report.png")
    (folder / "report.html").write_text(page)


def teller(console: Console) -> Say:
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(
            f"[dim]{time.monotonic() - started:6.1f} s[/]  {text}", highlight=False, soft_wrap=True
        )

    return say


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM take everything down by an exception; a second one does not cut that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for ending in before:
            signal.signal(ending, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
