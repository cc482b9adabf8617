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

from ftmb.processes.journal import note

if TYPE_CHECKING:
    from ftmb.recovery.replicas import ReplicaHandle

    from ftmb._native.logger import Logger

PATIENCE_S = 10.0  # without a complete one; then the master counts as hung
RETURNS_MAX = 3  # to the same one: who cannot live on from it never will


@dataclass
class Checkpoints:
    """The last complete one, and the one that is being written. `interval` is seconds."""

    logger: Logger
    interval: float
    last: Snapshot | None = None
    next: Snapshot | None = None
    count: int = 0  # begun so far
    begun_at: float = 0.0
    waits_since: float | None = None  # for one to be complete
    returns: int = 0  # to the last one

    def is_usable(self) -> bool:
        """Whether a failed master can be brought back from one."""
        return self.last is not None and self.returns < RETURNS_MAX

    def is_due(self) -> bool:
        """Whether the next one may begin: one at a time, one each interval at most."""
        return self.next is None and time.monotonic() - self.begun_at >= self.interval

    def is_overdue(self) -> bool:
        """Whether the master has been asked for so long that nothing will come."""
        return self.waits_since is not None and time.monotonic() - self.waits_since > PATIENCE_S

    def begin(self, master: ReplicaHandle) -> None:
        """Asks the master for one."""
        self.begun_at = time.monotonic()
        self.waits_since = self.waits_since or self.begun_at
        self.count += 1
        try:
            descriptor = os.memfd_create("ftmb-checkpoint", os.MFD_CLOEXEC)
        except OSError as error:
            note("no checkpoint", reason=str(error), severity="warning")
            return
        self.next = Snapshot(descriptor, self.count)
        master.send({"kind": "snapshot", "epoch": self.count}, [descriptor])

    def done(self, sender: ReplicaHandle, number: int, ok: bool, records: list[int]) -> bool:
        """The master has written it, or could not. Complete, it lets the output behind it go."""
        if self.next is None or self.next.epoch != number:
            return False
        if not ok or len(records) != self.logger.settings.workers:
            self._drop_next()
            return False
        if not self.logger.checkpoint(records):
            sender.lose("a checkpoint that cannot be")
            return False
        self._drop_last()
        self.last, self.next = self.next, None
        self.waits_since, self.returns = None, 0
        return True

    def go_back(self) -> bool:
        """The master is gone, and what it was writing nobody's any more. False: there is none to
        go back to, or nobody could live on from it."""
        self._drop_next()
        self.waits_since = None
        self.returns += 1
        if self.is_usable():
            return True
        self._drop_last()
        return False

    def refuses(self, records: list[int]) -> bool:
        """Whether what loaded the last one is not where the cut is: then there is no last one."""
        if self.last is None or records == self.logger.committed():
            return False
        self._drop_last()
        return True

    def _drop_next(self) -> None:
        if self.next is not None:
            self.next.close()
            self.next = None

    def _drop_last(self) -> None:
        if self.last is not None:
            self.last.close()
            self.last = None
        self.returns = 0
