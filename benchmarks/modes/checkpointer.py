# SPDX-License-Identifier: BSD-3-Clause
"""What the logger process does for `release = "checkpoint"`, for a box in this process."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Self

from benchmarks.rig import Rig


class Checkpointer:
    """Forks the master at an interval; each complete snapshot lets the output before it go."""

    def __init__(self, rig: Rig, interval_ms: int) -> None:
        self.rig = rig
        self.interval = interval_ms / 1000
        self.pauses_us: list[float] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="checkpoints")

    def _run(self) -> None:
        due = time.monotonic()
        while not self.is_over.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.interval, time.monotonic())
            descriptor = os.memfd_create("checkpoint")
            begun = self.rig.master.begin_snapshot(descriptor)
            _, status = os.waitpid(begun.child, 0)
            os.close(descriptor)
            if status != 0:
                raise RuntimeError("a checkpoint was not written")
            self.rig.logger.checkpoint(begun.records)
            self.pauses_us.append(begun.pause_ns / 1000)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.is_over.set()
        self.thread.join()
