# SPDX-License-Identifier: BSD-3-Clause
"""Who reads which log for how long, stepped by hand: standbys that lag, ports and masters that end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftmb._native.elements import Pipeline
from ftmb._native.logger import Logger, LoggerSettings, Peer
from ftmb._native.memory import MemoryPort
from ftmb._native.process import Process, ProcessSettings
from tests.native.test_logger import FORWARD, PORTS, frame, numbers

MONITOR = ("monitor", {"first": "left", "second": "right"})


class Stepped:
    """Loggers and replicas of which each does a step only when the test says so."""

    def __init__(
        self,
        element: tuple[str, dict[str, Any]] = FORWARD,
        *,
        workers: int = 1,
        input_size: int = 1 << 18,
        port_capacity: int = 8192,
    ) -> None:
        stage = {"element": element[0], "options": element[1]}
        self.workers = workers
        self.pipeline = Pipeline([stage], PORTS, workers)
        settings = LoggerSettings(workers, "yield", input_size, 1 << 18, 1 << 20, is_logged=True)
        self.logger = Logger(settings, self.pipeline)
        self.ports = {name: MemoryPort(port_capacity) for name in PORTS}
        for name, port in self.ports.items():
            self.logger.add_port(name, port.base())
        self.logger.open_ports()
        self.now_ns = 1_000_000_000
        self.processes: list[Process] = []

    def replica(self, epoch: int) -> tuple[Process, Peer]:
        peer = self.logger.add_peer(epoch)
        raw = self.logger.pointer
        settings = ProcessSettings(epoch, self.workers, "yield", True, 64 << 20, arena_address=0)
        process = Process(settings, self.pipeline, raw.page_descriptor, peer.page_descriptor)
        process.attach_logs(raw.input_descriptors, raw.access_descriptors, peer.output_descriptors)
        self.processes.append(process)
        return process, peer

    def arrive(self, first: int, count: int, size: int = 1000) -> None:
        for number in range(first, first + count):
            self.ports["left"].push(frame(number, size))
        self.step_loggers()

    def step_loggers(self) -> None:
        self.now_ns += 1000
        self.logger.step(self.now_ns)

    def run(self, process: Process, steps: int = 8) -> None:
        for _ in range(steps):
            for worker in range(self.workers):
                process.step(worker)
            self.step_loggers()

    def released(self) -> list[int]:
        sent = []
        while (one := self.ports["right"].pop()) is not None:
            sent.append(("right", one))
        return numbers(sent)


@pytest.fixture
def stepped() -> Iterator[Callable[..., Stepped]]:
    made: list[Stepped] = []

    def make(*arguments: Any, **options: Any) -> Stepped:
        made.append(Stepped(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        for process in one.processes:
            process.close()
        one.logger.close()
        for port in one.ports.values():
            port.close()


def test_a_successor_keeps_the_input_that_it_still_replays(
    stepped: Callable[..., Stepped],
) -> None:
    """The standby lags, the input log is full, the master dies, and arrivals go on."""
    box = stepped()
    (master, master_peer), (standby, standby_peer) = box.replica(1), box.replica(2)
    box.logger.change_master(master_peer)
    box.logger.set_standby(standby_peer)
    for turn in range(40):
        box.arrive(turn * 10, 10)
        box.run(master, 2)
    assert box.logger.queue_counts(0)["input_fill"] > 250_000
    assert box.logger.change_master(standby_peer)
    for turn in range(40, 60):
        box.arrive(turn * 10, 10)
    box.run(standby, 200)
    assert standby_peer.phase() == "live"
    counts = standby_peer.worker_counts(0)
    assert counts["digests_compared"] > 0 and counts["digests_mismatched"] == 0
    sent = box.released()
    assert sent == sorted(set(sent)), "each once and in order"
    dropped = box.logger.queue_counts(0)["dropped"]
    assert len(sent) + dropped == 600


def test_a_lagging_standby_holds_back_commits_and_loses_nothing(
    stepped: Callable[..., Stepped],
) -> None:
    box = stepped(MONITOR, input_size=1 << 20)
    (master, master_peer), (standby, standby_peer) = box.replica(1), box.replica(2)
    box.logger.change_master(master_peer)
    box.logger.set_standby(standby_peer)
    total = 0
    while box.logger.counts()["access_waits"] == 0:
        box.arrive(total, 1, size=60)
        box.run(master, 1)
        total += 1
        assert total < 100_000
        if box.logger.queue_counts(0)["dropped"]:
            break
    while standby.step(0):
        box.step_loggers()
    box.run(master, 50)
    while standby.step(0):
        box.step_loggers()
    box.step_loggers()
    assert len(box.released()) + box.logger.queue_counts(0)["dropped"] == total


def test_a_port_that_takes_nothing_does_not_hold_up_the_other(
    stepped: Callable[..., Stepped],
) -> None:
    box = stepped(input_size=1 << 20, port_capacity=300)
    master, master_peer = box.replica(1)
    box.logger.change_master(master_peer)
    healthy, total = 0, 1200
    for _ in range(total):
        for name in PORTS:  # nobody empties "right"
            box.ports[name].push(frame(1, 100))
        box.run(master, 1)
        while box.ports["left"].pop() is not None:
            healthy += 1
    deadline = time.monotonic() + 10  # 50 ms for each frame of the dead port would be 45 s
    while healthy < total and time.monotonic() < deadline:
        box.run(master, 1)
        while box.ports["left"].pop() is not None:
            healthy += 1
    assert healthy == total
    assert box.logger.port_counts("right")["drops"]["send_stuck"] > 0
    start = time.monotonic()
    box.logger.change_master(None)
    assert time.monotonic() - start < 1.0


@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_state_loss_the_old_access_log_is_nobodys_past(
    stepped: Callable[..., Stepped], workers: int
) -> None:
    box = stepped(MONITOR, workers=workers, input_size=1 << 20, port_capacity=16384)
    (master, master_peer), (spare, spare_peer) = box.replica(1), box.replica(3)
    box.logger.change_master(master_peer)
    total = 9000  # the access log has wrapped by then
    for number in range(total):
        box.arrive(number, 1, size=100)
        box.run(master, 1)
    assert len(box.released()) == total
    box.logger.change_master(None)
    for worker in range(workers):
        spare.set_start(worker, *box.logger.start_of(worker))
    box.run(spare, 3)
    assert spare_peer.phase() != "diverged"
    box.arrive(total, 10, size=100)
    assert box.logger.change_master(spare_peer)
    box.run(spare, 10)
    assert spare_peer.phase() == "live"
    assert sorted(box.released()) == list(range(total, total + 10))
