# SPDX-License-Identifier: BSD-3-Clause
"""One run of the drill: the lab, the box in it, the traffic through it, the failures."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ftmb.drill.box import LabBox, Status
from ftmb.drill.failures import Injector, Outcome, plan
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
    figures: Figures
    outcomes: list[Outcome]
    status: Status


def run(settings: DrillSettings, protected: bool, times: int, say: Say) -> RunResult:
    chance = random.Random(f"{settings.seed}/{protected}")
    protection = "standby" if protected else "none"
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="ftmb-drill-")))
        exits.enter_context(long_backlog())
        lab = exits.enter_context(Lab("drill"))
        box = LabBox(lab, protection)
        say(f"starting the NAT, protection: {protection}")
        exits.callback(box.stop)
        box.start()
        traffic = Traffic(Place(lab, settings, folder))
        say(
            f"traffic: {settings.connections} interactive connections, {settings.tcp_streams} "
            f"iperf3 streams, {settings.downloads} downloads, ping, {settings.udp_rate:,} "
            "datagrams a second"
        )
        traffic.start()
        _attend(traffic, settings.warm_up_s)
        injector = Injector(box, protected, traffic.attend)
        outcomes = []
        for number, failure in enumerate(plan(settings.failures, times, chance), 1):
            _attend(traffic, chance.uniform(PAUSE_MIN_S, PAUSE_MAX_S))
            outcome = injector.fail(failure)
            outcomes.append(outcome)
            say(f"failure {number}/{times}: {failure.value}: {_summary(outcome)}")
            if not protected:
                _attend(traffic, UNPROTECTED_PAUSE_S)
        _attend(traffic, settings.settle_s)
        say("stopping the traffic and counting")
        figures = traffic.stop()
        return RunResult(protected, figures, outcomes, box.status())


def _attend(traffic: Traffic, seconds: float) -> None:
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
