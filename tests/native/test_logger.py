# SPDX-License-Identifier: BSD-3-Clause
"""The loggers against what goes wrong: full logs, garbage from a master, fenced masters."""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterator

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ftmb._native.logger import Logger, LoggerSettings
from ftmb._native.memory import MemoryPort
from ftmb._native.pipeline import Pipeline
from ftmb.testing import Box

PORTS = ["left", "right"]
FORWARD = ("forward", {"first": "left", "second": "right"})
RING_HEADER = 4096
WRITTEN_OFFSET = 64


def frame(number: int, size: int = 60) -> bytes:
    payload = struct.pack(">I", number).ljust(size - 42, b".")
    ip = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=number % 60000 + 1, dport=9) / payload
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0800) / ip)


def numbers(released: list[tuple[str, bytes]]) -> list[int]:
    return [struct.unpack(">I", sent[42:46])[0] for _, sent in released]


@pytest.fixture
def logger() -> Iterator[Logger]:
    """Loggers without a master, with the smallest logs there can be."""
    pipeline = Pipeline([{"element": FORWARD[0], "options": FORWARD[1]}], PORTS, 1)
    made = Logger(LoggerSettings(1, "yield", 1 << 18, 1 << 18, 1 << 20, is_logged=True), pipeline)
    ports = [MemoryPort(8192) for _ in PORTS]
    for name, port in zip(PORTS, ports, strict=True):
        made.add_port(name, port.base())
    made.memory_ports = ports  # type: ignore[attr-defined]
    made.open_ports()
    yield made
    made.close()
    for port in ports:
        port.close()


def test_a_full_input_log_drops_arrivals_and_counts_them(logger: Logger) -> None:
    for number in range(4000):
        logger.memory_ports[0].push(frame(number))  # type: ignore[attr-defined]
    for step in range(200):
        logger.step(1_000_000 + step)
    counts = logger.queue_counts(0)
    assert counts["input_fill"] <= counts["input_size"] == 1 << 18
    assert counts["dropped"] > 0
    assert counts["logged"] + counts["dropped"] == 4000 + 1  # and one tick


def test_the_logs_cannot_be_written_by_others(logger: Logger) -> None:
    for descriptor in logger.descriptors():
        size = os.fstat(descriptor).st_size
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        reopened = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
        with pytest.raises(PermissionError):  # not even by opening them anew
            mmap.mmap(reopened, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        os.close(reopened)


def test_an_output_log_cannot_be_cut_short(logger: Logger) -> None:
    peer = logger.add_peer(1)
    with pytest.raises(PermissionError):
        os.ftruncate(peer.output_descriptors[0], 4096)


GARBAGE = {
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "noise": bytes((i * 167 + 13) % 256 for i in range(4096)),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_from_a_master_ends_it_and_has_no_effect(garbage: bytes) -> None:
    with Box([FORWARD], PORTS) as box:
        for number in range(100):
            box.inject("left", frame(number))
        first = box.run()
        box.master.hold()  # a master gone mad writes over its log and publishes it
        descriptor = box.master_peer.output_descriptors[0]
        with mmap.mmap(descriptor, os.fstat(descriptor).st_size) as log:
            (written,) = struct.unpack_from("<Q", log, WRITTEN_OFFSET)
            for start in range(RING_HEADER, len(log) - len(garbage) + 1, len(garbage)):
                log[start : start + len(garbage)] = garbage
            struct.pack_into("<Q", log, WRITTEN_OFFSET, written + 4096)
        box.step()
        assert box.logger.master_is_rejected()
        assert sum(box.logger.counts()["rejected"].values()) == 1
        for number in range(100, 200):
            box.inject("left", frame(number))
        box.master.release()
        box.fail_over()
        assert numbers(first + box.run()) == list(range(200))


def test_a_claim_to_have_published_too_much_reads_nothing() -> None:
    with Box([FORWARD], PORTS) as box:
        box.inject("left", frame(1))
        box.run()
        box.master.hold()
        descriptor = box.master_peer.output_descriptors[0]
        with mmap.mmap(descriptor, os.fstat(descriptor).st_size) as log:
            struct.pack_into("<Q", log, WRITTEN_OFFSET, 1 << 60)
        box.step()
        assert box._released() == []
        box.master.release()
        box.fail_over()
        box.inject("left", frame(2))
        assert numbers(box.run()) == [2]


def test_a_fenced_master_lets_nothing_out() -> None:
    """The old master is held over the failover and goes on only when the next one is live."""
    with Box([FORWARD], PORTS) as box:
        zombie, zombie_peer = box.master, box.master_peer
        zombie.hold()
        for number in range(64):
            box.inject("left", frame(number))
        box.step()
        box.fail_over()
        zombie.release()
        assert numbers(box.run()) == list(range(64))
        assert numbers(box.advance(0.1)) == []
        deadline = time.monotonic() + 20
        while zombie_peer.phase() != "fenced" and time.monotonic() < deadline:
            time.sleep(0.001)
        assert zombie_peer.phase() == "fenced"
        assert box._released() == []


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_exactly_once_over_many_failovers(workers: int) -> None:
    options = {"first": "left", "second": "right", "stamp": False}
    with Box([("monitor", options)], PORTS, workers) as box:
        seen: list[int] = []
        for turn in range(15):
            for number in range(turn * 200, turn * 200 + 200):
                box.inject("left", frame(number))
            for _ in range(turn % 4):
                box.step()
            box.fail_over()
            seen += numbers(box._released())
        seen += numbers(box.run())
        assert sorted(seen) == list(range(15 * 200))
        assert box.failovers == 15
