# SPDX-License-Identifier: BSD-3-Clause
"""Noticing a failure: a dead process hangs up its socket, a hung one stops its heartbeat.

Hang-up is the kernel's word and comes at once. A heartbeat is one number a worker thread, raised
at every round of its loop, so that a single worker caught in an endless loop is noticed too.
"""

from __future__ import annotations

from collections.abc import Sequence


class HeartbeatWatch:
    """Watches one process's heartbeats; all times are seconds of the monotonic clock.

    If the watcher itself was held up for longer than half the bound, nothing is concluded from
    that time: a machine that stood still as a whole is no failed master.
    """

    def __init__(self, bound: float, now: float) -> None:
        self.bound = bound
        self._seen: list[int] = []
        self._changed: list[float] = []
        self._last_look = now

    def is_hung(self, now: float, heartbeats: Sequence[int]) -> bool:
        """Whether a worker has shown no sign of life for longer than the bound."""
        pause = now - self._last_look
        self._last_look = now
        if len(self._seen) != len(heartbeats) or pause > self.bound / 2:
            self._seen = list(heartbeats)
            self._changed = [now] * len(heartbeats)
            return False
        for worker, beat in enumerate(heartbeats):
            if beat != self._seen[worker]:
                self._seen[worker] = beat
                self._changed[worker] = now
        return any(now - changed > self.bound for changed in self._changed)
