# SPDX-License-Identifier: BSD-3-Clause
"""Protection by checkpoints, as Remus does it: the alternative that ftmb is compared with.

The master is forked every interval, output is held until the snapshot is complete, and what takes
over begins from the last complete one. Nothing is replayed: the new master executes the input
since then again, none of whose output had left.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftmb.recovery.replicas import Snapshot

if TYPE_CHECKING:
    from ftmb.recovery.replicas import ReplicaHandle

    from ftmb._native.logger import Logger

PATIENCE_S = 30.0  # for one checkpoint; then another is begun


@dataclass
class Checkpoints:
    """The last complete one, and the one that is being written. `interval` is seconds."""

    logger: Logger
    interval: float
    last: Snapshot | None = None
    next: Snapshot | None = None
    count: int = 0  # begun so far
    begun_at: float = 0.0

    def is_due(self) -> bool:
        """Whether the next one may begin: one at a time, one each interval at most."""
        now = time.monotonic()
        if self.next is not None:
            return now - self.begun_at > PATIENCE_S
        return now - self.begun_at >= self.interval

    def begin(self, master: ReplicaHandle) -> None:
        """Asks the master for one."""
        self.give_up()
        self.begun_at = time.monotonic()
        self.count += 1
        descriptor = os.memfd_create("ftmb-checkpoint", os.MFD_CLOEXEC)
        self.next = Snapshot(descriptor, self.count)
        master.send({"kind": "snapshot", "epoch": self.count}, [descriptor])

    def done(self, number: int, ok: bool, records: list[int]) -> bool:
        """The master has written it, or could not. Complete, it lets the output behind it go."""
        if self.next is None or self.next.epoch != number:
            return False
        if not ok or len(records) != self.logger.settings.workers:
            self.give_up()
            return False
        if self.last is not None:
            self.last.close()
        self.last, self.next = self.next, None
        self.logger.checkpoint(records)
        return True

    def give_up(self) -> None:
        """What is being written is nobody's any more."""
        if self.next is not None:
            self.next.close()
            self.next = None
