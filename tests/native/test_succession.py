# SPDX-License-Identifier: BSD-3-Clause
"""Who reads which log for how long: standbys that lag, ports and masters that end, by hand."""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftmb._native.logger import Logger, LoggerSettings, Peer
from ftmb._native.memory import MemoryPort
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process, ProcessSettings
from tests.native.test_logger import (
    FORWARD,
    PORTS,
    RING_HEADER,
    WRITTEN_OFFSET,
    frame,
    numbers,
)

PAL_SIZE = 32
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
        settings = ProcessSettings(epoch, self.workers, True, 64 << 20, arena_address=0)
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

    def close(self) -> None:
        for process in self.processes:
            process.close()
        self.logger.close()
        for port in self.ports.values():
            port.close()

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
        one.close()


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


def test_a_successor_with_nothing_to_replay_lets_the_logs_go(
    stepped: Callable[..., Stepped],
) -> None:
    """Its snapshot held all that was committed, and its epoch comes before it has looked."""
    box = stepped(input_size=1 << 20)
    (master, master_peer), (standby, standby_peer) = box.replica(1), box.replica(2)
    box.logger.change_master(master_peer)
    box.logger.set_standby(standby_peer)
    for turn in range(10):
        box.arrive(turn * 10, 10)
        box.run(master, 2)
    descriptor = os.memfd_create("snapshot")
    child = master.begin_snapshot(descriptor).child
    assert os.waitpid(child, 0)[1] == 0
    standby.load_snapshot(descriptor)
    os.close(descriptor)
    standby.set_access_start(0, box.logger.access_start(0))
    assert box.logger.queue_counts(0)["access_fill"] > 0
    assert box.logger.change_master(standby_peer)
    box.run(standby, 4)
    assert standby_peer.phase() == "live"
    assert box.logger.queue_counts(0)["access_fill"] == 0
    assert box.logger.queue_counts(0)["input_fill"] == 0


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


def test_a_busy_port_gets_each_frame_once_and_in_order(stepped: Callable[..., Stepped]) -> None:
    """It takes a few of each record's frames at a time; the rest is offered again."""
    box = stepped(port_capacity=37)
    master, master_peer = box.replica(1)
    box.logger.change_master(master_peer)
    sent: list[int] = []
    for start in range(0, 300, 30):
        box.arrive(start, 30, size=60)
        box.run(master, 2)
        for _ in range(4):
            for _ in range(5):  # five go, and five of the next record find room
                one = box.ports["right"].pop()
                sent += numbers([("right", one)]) if one is not None else []
            box.run(master, 1)
    for _ in range(12):
        sent += box.released()
        box.run(master, 2)
    if box.logger.port_counts("right")["drops"]:
        pytest.skip("this machine stood still until the port was taken for dead")
    assert sent == list(range(300))


def test_nobody_goes_live_before_all_workers_have_replayed(
    stepped: Callable[..., Stepped],
) -> None:
    """A live worker may touch any shared state, also what another has still to replay."""
    box = stepped(MONITOR, workers=2)
    (master, master_peer), (standby, standby_peer) = box.replica(1), box.replica(2)
    box.logger.change_master(master_peer)
    box.logger.set_standby(standby_peer)
    box.arrive(0, 64, size=60)
    box.run(master, 4)
    first = box.released()
    box.logger.change_master(standby_peer)
    box.arrive(64, 64, size=60)
    blocked = threading.Thread(target=lambda: [standby.step(0) for _ in range(20)])
    blocked.start()  # it may wait for what worker 1 has still to do
    time.sleep(0.2)
    box.step_loggers()
    assert standby_peer.phase() != "live"
    assert box.released() == []
    while blocked.is_alive():
        standby.step(1)
    blocked.join()
    box.run(standby, 8)
    assert sorted(first + box.released()) == list(range(128))


DEPENDENCY = struct.Struct("<QI4x")


def records_of(box: Stepped, peer: Peer, worker: int) -> list[tuple[list[tuple[int, int]], int]]:
    """(dependencies, PALs) of each record that a worker has published, as they lie in the log."""
    descriptor = peer.output_descriptors[worker]
    found = []
    with mmap.mmap(descriptor, os.fstat(descriptor).st_size, prot=mmap.PROT_READ) as log:
        (written,) = struct.unpack_from("<Q", log, WRITTEN_OFFSET)
        position = 0
        while position < written:
            start = RING_HEADER + position
            size, *_, pals, pals_offset, _, count = struct.unpack_from("<IIQIIIIII", log, start)
            first = start + pals_offset + pals * PAL_SIZE
            last = first + count * DEPENDENCY.size
            found.append((list(DEPENDENCY.iter_unpack(log[first:last])), pals))
            position += size
    return found


def test_a_worker_that_takes_over_depends_on_the_last_record_that_touched(
    stepped: Callable[..., Stepped],
) -> None:
    box = stepped(MONITOR, workers=2)
    master, master_peer = box.replica(1)
    box.logger.change_master(master_peer)
    box.run(master, 3)
    assert master_peer.phase() == "live"
    before = [len(records_of(box, master_peer, worker)) for worker in range(2)]
    box.arrive(0, 200, size=60)
    for _ in range(4):
        box.step_loggers()
    assert all(box.logger.queue_counts(worker)["logged"] > 64 for worker in range(2))
    master.step(0)  # takes everything over from nobody
    master.step(0)  # owns it already: nothing is logged
    master.step(1)  # takes it over from worker 0, as its second record left it
    of_first, of_second = (
        records_of(box, master_peer, worker)[before[worker] :] for worker in range(2)
    )
    assert [pals > 0 for _, pals in of_first] == [True, False]
    assert all(dependencies == [] for dependencies, _ in of_first)
    (dependencies, pals) = of_second[-1]
    assert pals > 0
    assert dependencies == [(before[0] + 2, 0)]
