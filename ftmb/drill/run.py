# SPDX-License-Identifier: BSD-3-Clause
"""One run of the drill: the lab, the box in it, the traffic through it, the failures."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ftmb.crash_points import CrashPoint, When
from ftmb.drill.box import LabBox, Status
from ftmb.drill.crashes import Crasher, fail_at_start
from ftmb.drill.failures import Injector, Kind, Outcome, plan
from ftmb.drill.pipelines import PIPELINES, Pipeline
from ftmb.drill.settings import DrillSettings
from ftmb.drill.workload import Figures, Traffic
from ftmb.drill.workload.base import Place
from ftmb.lab import Lab
from ftmb.lab.tuning import long_backlog

PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 0.8
UNPROTECTED_PAUSE_S = 1.5  # more time for the programs to come back by themselves

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    protected: bool
    pipeline: Pipeline
    figures: Figures
    outcomes: list[Outcome]
    status: Status


def run(settings: DrillSettings, protected: bool, times: int, say: Say) -> RunResult:
    chance = random.Random(f"{settings.seed}/{protected}")
    protection = "standby" if protected else "none"
    pipeline = PIPELINES[settings.pipeline]
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="ftmb-drill-")))
        exits.enter_context(long_backlog())
        lab = exits.enter_context(Lab("drill", pipeline.addresses))
        box = LabBox(lab, protection, pipeline, folder, shares_state=bool(settings.crash_at))
        failures = Failures(box, plan(settings.kinds, times, chance), say)
        say(f"starting the box ({pipeline.elements}), protection: {protection}")
        exits.callback(box.stop)
        failures.start_box()
        watched = box.name if protected else None
        place = Place(lab, settings, folder, watched, pipeline.virtual_address)
        traffic = Traffic(place, pipeline.parts)
        say(f"traffic: {traffic.describe()}")
        traffic.start()
        attend(traffic, settings.warm_up_s)
        for failure in failures.under_traffic():
            attend(traffic, chance.uniform(PAUSE_MIN_S, PAUSE_MAX_S))
            failures.fail(failure, protected, traffic)
            if not protected:
                attend(traffic, UNPROTECTED_PAUSE_S)
        attend(traffic, settings.settle_s)
        say("stopping the traffic and counting")
        figures, status = traffic.stop(), box.status()
        failures.end_box()
        return RunResult(protected, pipeline, figures, failures.outcomes, status)


class Failures:
    """A run's failures. A few crash points are only reached while a box starts or ends: those come
    before and behind the traffic."""

    def __init__(self, box: LabBox, planned: Sequence[Kind], say: Say) -> None:
        self.box = box
        self.planned = planned
        self.say = say
        self.outcomes: list[Outcome] = []

    def _with(self, *moments: When) -> list[CrashPoint]:
        points = [failure for failure in self.planned if isinstance(failure, CrashPoint)]
        return [point for point in points if point.when in moments]

    def start_box(self) -> None:
        points = self._with(When.START)
        if not points:
            self.box.start()
        for number, point in enumerate(points):
            if number > 0:
                self.box.stop()
            self._add(fail_at_start(self.box, point))

    def under_traffic(self) -> list[Kind]:
        others = self._with(When.START, When.END)
        return [failure for failure in self.planned if failure not in others]

    def fail(self, failure: Kind, protected: bool, traffic: Traffic) -> None:
        if isinstance(failure, CrashPoint):
            self._add(Crasher(self.box, traffic.attend).fail(failure))
        else:
            self._add(Injector(self.box, protected, traffic.attend).fail(failure))

    def end_box(self) -> None:
        for point in self._with(When.END):
            self._add(Crasher(self.box, has_traffic=False).fail(point))

    def _add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        number, times = len(self.outcomes), len(self.planned)
        self.say(f"failure {number}/{times}: {outcome.failure.value}: {_summary(outcome)}")


def attend(traffic: Traffic, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        traffic.attend()
        time.sleep(min(0.1, left))


def _summary(outcome: Outcome) -> str:
    parts = []
    for name, moment in (
        ("detected", "detected_ns"),
        ("first packet", "first_output_ns"),
        ("protected again", "protected_again_ns"),
    ):
        milliseconds = outcome.milliseconds_until(moment)
        if milliseconds is not None:
            parts.append(f"{name} after {milliseconds:.1f} ms")
    if outcome.fenced:
        parts.append("the old master found itself fenced")
    return ", ".join([*parts, *outcome.problems])
