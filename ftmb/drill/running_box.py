# SPDX-License-Identifier: BSD-3-Clause
"""Fails a box that is already running, without traffic of the drill's own."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ftmb.crash_points import CrashPoint
from ftmb.drill.box import RunningBox
from ftmb.drill.crashes import Crasher
from ftmb.drill.failures import Injector, Kind, Outcome, plan
from ftmb.drill.report.figures import spread
from ftmb.drill.run import PAUSE_MAX_S, PAUSE_MIN_S
from ftmb.errors import NotRunningError

MOMENTS = (
    ("detected", "detected_ns"),
    ("live", "live_ns"),
    ("first packet", "first_output_ns"),
    ("protected again", "protected_again_ns"),
)


def drill_running_box(
    name: str, victim: str, failures: Sequence[Kind], times: int, seed: int
) -> int:
    """Returns 0, or 1 when a guarantee was broken."""
    console = Console()
    box = RunningBox(name)
    state = box.status()["state"]
    if state != "protected":
        raise NotRunningError(f"box '{name}' is {state}: a failure now would lose its state")
    chance = random.Random(seed)
    console.print(f"seed {seed}; failing box '{name}' {times} times")
    injector = Injector(box, True, victim=victim, has_traffic=False)
    crasher = Crasher(box, has_traffic=False)
    outcomes = []
    for failure in plan(failures, times, chance):
        time.sleep(chance.uniform(PAUSE_MIN_S, PAUSE_MAX_S))
        if isinstance(failure, CrashPoint):
            outcomes.append(crasher.fail(failure))
        else:
            outcomes.append(injector.fail(failure))
        for problem in outcomes[-1].problems:
            console.print(f"[bold red]broken:[/] {failure.name}: {problem}", highlight=False)
    console.print(_table(outcomes))
    return _conclude(console, box, outcomes)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="ms after the failure", title_justify="left")
    for column in ("failure", *(name for name, _ in MOMENTS)):
        table.add_column(column, justify="right")
    for outcome in outcomes:
        times = [outcome.milliseconds_until(moment) for _, moment in MOMENTS]
        table.add_row(outcome.failure.name, *("-" if t is None else f"{t:.1f}" for t in times))
    for figure in ("p50", "max"):
        values = [spread([o.milliseconds_until(moment) for o in outcomes]) for _, moment in MOMENTS]
        shown = ("-" if v[figure] is None else f"{v[figure]:.1f}" for v in values)
        table.add_row(figure, *shown, style="bold")
    return table


def _conclude(console: Console, box: RunningBox, outcomes: list[Outcome]) -> int:
    digest = box.status()["digest"]
    console.print(f"digests: {digest['compared']:,} compared, {digest['mismatched']:,} mismatched")
    broken = digest["mismatched"] or any(outcome.problems for outcome in outcomes)
    return 1 if broken else 0
