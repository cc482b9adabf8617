# SPDX-License-Identifier: BSD-3-Clause
"""The real loggers, a master and (protected) a standby in one process, each on its core.

The master's first worker has a core to itself as far as there are cores; generator, loggers and the
standby's workers share the others. Ports are in memory. Without a packet thread the rounds of the
loggers are made by the caller, so that each role can be given the whole machine in its turn.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from benchmarks.traffic import Traffic
from ftmb._native.logger import MEBIBYTE, Logger, LoggerSettings
from ftmb._native.memory import GeneratorPort, cycles
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process, ProcessSettings

PORTS = ["inside", "outside"]
QUIET_SECONDS = 60.0
INPUT_MIB, ACCESS_MIB, OUTPUT_MIB = 64, 16, 64  # logs of each worker, unless said otherwise
PORTION = 400_000  # small packets that the input log can hold at once
WARM_UP_PORTIONS = 3  # more than once round each log
RECORD_ROOM = 96  # bytes of the log for a packet beside its own: header, padding, what shares it


@cache
def available_cores() -> list[int]:
    """Those that this process may use; asked once, before it sets its own thread aside."""
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def beside_master() -> Iterator[None]:
    """The caller's thread, and what it forks, stays off the master's core."""
    everything = available_cores()
    os.sched_setaffinity(0, everything[:-1] or everything)
    try:
        yield
    finally:
        os.sched_setaffinity(0, everything)


@dataclass(frozen=True)
class Cores:
    """Which thread runs where; on one core all share it."""

    loggers: int
    master: int
    standby: int

    @classmethod
    def choose(cls) -> Cores:
        """The master alone on the last core; the standby apart from the loggers if it can be."""
        available = available_cores()
        return cls(available[0], available[-1], available[1 if len(available) > 2 else 0])


def worker_cores(workers: int, first: int) -> list[int]:
    """One core after the other from `first` on, round and round."""
    available = available_cores()
    start = available.index(first)
    return [available[(start + worker) % len(available)] for worker in range(workers)]


@cache
def cycles_per_second() -> float:
    """Of the cycle counter, against the monotonic clock."""
    start_cycles, start = cycles(), time.monotonic()
    time.sleep(0.2)
    return (cycles() - start_cycles) / (time.monotonic() - start)


class Rig:
    """One box between two generator ports."""

    def __init__(
        self,
        element: str,
        options: dict[str, Any],
        traffic: Traffic,
        *,
        protected: bool,
        idle: str = "spin",
        samples: Any = None,
        input_mib: int = INPUT_MIB,
        workers: int = 1,
        has_packet_thread: bool = True,
        has_worker_threads: bool = True,
        logger_changes: dict[str, Any] | None = None,
        process_changes: dict[str, Any] | None = None,
    ) -> None:
        self.cores = Cores.choose()
        self.protected = protected
        self.workers = workers
        self.traffic = traffic
        ports = PORTS + [options[name] for name in ("alerts",) if name in options]
        self.pipeline = Pipeline([{"element": element, "options": options}], ports, workers)
        sizes = (size * MEBIBYTE for size in (input_mib, ACCESS_MIB, OUTPUT_MIB))
        shares = protected and idle == "spin" and self.cores.standby == self.cores.loggers
        logger_idle, standby_idle = ("yield", "yield") if shares else (idle, idle)
        settings = LoggerSettings(workers, logger_idle, *sizes, is_logged=protected)
        self.process_changes = process_changes or {}
        self.logger = Logger(replace(settings, **(logger_changes or {})), self.pipeline)
        self.source = GeneratorPort(traffic.frames, traffic.stride)
        if traffic.lengths is not None:
            self.source.set_lengths(traffic.lengths)
        self.sink = GeneratorPort(bytearray(1), 0, samples)
        self.logger.add_port("inside", self.source.base())
        self.logger.add_port("outside", self.sink.base())
        self.journals = [GeneratorPort(bytearray(1), 0) for _ in ports[len(PORTS) :]]
        for name, journal in zip(ports[len(PORTS) :], self.journals, strict=True):
            self.logger.add_port(name, journal.base())
        self.logger.open_ports()
        self.master = self._process(1)
        self.logger.change_master(self.master_peer)
        self.standby: Process | None = None
        self.packets: threading.Thread | None = None
        if protected:
            self.standby = self._process(2)
            self.logger.set_standby(self.standby_peer)
        if has_worker_threads:
            self._start_workers(idle, standby_idle)
        if has_packet_thread:
            self.packets = threading.Thread(target=self.logger.run, args=(self.cores.loggers,))
            self.logger.expect_thread()
            self.packets.start()

    def _start_workers(self, idle: str, standby_idle: str) -> None:
        if self.standby is not None:
            self.standby.start(worker_cores(self.workers, self.cores.standby), standby_idle)
        self.master.start(worker_cores(self.workers, self.cores.master), idle)

    def _process(self, epoch: int) -> Process:
        peer = self.logger.add_peer(epoch)
        if epoch == 1:
            self.master_peer = peer
        else:
            self.standby_peer = peer
        settings = ProcessSettings(epoch, self.workers, self.protected, 4096 * MEBIBYTE, 0)
        descriptors = self.logger.descriptors()
        inputs, accesses = descriptors[1 : 1 + self.workers], descriptors[1 + self.workers :]
        settings = replace(settings, **self.process_changes)
        process = Process(settings, self.pipeline, descriptors[0], peer.page_descriptor)
        process.attach_logs(inputs, accesses, peer.output_descriptors)
        return process

    @property
    def portion(self) -> int:
        """Packets that the logs can hold at once."""
        log_bytes = self.logger.settings.input_size * self.workers
        return min(PORTION, int(log_bytes / (self.traffic.mean_size + RECORD_ROOM) / 2))

    def warm_up(self, packets: int | None = None) -> None:
        """Every flow known and every page of the logs touched, in portions that they can hold."""
        if packets is None:
            packets = max(self.traffic.count, WARM_UP_PORTIONS * self.portion)
        while packets > 0:
            self.source.send(min(packets, self.portion))
            self.wait_until_sent()
            packets -= self.portion

    def wait_until_sent(self) -> None:
        """Until every frame has been logged, processed, released and replayed."""
        self.wait_for(lambda: self._is_released() and self.is_replayed())

    def wait_until_released(self) -> None:
        """Until every frame has left, whether or not the standby has followed."""
        self.wait_for(self._is_released)

    def wait_until_logged(self) -> None:
        """Until the generator has nothing left to send."""
        self.wait_for(lambda: self.source.left() == 0)

    def wait_for(self, is_done: Callable[[], bool]) -> None:
        """TimeoutError if it does not come about."""
        deadline = time.monotonic() + QUIET_SECONDS
        while not is_done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done: {self.logger.queue_counts(0)}")
            time.sleep(0.005)  # the waiting thread must not take the cores that are measured

    def _is_released(self) -> bool:
        if self.source.left():
            return False
        every = [self.logger.queue_counts(worker) for worker in range(self.workers)]
        waits = self.logger.settings.release == "checkpoint"  # there is always a tick that does
        if any(counts["released"] != counts["received"] for counts in every) and not waits:
            return False
        sent = self.logger.port_counts("inside")["received"]
        return bool(self.logger.port_counts("outside")["sent"] + self.dropped() >= sent)

    def is_replayed(self) -> bool:
        """Whether the standby has followed, but for the last ticks."""
        if not self.protected:
            return True
        replayed = self.standby_peer.replayed()
        committed = [
            self.logger.queue_counts(worker)["committed"] for worker in range(self.workers)
        ]
        return all(done + 2 >= due for done, due in zip(replayed, committed, strict=True))

    def master_counts(self, worker: int = 0) -> dict[str, Any]:
        """A worker's counters."""
        return self.master_peer.worker_counts(worker)

    def sum_of(self, role: str, counter: str) -> int:
        """A counter of the "master" or the "standby", over its workers."""
        peer = self.master_peer if role == "master" else self.standby_peer
        return sum(int(peer.worker_counts(worker)[counter]) for worker in range(self.workers))

    def dropped(self) -> int:
        """Packets that did not come through: a measurement with any is none."""
        inside = 0
        for worker in range(self.workers):
            counts = self.master_counts(worker)
            inside += sum(map(sum, counts["drops"])) + sum(counts["worker_drops"])
            inside += self.logger.queue_counts(worker)["dropped"]
        return int(inside)

    def check(self) -> None:
        """The same if packets are missing."""
        sent = self.logger.port_counts("inside")["received"]
        received = self.logger.port_counts("outside")["sent"]
        if self.dropped() or sent != received:
            raise RuntimeError(f"{sent - received} of {sent} packets are missing")
        self.check_digests()

    def check_digests(self) -> None:
        """RuntimeError if master and standby disagree."""
        if self.protected and self.sum_of("standby", "digests_mismatched"):
            raise RuntimeError("the standby's packets differ from the master's")

    def close(self) -> None:
        self.logger.stop()
        if self.packets is not None:
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
