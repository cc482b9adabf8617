# SPDX-License-Identifier: BSD-3-Clause
"""The orchestrator as the logger process sees it: who brings replicas, and ends what stays.

It may be gone, and another one may come; nothing of what happens meanwhile needs it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ftmb.processes.journal import note
from ftmb.processes.messages import Channel, HungUp, Message

if TYPE_CHECKING:
    from ftmb.recovery.protection import Protection

REPLICAS_WANTED = 3  # master, standby, and a spare that is ready to become the next standby
SPAWN_PATIENCE_S = 10.0
FENCED_PATIENCE_S = 10.0  # a fenced replica that has not ended by then is killed


class OrchestratorLink:
    """The present orchestrator, if there is one, and what it was asked for."""

    def __init__(self, protection: Protection) -> None:
        self.protection = protection
        self.channel: Channel | None = None
        self.pid: int | None = None
        self.spawning: list[float] = []  # when each replica on its way was asked for
        self.is_awaited = False  # one of them, as the orchestrator was told

    def attach(self, channel: Channel, pid: int) -> None:
        """It says that it is there."""
        self.channel, self.pid = channel, pid
        self.spawning = []

    def detach(self, channel: Channel) -> None:
        """Somebody hung up, perhaps the orchestrator."""
        if channel is self.channel:
            self.channel = self.pid = None
            note("orchestrator gone", effect="no new standby until it is started again")

    def tell(self, message: Message) -> None:
        """What it does not hear it will be told again, or is told by its absence."""
        if self.channel is not None:
            try:
                self.channel.send(message)
            except HungUp:
                pass  # its hang-up is on its way

    def one_less_on_its_way(self) -> None:
        """A replica has arrived, or will not."""
        self.spawning = self.spawning[1:]

    def ask_for_replicas(self) -> None:
        """Says how many are missing, and whether packets are unprotected meanwhile."""
        now = time.monotonic()
        self.spawning = [since for since in self.spawning if now - since < SPAWN_PATIENCE_S]
        wanted = REPLICAS_WANTED if self.protection.wants_standby else 1
        missing = wanted - len(self.protection.alive()) - len(self.spawning)
        is_awaited = self.protection.awaits_replica()
        is_news = missing > 0 or is_awaited != self.is_awaited
        if is_news and self.channel is not None:
            self.tell({"kind": "spawn", "count": max(0, missing), "awaited": is_awaited})
            self.spawning += [now] * missing
            self.is_awaited = is_awaited

    def kill_what_stays(self) -> None:
        """A fenced replica does no harm, but a hung one would keep its memory for ever. Who is
        asked to kill it may die first, so it is asked again, and nobody when nobody is there."""
        now = time.monotonic()
        for replica in self.protection.fenced if self.channel is not None else ():
            if replica.fenced_at is not None and now - replica.fenced_at > FENCED_PATIENCE_S:
                replica.fenced_at = now
                self.tell({"kind": "kill", "pid": replica.pid})
