# SPDX-License-Identifier: BSD-3-Clause
"""A replica as the logger process sees it: its connection, its memory, and how far it is."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftmb.recovery.detection import HeartbeatWatch
from ftmb.recovery.plan import Replica, Stage

from ftmb.processes.messages import Channel, HungUp, Message

if TYPE_CHECKING:
    from ftmb._native.logger import Logger, Peer


@dataclass(frozen=True)
class Seat:
    """Where a replica's workers run, and what they do when there is nothing to do."""

    cores: list[int] | None  # None: anywhere
    idle: str


STAGE_PATIENCE_S = 10.0  # for what a replica owes: being prepared, being started


@dataclass(eq=False)
class ReplicaHandle:
    """One connected replica. Its peer memory is the logger process's and outlives it."""

    channel: Channel
    pid: int
    peer: Peer
    stage: Stage = Stage.PREPARING
    lost: str | None = None
    has_hung_up: bool = False
    stage_since: float = field(default_factory=time.monotonic)
    watch: HeartbeatWatch | None = None
    start_records: list[int] = field(default_factory=list)
    fenced_at: float | None = None
    seat: int = 0  # an index: the first master's, or the other
    armed: str | None = None  # the crash point at which it will die

    @property
    def epoch(self) -> int:
        return self.peer.epoch

    def view(self) -> Replica:
        """What a decision needs to know of it."""
        return Replica(self.epoch, self.stage, self.lost)

    def lose(self, cause: str) -> None:
        """The first cause stands."""
        self.lost = self.lost or cause

    def send(self, message: Message, descriptors: list[int] | None = None) -> None:
        """Sends; a replica that hangs up is lost, not an error."""
        try:
            self.channel.send(message, descriptors)
        except HungUp:
            self.lose("hangup")

    def dismiss(self) -> None:
        """It has no role any more: hanging up tells it to end."""
        self.peer.remove()
        self.channel.close()

    def enter(self, stage: Stage) -> None:
        """The next stage begins."""
        self.stage = stage
        self.stage_since = time.monotonic()

    def check(self, now: float, bound: float) -> None:
        """Loses the replica when a worker has stopped, its replay diverged, or it is stuck."""
        if self.lost is not None:
            return
        if self.stage is not Stage.STARTED:
            is_owing = self.stage in (Stage.PREPARING, Stage.STARTING)
            if is_owing and now - self.stage_since > STAGE_PATIENCE_S:
                self.lose("stuck")
            return
        if self.watch is None:
            self.watch = HeartbeatWatch(bound, now)
        self.watch.bound = bound
        if self.peer.phase() == "diverged":
            self.lose("diverged")
        elif self.watch.is_hung(now, self.peer.heartbeats()):
            self.lose("heartbeat")


class CatchUp:
    """Whether a standby is as far as the master was when it began: first the cut must reach the
    snapshot, then the replay what was committed by then."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self._target: list[int] | None = None

    def is_done(self, standby: ReplicaHandle | None) -> bool:
        """To be asked again and again, for the same standby."""
        if standby is None or standby.stage is not Stage.STARTED:
            return False
        if self._target is None:
            committed = self.logger.committed()
            pairs = zip(committed, standby.start_records, strict=True)
            if any(cut < start for cut, start in pairs):
                return False
            self._target = committed
        pairs = zip(standby.peer.replayed(), self._target, strict=True)
        return all(replayed >= target for replayed, target in pairs)


@dataclass
class Snapshot:
    """One on its way from the master to the standby whose epoch it carries."""

    descriptor: int
    epoch: int
    asked_at: float = field(default_factory=time.monotonic)
    is_complete: bool = False
    pause_ns: int | None = None

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
