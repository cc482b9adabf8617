# SPDX-License-Identifier: BSD-3-Clause
"""The real loggers, a master and (protected) a standby in one process, each on its core.

The master's worker has a core to itself; generator, loggers and the standby's worker share the
others. Ports are in memory.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from mmap import mmap
from typing import Any

from benchmarks.traffic import FRAME_SIZE
from ftmb._native.elements import Pipeline
from ftmb._native.logger import MEBIBYTE, Logger, LoggerSettings
from ftmb._native.memory import GeneratorPort, cycles
from ftmb._native.process import Process, ProcessSettings

PORTS = ["inside", "outside"]
QUIET_SECONDS = 60.0
PORTION = 400_000  # packets that the input log can hold at once


@dataclass(frozen=True)
class Cores:
    """Which thread runs where; on one core all share it."""

    loggers: int
    master: int
    standby: int

    @classmethod
    def choose(cls) -> Cores:
        """The master alone on the last core; the standby apart from the loggers if it can be."""
        available = sorted(os.sched_getaffinity(0))
        return cls(available[0], available[-1], available[1 if len(available) > 2 else 0])


def cycles_per_second() -> float:
    """Of the cycle counter, against the monotonic clock."""
    start_cycles, start = cycles(), time.monotonic()
    time.sleep(0.2)
    return (cycles() - start_cycles) / (time.monotonic() - start)


class Rig:
    """One box of one worker between two generator ports."""

    def __init__(
        self,
        element: str,
        options: dict[str, Any],
        frames: bytearray | mmap,
        *,
        protected: bool,
        idle: str = "spin",
        samples: Any = None,
        input_mib: int = 64,
    ) -> None:
        self.cores = Cores.choose()
        self.protected = protected
        self.pipeline = Pipeline([{"element": element, "options": options}], PORTS, 1)
        settings = LoggerSettings(
            1, idle, input_mib * MEBIBYTE, 16 * MEBIBYTE, 64 * MEBIBYTE, is_logged=protected
        )
        self.logger = Logger(settings, self.pipeline)
        self.source = GeneratorPort(frames, FRAME_SIZE)
        self.sink = GeneratorPort(bytearray(1), 0, samples)
        self.logger.add_port("inside", self.source.base())
        self.logger.add_port("outside", self.sink.base())
        self.logger.open_ports()
        self.master = self._process(1)
        self.logger.change_master(self.master_peer)
        self.standby: Process | None = None
        if protected:
            self.standby = self._process(2)
            self.logger.set_standby(self.standby_peer)
            self.standby.start([self.cores.standby], "sleep")
        self.master.start([self.cores.master], idle)
        self.packets = threading.Thread(target=self.logger.run, args=(self.cores.loggers,))
        self.logger.expect_thread()
        self.packets.start()

    def _process(self, epoch: int) -> Process:
        peer = self.logger.add_peer(epoch)
        if epoch == 1:
            self.master_peer = peer
        else:
            self.standby_peer = peer
        settings = ProcessSettings(epoch, 1, self.protected, 4096 * MEBIBYTE, 0)
        page, inputs, accesses = self.logger.descriptors()
        process = Process(settings, self.pipeline, page, peer.page_descriptor)
        process.attach_logs([inputs], [accesses], peer.output_descriptors)
        return process

    def warm_up(self, packets: int) -> None:
        """Every flow known and every page touched; in portions that the input log has room for."""
        while packets > 0:
            self.source.send(min(packets, PORTION))
            self.wait_until_sent()
            packets -= PORTION

    def wait_until_sent(self) -> None:
        """Until every frame has been logged, processed, released and replayed."""
        deadline = time.monotonic() + QUIET_SECONDS
        while not self._is_quiet():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done: {self.logger.queue_counts(0)}")
            time.sleep(0.02)  # the waiting thread must not take the cores that are measured

    def _is_quiet(self) -> bool:
        counts = self.logger.queue_counts(0)
        if self.source.left() or counts["logged"] - counts["consumed"] > 2:
            return False
        behind = self.protected and self.standby_peer.replayed()[0] + 2 < counts["committed"]
        return counts["released"] == counts["received"] and not behind

    def master_counts(self) -> dict[str, Any]:
        """The master worker's counters."""
        return self.master_peer.worker_counts(0)

    def dropped(self) -> int:
        """Packets that did not come through: a measurement with any is none."""
        drops = self.master_counts()
        inside = sum(map(sum, drops["drops"])) + sum(drops["worker_drops"])
        return int(inside) + self.logger.queue_counts(0)["dropped"]

    def close(self) -> None:
        self.logger.stop()
        self.packets.join()
        self.master.close()
        if self.standby is not None:
            self.standby.close()
        self.logger.close()
        self.source.close()
        self.sink.close()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
