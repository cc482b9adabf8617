# SPDX-License-Identifier: BSD-3-Clause
"""A replica as the logger process sees it: its connection, its memory, and how far it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftmb.recovery.detection import HeartbeatWatch
from ftmb.recovery.plan import Replica, Stage

from ftmb.processes.messages import Channel, HungUp, Message

if TYPE_CHECKING:
    from ftmb._native.logger import Peer


@dataclass(eq=False)
class ReplicaHandle:
    """One connected replica. Its peer memory is the logger process's and outlives it."""

    channel: Channel
    pid: int
    peer: Peer
    stage: Stage = Stage.PREPARING
    lost: str | None = None
    watch: HeartbeatWatch | None = None
    start_records: list[int] = field(default_factory=list)
    fenced_at: float | None = None
    core_set: int = 0

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

    def check_heartbeat(self, now: float, bound: float) -> None:
        """Loses the replica when a worker has stopped, or when its replay diverged."""
        if self.stage is not Stage.STARTED or self.lost is not None:
            return
        if self.watch is None:
            self.watch = HeartbeatWatch(bound, now)
        if self.peer.phase() == "diverged":
            self.lose("diverged")
        elif self.watch.is_hung(now, self.peer.heartbeats()):
            self.lose("heartbeat")


@dataclass
class Snapshot:
    """One on its way from the master to the standby."""

    descriptor: int
    is_complete: bool = False
    pause_ns: int | None = None

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
