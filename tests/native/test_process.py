# SPDX-License-Identifier: BSD-3-Clause
"""Masters and standbys that cannot be: each refusal says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ftmb._native.check import NativeError
from ftmb._native.logger import MEBIBYTE, Logger, LoggerSettings
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import ARENA_ADDRESS, Process, ProcessError, ProcessSettings

PORTS = ["left", "right"]


def pipeline_of(hosts_max: int) -> Pipeline:
    options = {"first": "left", "second": "right", "hosts_max": hosts_max}
    return Pipeline([{"element": "monitor", "options": options}], PORTS, 1)


@pytest.fixture
def logger() -> Iterator[Logger]:
    settings = LoggerSettings(1, "yield", 1 << 18, 1 << 18, 1 << 20, is_logged=True)
    made = Logger(settings, pipeline_of(4096))
    yield made
    made.close()


def process_of(
    logger: Logger, epoch: int, *, hosts_max: int = 4096, part: int = 64, address: int = 0
) -> Process:
    peer = logger.add_peer(epoch)
    settings = ProcessSettings(epoch, 1, True, part * MEBIBYTE, address)
    page, inputs, accesses = logger.descriptors()
    process = Process(settings, pipeline_of(hosts_max), page, peer.page_descriptor)
    process.attach_logs([inputs], [accesses], peer.output_descriptors)
    return process


def test_a_taken_arena_address_is_refused(logger: Logger) -> None:
    first = process_of(logger, 1, address=ARENA_ADDRESS)
    with pytest.raises(ProcessError, match="taken"):
        process_of(logger, 2, address=ARENA_ADDRESS)
    first.close()
    process_of(logger, 3, address=ARENA_ADDRESS).close()


def test_an_arena_that_is_too_small_is_refused(logger: Logger) -> None:
    with pytest.raises(ProcessError, match="arena_mib"):
        process_of(logger, 1, hosts_max=1 << 24, part=64)


def test_pages_of_another_version_are_refused(logger: Logger) -> None:
    peer = logger.add_peer(1)
    settings = ProcessSettings(1, 1, True, 64 * MEBIBYTE, 0)
    wrong = os.memfd_create("page of another size")
    os.ftruncate(wrong, 12288)
    with pytest.raises(ProcessError, match="versions"):
        Process(settings, pipeline_of(4096), wrong, peer.page_descriptor)
    os.close(wrong)


def snapshot_of(process: Process) -> int:
    descriptor = os.memfd_create("snapshot")
    begun = process.begin_snapshot(descriptor)
    assert os.waitpid(begun.child, 0)[1] == 0
    assert begun.pause_ns > 0 and begun.records == process.replayed()
    return descriptor


def test_a_snapshot_is_the_state(logger: Logger) -> None:
    one, other = process_of(logger, 1), process_of(logger, 2)
    one.set_start(0, 17, 4096)
    assert one.state_digest() != other.state_digest()
    other.load_snapshot(snapshot_of(one))
    assert one.state_digest() == other.state_digest()
    assert other.replayed() == [17]


def test_a_snapshot_is_sparse(logger: Logger) -> None:
    process = process_of(logger, 1, hosts_max=1 << 20, part=256)
    descriptor = snapshot_of(process)
    taken = os.fstat(descriptor).st_blocks * 512
    assert process.state_size() > 16 * MEBIBYTE
    assert taken < MEBIBYTE


def test_a_snapshot_of_another_configuration_is_refused(logger: Logger) -> None:
    descriptor = snapshot_of(process_of(logger, 1, hosts_max=8192))
    with pytest.raises(ProcessError, match="another configuration"):
        process_of(logger, 2).load_snapshot(descriptor)


@pytest.mark.parametrize("content", [b"", b"\0" * 65536, b"noise" * 40000])
def test_what_is_no_snapshot_is_refused(logger: Logger, content: bytes) -> None:
    descriptor = os.memfd_create("no snapshot")
    os.write(descriptor, content)
    with pytest.raises(NativeError):
        process_of(logger, 1).load_snapshot(descriptor)
