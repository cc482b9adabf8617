# SPDX-License-Identifier: BSD-3-Clause
"""What a firewall must not let through, tried from both sides all the time.

What comes through is counted where it arrives, packet by packet. Attempts that the rules allow are
among them, since a trap that nothing can reach would prove nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ftmb import orchestrator
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host, Program

COUNTED_PATIENCE_S = 2.0
REASONS = ("rule", "default")  # for which the firewall drops what may not begin


@dataclass(frozen=True)
class Attempt:
    """`protocol`: "tcp" or "udp". `port` is of this attempt alone."""

    sender: Host | str
    receiver: Host | str
    protocol: str
    source: str
    target: str
    port: int
    is_allowed: bool = False
    arrives_at: str | None = None  # the receiver's own address, where the target is none of it

    @property
    def place(self) -> str:
        """Where its packets arrive, as trap and intruder name it."""
        return f"{self.protocol} {self.arrives_at or self.target} {self.port}"


@dataclass(frozen=True)
class DeniedFigures:
    tried: int
    passed: int
    passed_places: list[str]
    allowed_tried: int
    allowed_passed: int
    dropped: int | None  # by the firewall's own count; None: there is no count that lives on

    def report(self, moments: Moments) -> Report:
        return {
            "tried": self.tried,
            "passed": self.passed,
            "passed_places": self.passed_places,
            "allowed_tried": self.allowed_tried,
            "allowed_passed": self.allowed_passed,
            "dropped": self.dropped,
            "dropped_off": 0 if self.dropped is None else abs(self.dropped - self.tried),
        }


class Denied(Part):
    section = Section(
        "denied",
        (
            Row("forbidden attempts", ("denied", "tried")),
            Row("forbidden attempts that passed", ("denied", "passed"), must_be_zero=True),
        ),
        (
            Guarantee(("denied", "passed"), "packets passed that the rules forbid"),
            Guarantee(("denied", "dropped_off"), "forbidden packets were not counted once", True),
        ),
        (("denied", "tried"), ("denied", "allowed_passed")),
    )

    def __init__(self, place: Place, attempts: Sequence[Attempt]) -> None:
        super().__init__(place)
        self.attempts = attempts
        receivers = dict.fromkeys(each.receiver for each in attempts)
        self.traps = {
            f"trap-{number}": self._run_trap(f"trap-{number}", host)
            for number, host in enumerate(receivers)
        }
        self.intruders: dict[str, Program] = {}

    def _run_trap(self, name: str, host: Host | str) -> Program:
        words = [
            word
            for each in self.attempts
            if each.receiver == host
            for word in ("--at", *each.place.split())
        ]
        return self._run(host, "trap", name, words)

    def _run_intruder(self, name: str, host: Host | str) -> Program:
        words = [
            word
            for each in self.attempts
            if each.sender == host
            for word in ("--try", each.source, each.target, *each.place.split())
        ]
        return self._run(host, "intruder", name, words)

    def _run(self, host: Host | str, module: str, name: str, words: Sequence[str]) -> Program:
        result = str(self.place.folder / name)
        return self.place.run_traffic(host, module, *words, "--result", result)

    def describe(self) -> str:
        return f"{len(self.attempts)} kinds of attempts, most of them forbidden"

    def start(self) -> None:
        for trap in self.traps.values():
            trap.wait_ready()
        self.dropped_before = self._dropped()
        for number, host in enumerate(dict.fromkeys(each.sender for each in self.attempts)):
            name = f"intruder-{number}"
            self.intruders[name] = self._run_intruder(name, host)

    def stop(self) -> DeniedFigures:
        for program in (*self.intruders.values(), *self.traps.values()):
            program.stop()
        tried = self._sum("tried", self.intruders)
        came = self._sum("came", self.traps)
        allowed = {each.place for each in self.attempts if each.is_allowed}
        forbidden = sum(count for place, count in tried.items() if place not in allowed)
        return DeniedFigures(
            tried=forbidden,
            passed=sum(count for place, count in came.items() if place not in allowed),
            passed_places=sorted(came.keys() - allowed),
            allowed_tried=sum(tried[place] for place in allowed),
            allowed_passed=sum(came[place] for place in allowed),
            dropped=self._await_dropped(forbidden),
        )

    def _dropped(self) -> int | None:
        if self.place.box_name is None:
            return None
        counts = orchestrator.status(self.place.box_name)["drops"].get("firewall", {})
        return sum(counts.get(reason, 0) for reason in REASONS)

    def _await_dropped(self, expected: int) -> int | None:
        """The last of them may still be under way."""
        deadline = time.monotonic() + COUNTED_PATIENCE_S
        while True:
            found = self._dropped()
            if found is None or self.dropped_before is None:
                return None
            if found - self.dropped_before >= expected or time.monotonic() > deadline:
                return found - self.dropped_before
            time.sleep(0.1)

    def _sum(self, figure: str, programs: dict[str, Program]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for name, program in programs.items():
            counts.update(self.place.figures(name, program)[figure])
        return counts
