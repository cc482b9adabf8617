# SPDX-License-Identifier: BSD-3-Clause
"""Makes processes of a box die at crash points, and looks what the box makes of it.

Each point is armed while the box is whole (protected, with a spare), then what gets there is
provoked (`When`). An orchestrator that has died is first left dead while the master is failed too:
nothing of a failover may wait for it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ftmb.crash_points import CrashPoint, When
from ftmb.drill.box import LabBox, RunningBox, Status
from ftmb.drill.failures import (
    FAILOVER_PATIENCE_S,
    POLL_S,
    PROTECTION_PATIENCE_S,
    Outcome,
    observe,
)
from ftmb.errors import FtmbError, StartError

REACHED_PATIENCE_S = 20.0
PROVOKED_BY = {When.FAILOVER: "master", When.SNAPSHOT: "standby"}
CHILD = "master-snapshot-child"  # whose death ends the spare that was to load what it wrote


class NotReachedError(FtmbError):
    """A crash point was armed, and nothing came there."""


def _spares(status: Status) -> list[dict[str, Any]]:
    return [spare for spare in status["spares"] if spare["stage"] == "prepared"]


def _is_whole(status: Status) -> bool:
    return bool(status["state"] == "protected" and _spares(status))


def _pid(status: Status, role: str) -> int:
    process = _spares(status)[0] if role == "spare" else status["processes"][role]
    return int(process["pid"])


def _in_use(status: Status) -> set[int]:
    replicas = (status["processes"]["master"], status["processes"]["standby"])
    return {replica["pid"] for replica in replicas if replica}


def _is_alone(status: Status) -> bool:
    return status["processes"]["orchestrator"]["pid"] is None


class Crasher:
    """`has_traffic`: whether a first packet of each new master must come."""

    def __init__(
        self,
        box: RunningBox,
        attend: Callable[[], None] = lambda: None,
        has_traffic: bool = True,
    ) -> None:
        self.box = box
        self.attend = attend
        self.has_traffic = has_traffic

    def fail(self, point: CrashPoint) -> Outcome:
        """The whole of it, up to a box that is protected again."""
        before = self._await(_is_whole, f"the box was not whole before {point.name}")
        if point.when is When.END:
            return self._fail_at_end(point)
        if point.role == "orchestrator":
            return self._fail_orchestrator(point)
        return self._fail_replica(point, before)

    def _await(self, enough: Callable[[Status], bool], otherwise: str) -> Status:
        observed = observe(self.box, self.attend, enough, PROTECTION_PATIENCE_S)
        if observed is None:
            raise FtmbError(f"{otherwise}, within {PROTECTION_PATIENCE_S:.0f} s")
        return observed

    # Master, standby, spare

    def _fail_replica(self, point: CrashPoint, before: Status) -> Outcome:
        dying = _pid(before, "spare" if point.name == CHILD else point.role)
        gone = {dying}
        with self._dying_at(point, dying):
            outcome = Outcome(point, time.monotonic_ns(), self.box.crash_at(point.name))
            if point.when is not When.TRAFFIC:
                self._await_armed(point)
                outcome.at_ns = time.monotonic_ns()
                gone.add(self._kill(before, PROVOKED_BY[point.when]))
        self._await_recovery(outcome, before, gone, _failovers_of(point))
        return outcome

    def _await_armed(self, point: CrashPoint) -> None:
        def is_armed(status: Status) -> bool:
            replicas = [*status["processes"].values(), *status["spares"]]
            return any(replica and replica.get("crash_at") == point.name for replica in replicas)

        self._await(is_armed, f"nobody was armed for {point.name}")

    @staticmethod
    def _kill(status: Status, role: str) -> int:
        pid = _pid(status, role)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextmanager
    def _dying_at(self, point: CrashPoint, pid: int) -> Iterator[None]:
        """What is done inside makes this process end; nothing stays armed when it does not."""
        descriptor = os.pidfd_open(pid)
        try:
            yield
            deadline = time.monotonic() + REACHED_PATIENCE_S
            while not select.select([descriptor], [], [], POLL_S)[0]:
                self.attend()
                if time.monotonic() > deadline:
                    self.box.disarm()
                    raise NotReachedError(
                        f"nothing came to {point.name} within {REACHED_PATIENCE_S:.0f} s; "
                        f"what gets there: {point.when.value}"
                    )
        finally:
            os.close(descriptor)

    def _await_recovery(
        self, outcome: Outcome, before: Status, gone: set[int], failovers: int
    ) -> None:
        def recovered(status: Status) -> bool:
            if status["state"] != "protected" or gone & _in_use(status):
                return False
            has_failed_over = status["failover_count"] >= before["failover_count"] + failovers
            return has_failed_over and (not failovers or self._is_complete(status))

        observed = observe(self.box, self.attend, recovered, PROTECTION_PATIENCE_S)
        if observed is None:
            outcome.problems.append(f"not protected again within {PROTECTION_PATIENCE_S:.0f} s")
            observed = self.box.status()
        outcome.recovered_ns = time.monotonic_ns()
        if failovers and observed["failovers"]:
            outcome.failover = dict(observed["failovers"][-1])
        _judge(outcome, before, observed, failovers)

    def _is_complete(self, status: Status) -> bool:
        last = status["failovers"][-1]
        wanted = ["protected_again_ns", *(["first_output_ns"] if self.has_traffic else [])]
        return all(last[moment] is not None for moment in wanted)

    # The orchestrator

    def _fail_orchestrator(self, point: CrashPoint) -> Outcome:
        outcome = Outcome(point, time.monotonic_ns(), 0)
        self._lose_orchestrator()
        try:
            self.box.start_again(crash_at=point.name)
        except StartError:  # it came there before it could say that the box is protected
            if not _is_alone(self.box.status()):
                raise
        else:
            self._await_its_end(point)
        before = self._await(
            lambda status: status["state"] == "protected" and _is_alone(status),
            f"the box did not stay protected without the orchestrator after {point.name}",
        )
        outcome.at_ns = time.monotonic_ns()
        outcome.pid = self._kill(before, "master")
        self._await_failover(outcome, before)
        self.box.start_again()
        self._await_recovery(outcome, before, {outcome.pid}, 1)
        return outcome

    def _lose_orchestrator(self) -> None:
        if not _is_alone(status := self.box.status()):
            self._kill(status, "orchestrator")
        self._await(_is_alone, "the box did not notice that its orchestrator died")

    def _await_its_end(self, point: CrashPoint) -> None:
        """What it does is provoked: spares fail, first the one that was there before it, then one
        that it has started itself."""
        deadline = time.monotonic() + REACHED_PATIENCE_S
        if point.when is When.LOG:
            self.box.lengthen_log()
        while not _is_alone(status := self.box.status()):
            if time.monotonic() > deadline or point.when is When.ATTACH:
                raise NotReachedError(
                    f"the orchestrator did not come to {point.name}; "
                    f"what gets there: {point.when.value}"
                )
            if point.when is When.SPAWN and _is_whole(status):
                self._kill(status, "spare")
            self.attend()
            time.sleep(POLL_S)

    def _await_failover(self, outcome: Outcome, before: Status) -> None:
        def live(status: Status) -> bool:
            return bool(status["failover_count"] > before["failover_count"])

        if observe(self.box, self.attend, live, FAILOVER_PATIENCE_S) is None:
            outcome.problems.append("no failover without the orchestrator")

    def _fail_at_end(self, point: CrashPoint) -> Outcome:
        """Told to end the box it dies on the way; whatever is left must not be in the way."""
        self._lose_orchestrator()
        self.box.start_again(crash_at=point.name)
        outcome = Outcome(point, time.monotonic_ns(), _pid(self.box.status(), "orchestrator"))
        with self._dying_at(point, outcome.pid):
            os.kill(outcome.pid, signal.SIGTERM)
        self.box.start_again()
        self._await(_is_whole, f"the box was not whole again after {point.name}")
        outcome.recovered_ns = time.monotonic_ns()
        return outcome


def fail_at_start(box: LabBox, point: CrashPoint) -> Outcome:
    """The box's first start ends with its orchestrator; the next one goes on where that was."""
    try:
        box.start(crash_at=point.name)
    except StartError:
        outcome = Outcome(point, time.monotonic_ns(), 0)
        box.start()
        outcome.recovered_ns = time.monotonic_ns()
        return outcome
    raise NotReachedError(f"the orchestrator did not come to {point.name}")


def _failovers_of(point: CrashPoint) -> int:
    """How many masters end: the one that is armed, or the one before it too."""
    if point.when is When.FAILOVER:
        return 2
    if point.when is When.SNAPSHOT:
        return int(point.loses_state)
    return int(point.role == "master")


def _judge(outcome: Outcome, before: Status, after: Status, failovers: int) -> None:
    found = after["failover_count"] - before["failover_count"]
    if found != failovers:
        outcome.problems.append(f"{found} failovers in the place of {failovers}")
    lost = after["state_losses"] - before["state_losses"]
    if lost > outcome.loses_state:
        outcome.problems.append("state was lost")
    if lost < outcome.loses_state:
        outcome.problems.append("the box did not say that its state was lost")
