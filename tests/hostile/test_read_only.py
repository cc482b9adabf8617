# SPDX-License-Identifier: BSD-3-Clause
"""What a replica is handed to read it cannot write, by no means that descriptors give it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ftmb._native.logger import Logger, LoggerSettings
from ftmb._native.pipeline import Pipeline
from ftmb.testing import Box
from tests.native.test_logger import FORWARD, PORTS, frame, numbers

INTRUDER = Path(__file__).with_name("intruder.py")


def intrude(kind: str, descriptor: int) -> list[str]:
    """What of all attempts succeeded."""
    result = subprocess.run(
        [sys.executable, str(INTRUDER), kind, str(descriptor)],
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


@pytest.mark.parametrize("which", [0, 1, 2], ids=["logger page", "input log", "access log"])
def test_nothing_of_the_loggers_can_be_written(which: int) -> None:
    with Box([FORWARD], PORTS) as box:
        for number in range(20):
            box.inject("left", frame(number))
        before = numbers(box.run())
        descriptor = box.logger.descriptors()[which]
        content = os.pread(descriptor, 1 << 16, 0)
        assert intrude("read-only", descriptor) == []
        assert os.pread(descriptor, 1 << 16, 0) == content
        for number in range(20, 40):
            box.inject("left", frame(number))
        assert before + numbers(box.run()) == list(range(40))


def test_what_is_a_replicas_own_keeps_its_size() -> None:
    pipeline = Pipeline([{"element": FORWARD[0], "options": FORWARD[1]}], PORTS, 1)
    logger = Logger(LoggerSettings(1, "yield", 1 << 18, 1 << 18, 1 << 20, True), pipeline)
    peer = logger.add_peer(1)
    for descriptor in (peer.page_descriptor, *peer.output_descriptors):
        assert intrude("writable", descriptor) == []
    logger.close()


def test_the_intruder_succeeds_where_nothing_is_sealed() -> None:
    """Else its failures would prove nothing."""
    descriptor = os.memfd_create("open to all")
    os.ftruncate(descriptor, 1 << 16)
    done = intrude("read-only", descriptor)
    os.close(descriptor)
    assert {"shrink", "grow", "append", "map writable", "open again and write"} <= set(done)
    assert {"punch a hole", "make a mapping writable"} <= set(done)
    assert "write into a mapping" not in done  # mapped for reading, that is the processor's word
