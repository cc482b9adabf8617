# SPDX-License-Identifier: BSD-3-Clause
"""Journals: every line that was sent is in the file, once, whole and in order, or counted."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ftmb._native.check import NativeError
from ftmb._native.journal import JournalPort
from ftmb.testing import Box

FORWARD = ("forward", {"first": "in", "second": "eve"})


class Journal(JournalPort):
    """Stands for a port in memory in a box, which pops nothing from it."""

    def pop(self) -> bytes | None:
        return None


def line(number: int, size: int = 40) -> bytes:
    text = f'"number": {number}, "filler": "{"x" * (size - 40)}"' + "}"
    return time.monotonic_ns().to_bytes(8, "little") + text.encode()


@pytest.fixture
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Box]:
    journal = Journal(tmp_path / "eve.json", getattr(request, "param", 1 << 20))
    with Box([FORWARD], ["in", "eve"], ports_made={"eve": journal}) as made:
        yield made


def numbers(path: Path) -> list[int]:
    return [json.loads(text)["number"] for text in path.read_text().splitlines()]


def wait_for(path: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 10
    while len(found := numbers(path) if path.exists() else []) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} lines"
        time.sleep(0.01)
    return found


def test_each_line_once_over_failovers(box: Box, tmp_path: Path) -> None:
    for round_number in range(10):
        for number in range(100):
            box.inject("in", line(round_number * 100 + number))
        box.step()
        box.fail_over()
        box.run()
    assert wait_for(tmp_path / "eve.json", 1000) == list(range(1000))


def test_the_time_is_the_inputs_by_the_wall_clock(box: Box, tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    box.inject("in", line(1))
    box.run()
    wait_for(tmp_path / "eve.json", 1)
    told = json.loads((tmp_path / "eve.json").read_text())["timestamp"]
    when = datetime.strptime(told, "%Y-%m-%dT%H:%M:%S.%f%z")
    assert before <= when <= datetime.now(UTC)


def test_a_file_that_is_renamed_away_is_made_anew(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    box.inject("in", line(1))
    box.run()
    wait_for(path, 1)
    path.rename(tmp_path / "eve.json.1")
    time.sleep(1.1)
    box.inject("in", line(2))
    box.run()
    assert wait_for(path, 1) == [2]
    assert numbers(tmp_path / "eve.json.1") == [1]


def test_what_is_no_line_is_counted(box: Box) -> None:
    box.inject("in", b"short")
    box.run()
    assert box.logger.port_counts("eve")["drops"] == {"send_short": 1}


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NativeError, match=r"eve\.json: No such file"):
        JournalPort(tmp_path / "nowhere" / "eve.json")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is full after 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_told_and_what_waited_is_written_once_there_is_room(
    small_disk: Path,
) -> None:
    journal = Journal(small_disk / "eve.json", 1 << 20)
    with Box([FORWARD], ["in", "eve"], ports_made={"eve": journal}) as box:
        for number in range(100):
            box.inject("in", line(number, 1000))
        box.run()
        deadline = time.monotonic() + 10
        while journal.fault() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert journal.fault() == os.strerror(errno.ENOSPC)
        subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
        while len((small_disk / "eve.json").read_bytes().splitlines()) < 100:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert wait_for(small_disk / "eve.json", 100) == list(range(100))
        assert journal.fault() is None
