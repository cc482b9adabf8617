# SPDX-License-Identifier: BSD-3-Clause
"""What ftmb is compared with, in the same binary: release without output commit or by checkpoints,
and a PAL for each access."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ftmb._native.logger import Logger, LoggerSettings, Peer
from ftmb._native.memory import MemoryPort
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process, ProcessSettings
from ftmb.testing import Box
from tests.elements.test_monitor import OPTIONS, PORTS, frame
from tests.hostile.mad_master import MadMaster

PATIENCE_S = 20.0
TOTALS = ("monitor", OPTIONS)


def totals_of(released: list[tuple[str, bytes]]) -> list[int]:
    """The running totals that the monitor wrote into what left."""
    return [struct.unpack("<Q", sent[-8:])[0] for _, sent in released]


@pytest.mark.parametrize("fails_over", [False, True])
def test_every_access_is_logged_and_replayed(fails_over: bool) -> None:
    with Box([TOTALS], PORTS, 2, fails_over=fails_over, pal="every-access") as box:
        totals: list[int] = []
        for number in range(20):
            for host in range(1, 17):
                box.inject("left", frame(host, number))
            totals += totals_of(box.run())
        assert sorted(totals) == list(range(1, 321))
        if not fails_over:  # the host and the total of each packet, on whatever worker
            assert box.logger.counts()["pals"] == 2 * 320


def test_hand_overs_alone_are_fewer_by_far() -> None:
    with Box([TOTALS], PORTS, 1) as box:
        for number in range(320):
            box.inject("left", frame(1 + number % 16, number))
        box.run()
        assert 0 < box.logger.counts()["pals"] <= 17  # each variable's first owner


def test_a_vector_of_a_packet_beyond_its_record_is_refused() -> None:
    with Box([TOTALS], PORTS, 2, pal="every-access") as box, ExitStack() as stack:
        masters = [MadMaster(box, worker) for worker in (0, 1)]
        for mad in masters:
            stack.callback(mad.close)
        masters[0].let_a_tick_pass()
        record = masters[0].record()
        record.vector_count = 2 * len(record.slots)
        record.vectors = [9, 9] * len(record.slots)
        masters[0].send(record.encode())
        assert masters[0].rejected() == ["vector"]


@pytest.mark.parametrize(("release", "leaves"), [("parallel", 0), ("none", 1)])
def test_without_output_commit_packets_leave_before_what_they_depend_on(
    release: str, leaves: int
) -> None:
    with Box([TOTALS], PORTS, 2, release=release) as box, ExitStack() as stack:
        masters = [MadMaster(box, worker) for worker in (0, 1)]
        for mad in masters:
            stack.callback(mad.close)
        masters[0].let_a_tick_pass()
        record = masters[0].record()
        record.dependencies = [(1, 1)]  # on worker 1's first, which will not be received
        masters[0].send(record.encode())
        assert len(box._released()) == leaves
        box.logger.change_master(None)
        counts = box.logger.counts()
        assert counts["discarded"] == 1
        assert counts["slots_out_again"] == leaves


def test_of_what_is_discarded_that_alone_is_counted_which_a_port_took() -> None:
    """Not what came back as an input, and not what the element dropped."""
    again, dropped = 0x80, 0xFF
    with Box([TOTALS], PORTS, 2, release="none") as box, ExitStack() as stack:
        masters = [MadMaster(box, worker) for worker in (0, 1)]
        for mad in masters:
            stack.callback(mad.close)
        masters[0].let_a_tick_pass()
        record = masters[0].record()
        record.slots = [(60, port, None) for port in (1, again | 1, dropped, 0, again | 0)]
        record.dependencies = [(1, 1)]  # on worker 1's first, which will not be received
        masters[0].send(record.encode())
        assert len(box._released()) == 2
        box.logger.change_master(None)
        assert box.logger.counts()["slots_out_again"] == 2


class CheckpointedBox:
    """One worker; its master is forked when the test says so."""

    def __init__(self) -> None:
        self.pipeline = Pipeline([{"element": "monitor", "options": OPTIONS}], PORTS, 1)
        settings = LoggerSettings(
            1, "yield", 1 << 20, 1 << 18, 1 << 20, is_logged=False, release="checkpoint"
        )
        self.logger = Logger(settings, self.pipeline)
        self.ports = [MemoryPort() for _ in PORTS]
        for name, port in zip(PORTS, self.ports, strict=True):
            self.logger.add_port(name, port.base())
        self.logger.open_ports()
        self.processes: list[Process] = []
        self.now_ns = 1_000_000

    def process(self) -> tuple[Process, Peer]:
        epoch = len(self.processes) + 1
        peer = self.logger.add_peer(epoch)
        raw = self.logger.pointer
        settings = ProcessSettings(epoch, 1, False, 64 << 20, arena_address=0)
        made = Process(settings, self.pipeline, raw.page_descriptor, peer.page_descriptor)
        made.attach_logs(raw.input_descriptors, raw.access_descriptors, peer.output_descriptors)
        self.processes.append(made)
        return made, peer

    def send(self, count: int) -> None:
        for number in range(count):
            self.ports[0].push(frame(1 + number % 16, number))
        self.run(lambda counts: counts["consumed"] == counts["logged"])

    def run(self, until: Callable[[dict[str, int]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        self.logger.step(self.now_ns)
        while not until(self.logger.queue_counts(0)):
            assert time.monotonic() < deadline, self.logger.queue_counts(0)
            self.logger.step(self.now_ns)

    def released(self) -> list[int]:
        while self.logger.step(self.now_ns) > 0:
            pass
        found = []
        while (sent := self.ports[1].pop()) is not None:
            found.append(("right", sent))
        return totals_of(found)

    def close(self) -> None:
        for process in self.processes:
            process.close()
        self.logger.close()
        for port in self.ports:
            port.close()


@pytest.fixture
def checkpointed() -> Iterator[CheckpointedBox]:
    box = CheckpointedBox()
    yield box
    box.close()


def checkpoint_of(process: Process) -> tuple[int, list[int]]:
    descriptor = os.memfd_create("checkpoint")
    begun = process.begin_snapshot(descriptor)
    assert os.waitpid(begun.child, 0)[1] == 0
    return descriptor, begun.records


def test_output_waits_for_the_checkpoint_and_a_failure_goes_back_to_it(
    checkpointed: CheckpointedBox,
) -> None:
    box = checkpointed
    master, peer = box.process()
    master.set_start(0, *box.logger.start_of(0))
    master.start()
    box.logger.change_master(peer)
    box.send(100)
    assert box.released() == []  # executed, but no snapshot holds it
    descriptor, records = checkpoint_of(master)
    box.logger.checkpoint(records)
    assert box.released() == list(range(1, 101))
    box.send(50)
    assert box.released() == []
    box.logger.change_master(None)  # the master is gone, and with it what followed
    assert box.logger.counts()["discarded"] > 0

    successor, peer = box.process()
    successor.load_snapshot(descriptor)
    os.close(descriptor)
    successor.set_access_start(0, box.logger.access_start(0))
    successor.start()
    box.logger.change_master(peer)
    box.run(lambda counts: counts["consumed"] == counts["logged"])
    assert box.released() == []
    box.logger.checkpoint(checkpoint_of(successor)[1])
    assert box.released() == list(range(101, 151))  # executed again from the log, and sent once


def test_a_checkpoint_that_cannot_be_changes_nothing(checkpointed: CheckpointedBox) -> None:
    box = checkpointed
    master, peer = box.process()
    master.set_start(0, *box.logger.start_of(0))
    master.start()
    box.logger.change_master(peer)
    box.send(10)
    descriptor, records = checkpoint_of(master)
    os.close(descriptor)
    assert not box.logger.checkpoint([1 << 62])  # further than the master has come
    assert box.released() == []
    assert box.logger.checkpoint(records)
    assert not box.logger.checkpoint([0])  # back behind what has left
    assert box.released() == list(range(1, 11))
    box.logger.change_master(None)
    assert not box.logger.checkpoint(records)  # of a master that is none any more
