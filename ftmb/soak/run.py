# SPDX-License-Identifier: BSD-3-Clause
"""One soak: the lab, a protected box, traffic, and failures of all kinds until the time is up."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ftmb.crash_points import CrashPoint, When, all_points
from ftmb.drill.box import LabBox, Status
from ftmb.drill.crashes import Crasher
from ftmb.drill.failures import PROTECTION_PATIENCE_S, Injector, Outcome, observe
from ftmb.drill.pipelines import NAT
from ftmb.drill.run import RunResult, Say, attend
from ftmb.drill.settings import DrillSettings, Failure
from ftmb.drill.workload import Traffic
from ftmb.drill.workload.base import Place
from ftmb.errors import FtmbError
from ftmb.lab import Lab
from ftmb.lab.tuning import long_backlog
from ftmb.soak.growth import PROCESSES, Sample, take_sample

PAUSE_MIN_S, PAUSE_MAX_S = 0.2, 2.0


@dataclass(frozen=True)
class SoakSettings:
    """`minutes` of failures under the traffic of `traffic`."""

    minutes: float
    seed: int
    output: Path
    traffic: DrillSettings


@dataclass(frozen=True)
class Blow:
    """A kind of failure: a signal to a process, or a crash point of one."""

    victim: str
    failure: Failure | CrashPoint

    @property
    def name(self) -> str:
        if isinstance(self.failure, CrashPoint):
            return self.failure.name
        return f"{self.victim} SIG{self.failure.name}"


@dataclass(frozen=True)
class SoakResult:
    run: RunResult
    blows: list[Blow]
    samples: list[Sample]
    seconds: float


def all_blows() -> list[Blow]:
    """Every kind that leaves a box with its state, beginning and ending apart."""
    signals = [
        *(Blow("master", failure) for failure in Failure),
        Blow("standby", Failure.KILL),
        Blow("standby", Failure.STOP),
    ]
    points = [
        Blow(point.role, point)
        for point in all_points().values()
        if not point.loses_state and point.when not in (When.START, When.END)
    ]
    # Signals come as often as points: they strike anywhere.
    return signals * (len(points) // len(signals)) + points


def soak(settings: SoakSettings, say: Say) -> SoakResult:
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="ftmb-soak-")))
        exits.enter_context(long_backlog())
        lab = exits.enter_context(Lab("soak"))
        box = LabBox(lab, "standby", shares_state=True)
        say("starting the NAT")
        exits.callback(box.stop)
        box.start()
        traffic = Traffic(Place(lab, settings.traffic, folder))
        traffic.start()
        attend(traffic, settings.traffic.warm_up_s)
        soaking = _Soaking(box, traffic, settings, say)
        soaking.go_on()
        attend(traffic, settings.traffic.settle_s)
        say("stopping the traffic and counting")
        figures, status = traffic.stop(), box.status()
        return SoakResult(
            RunResult(True, NAT, figures, soaking.outcomes, status),
            soaking.blows,
            soaking.samples,
            time.monotonic() - soaking.begun,
        )


class _Soaking:
    """The part under traffic."""

    def __init__(self, box: LabBox, traffic: Traffic, settings: SoakSettings, say: Say) -> None:
        self.box = box
        self.traffic = traffic
        self.say = say
        self.chance = random.Random(settings.seed)
        self.begun = time.monotonic()
        self.deadline = self.begun + settings.minutes * 60
        self.outcomes: list[Outcome] = []
        self.blows: list[Blow] = []
        self.samples: list[Sample] = []

    def go_on(self) -> None:
        kinds = all_blows()
        planned: list[Blow] = []
        self._sample()
        while time.monotonic() < self.deadline:
            planned = planned or self.chance.sample(kinds, len(kinds))
            attend(self.traffic, self.chance.uniform(PAUSE_MIN_S, PAUSE_MAX_S))
            self._strike(planned.pop())
            self._sample()

    def _strike(self, blow: Blow) -> None:
        at_ns = time.monotonic_ns()
        try:
            if isinstance(blow.failure, CrashPoint):
                outcome = Crasher(self.box, self.traffic.attend).fail(blow.failure)
            else:
                injector = Injector(self.box, True, self.traffic.attend, victim=blow.victim)
                outcome = injector.fail(blow.failure)
        except FtmbError as error:  # a long soak does not end over one failure; it is told
            outcome = Outcome(blow.failure, at_ns, 0, problems=[str(error)])
        self.blows.append(blow)
        self.outcomes.append(outcome)
        left = max(0.0, self.deadline - time.monotonic())
        problems = f": {', '.join(outcome.problems)}" if outcome.problems else ""
        self.say(f"failure {len(self.outcomes)}, {left / 60:.1f} min left: {blow.name}{problems}")

    def _sample(self) -> None:
        status = self._when_whole()
        pids = {name: int(status["processes"][name]["pid"]) for name in PROCESSES}
        count = self._count(status)
        self.samples.append(take_sample(pids, self.begun, len(self.outcomes), processes=count))

    def _when_whole(self) -> Status:
        def is_whole(status: Status) -> bool:
            stages = [spare["stage"] for spare in status["spares"]]
            is_alone = not status["fenced"] and status["replicas_expected"] == 0
            has_orchestrator = status["processes"]["orchestrator"]["pid"] is not None
            is_spared = stages != [] and set(stages) == {"prepared"}
            return status["state"] == "protected" and is_spared and has_orchestrator and is_alone

        found = observe(self.box, self.traffic.attend, is_whole, PROTECTION_PATIENCE_S)
        if found is None:
            raise FtmbError(f"the box was not whole again within {PROTECTION_PATIENCE_S:.0f} s")
        return found

    @staticmethod
    def _count(status: Status) -> int:
        roles = [process for process in status["processes"].values() if process]
        return len(roles) + len(status["spares"]) + len(status["fenced"])
