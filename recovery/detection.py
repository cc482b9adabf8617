# SPDX-License-Identifier: BSD-3-Clause
"""Noticing a failure: a dead process is marked by the kernel, a hung one stops its heartbeat.

The mark comes at once (native/host/pages.h), the socket's hang-up later. A heartbeat is one number
a worker thread, raised at every round of its loop: a single worker caught in an endless one is
noticed too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftmb._native.logger import Logger

LOG_FILL_MAX = 0.75


def logs_are_filling(logger: Logger) -> bool:
    """Whether arrivals would soon be dropped since a log is kept for somebody."""
    for worker in range(logger.settings.workers):
        queue = logger.queue_counts(worker)
        for log in ("input", "access"):
            if queue[f"{log}_fill"] > LOG_FILL_MAX * queue[f"{log}_size"]:
                return True
    return False


class HeartbeatWatch:
    """Watches one process's heartbeats; all times are seconds of the monotonic clock.

    Stillness counts as long as it was watched: of a time in which the watcher itself was held up
    no more than a quarter of the bound does, since a machine that stood still as a whole is no
    failed master.
    """

    def __init__(self, bound: float, now: float) -> None:
        self.bound = bound
        self._seen: list[int] = []
        self._still: list[float] = []  # for how long each worker was seen not to beat
        self._last_look = now

    def is_hung(self, now: float, heartbeats: Sequence[int]) -> bool:
        """Whether a worker has shown no sign of life for longer than the bound."""
        watched = min(now - self._last_look, self.bound / 4)
        self._last_look = now
        if len(self._seen) != len(heartbeats):
            self._seen = list(heartbeats)
            self._still = [0.0] * len(heartbeats)
            return False
        for worker, beat in enumerate(heartbeats):
            is_beating = beat != self._seen[worker]
            self._still[worker] = 0.0 if is_beating else self._still[worker] + watched
            self._seen[worker] = beat
        return any(still >= self.bound for still in self._still)
