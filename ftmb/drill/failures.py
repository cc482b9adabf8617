# SPDX-License-Identifier: BSD-3-Clause
"""Fails a process of the box and times what follows.

All times are of the machine's monotonic clock, so that the moment of the failure,
taken here, compares with the moments that the box reports.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftmb.crash_points import CrashPoint
from ftmb.drill.box import Box, Status
from ftmb.drill.settings import Failure
from ftmb.errors import FtmbError

POLL_S = 0.01
FAILOVER_PATIENCE_S = 15.0
PROTECTION_PATIENCE_S = 60.0
HELD_S = 0.3  # how long a stopped master stays stopped after the failover
FENCED_PATIENCE_S = 5.0
NOTICED_PATIENCE_S = 5.0
Kind = Failure | CrashPoint


def threads_of(pid: int) -> str:
    """What each thread of a process does: its name, its state, and where in the kernel it waits."""
    found = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        try:
            name = (task / "comm").read_text().strip()
            state = (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
            found.append(f"{name} {state} {(task / 'wchan').read_text()}")
        except OSError:
            continue
    return ", ".join(found) or "it has no threads any more"


@dataclass
class Outcome:
    """One failure and what the box made of it."""

    failure: Failure | CrashPoint
    at_ns: int
    pid: int
    failover: dict[str, Any] | None = None
    fenced: bool | None = None  # a stopped process: did it end once it was continued?
    recovered_ns: int | None = None  # when the drill saw that all was well again
    problems: list[str] = field(default_factory=list)

    @property
    def loses_state(self) -> bool:
        """Whether nobody but the failed process had the state."""
        return isinstance(self.failure, CrashPoint) and self.failure.loses_state

    def milliseconds_until(self, moment: str) -> float | None:
        value = (self.failover or {}).get(moment)
        if self.failover is None and moment == "protected_again_ns":
            value = self.recovered_ns  # a standby's failure is no failover: only the drill saw it
        return None if value is None else round((value - self.at_ns) / 1e6, 3)


def observe(
    box: Box, attend: Callable[[], None], enough: Callable[[Status], bool], patience_s: float
) -> Status | None:
    """Polls the status until `enough`; None when that does not come in time."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            observed = box.status()
            if enough(observed):
                return observed
        except (FtmbError, OSError):
            if time.monotonic() + POLL_S >= deadline:
                raise
        attend()
        time.sleep(POLL_S)
    return None


class Injector:
    """`protected` says whether the box is expected to get its protection back, `has_traffic`
    whether a first packet of the new master must come."""

    def __init__(
        self,
        box: Box,
        protected: bool,
        attend: Callable[[], None] = lambda: None,
        victim: str = "master",
        has_traffic: bool = True,
    ) -> None:
        self.box = box
        self.protected = protected
        self.attend = attend
        self.victim = victim
        self.awaited = ["first_output_ns"] if has_traffic else []
        self.awaited += ["protected_again_ns"] if protected else []

    def fail(self, failure: Failure) -> Outcome:
        before = self.box.status()
        process = before["processes"].get(self.victim)
        if process is None:
            raise FtmbError(f"the box has no {self.victim} to fail; see: ftmb status")
        descriptor = os.pidfd_open(process["pid"])
        try:
            outcome = self._strike(failure, process["pid"], descriptor)
            if self.victim == "master":
                self._await_failover(outcome, len(before["failovers"]))
            if failure is Failure.STOP:
                self._continue(outcome, descriptor)
            self._await_recovery(outcome, len(before["failovers"]), process["pid"])
            return outcome
        finally:
            _send(descriptor, signal.SIGCONT)
            os.close(descriptor)

    def _strike(self, failure: Failure, pid: int, descriptor: int) -> Outcome:
        outcome = Outcome(failure, time.monotonic_ns(), pid)
        if failure is Failure.SEGV and self.victim == "master":
            self.box.crash_at("master-in-element")
        else:
            _send(descriptor, getattr(signal, f"SIG{failure.name}"))
        return outcome

    def _observe(self, enough: Callable[[Status], bool], patience_s: float) -> Status | None:
        return observe(self.box, self.attend, enough, patience_s)

    def _await_failover(self, outcome: Outcome, number: int) -> None:
        def live(observed: Status) -> bool:
            failovers = observed["failovers"]
            return len(failovers) > number and failovers[number]["live_ns"] is not None

        if self._observe(live, FAILOVER_PATIENCE_S) is None:
            outcome.problems.append(f"no new master within {FAILOVER_PATIENCE_S:.0f} s")

    def _continue(self, outcome: Outcome, descriptor: int) -> None:
        """A hung process comes back: it must find that it has been replaced, and end."""
        if self.victim == "master":
            time.sleep(HELD_S)
        elif self._observe(self._is_replaced(outcome.pid), NOTICED_PATIENCE_S) is None:
            outcome.problems.append(f"a hung {self.victim} was not noticed")
        _send(descriptor, signal.SIGCONT)
        ended, _, _ = select.select([descriptor], [], [], FENCED_PATIENCE_S)
        outcome.fenced = bool(ended)
        if not ended:
            doing = threads_of(outcome.pid)
            outcome.problems.append(f"the continued {self.victim} did not end: {doing}")

    def _is_replaced(self, pid: int) -> Callable[[Status], bool]:
        def replaced(observed: Status) -> bool:
            process = observed["processes"].get(self.victim)
            return process is None or process["pid"] != pid

        return replaced

    def _is_complete(self, observed: Status, number: int) -> bool:
        failovers = observed["failovers"]
        return len(failovers) > number and all(
            failovers[number][moment] is not None for moment in self.awaited
        )

    def _await_recovery(self, outcome: Outcome, number: int, pid: int) -> None:
        def recovered(observed: Status) -> bool:
            if self.victim == "master" and not self._is_complete(observed, number):
                return False
            if self.protected and observed["processes"].get(self.victim) is None:
                return False
            settled = observed["state"] == ("protected" if self.protected else "unprotected")
            return settled and (outcome.fenced is False or self._is_replaced(pid)(observed))

        observed = self._observe(recovered, PROTECTION_PATIENCE_S)
        if observed is not None:
            outcome.recovered_ns = time.monotonic_ns()
        else:
            state = "protected" if self.protected else "running"
            outcome.problems.append(f"not {state} again within {PROTECTION_PATIENCE_S:.0f} s")
            observed = self.box.status()
        if self.victim == "master" and len(observed["failovers"]) > number:
            outcome.failover = dict(observed["failovers"][number])
            if self.protected and outcome.failover["lost_state"]:
                outcome.problems.append("state was lost")


def _send(descriptor: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass


def plan(failures: Sequence[Kind], times: int, chance: random.Random) -> list[Kind]:
    """`times` failures, each kind as often as the others, in random order."""
    planned = [failures[index % len(failures)] for index in range(times)]
    chance.shuffle(planned)
    return planned
