# SPDX-License-Identifier: BSD-3-Clause
"""Who follows a dead master without anybody being asked: the packet thread, if it was armed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftmb._native.logger import Peer
from ftmb._native.process import Process
from tests.native.test_succession import Stepped

PATIENCE_S = 10.0


class Mortal:
    """A master whose thread can end: the kernel marks its death as it does a process's."""

    def __init__(self, box: Stepped, epoch: int) -> None:
        self.must_end = threading.Event()
        self.is_made = threading.Event()
        self.thread = threading.Thread(target=self._live, args=(box, epoch))
        self.thread.start()
        self.is_made.wait()

    def _live(self, box: Stepped, epoch: int) -> None:
        self.process, self.peer = box.replica(epoch)
        self.is_made.set()
        self.must_end.wait()

    def die(self) -> None:
        self.must_end.set()
        deadline = time.monotonic() + PATIENCE_S
        while not self.peer.is_dead():  # the kernel's word comes with the thread's very end
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture
def protected() -> Iterator[tuple[Stepped, Mortal, tuple[Process, Peer]]]:
    box = Stepped()
    master = Mortal(box, 1)
    standby, peer = box.replica(2)
    box.logger.change_master(master.peer)
    box.logger.watch(master.peer)
    box.logger.set_standby(peer)
    for process in (master.process, standby):
        process.begin()
    yield box, master, (standby, peer)
    master.die()
    box.close()


def pass_on(box: Stepped, numbers: range, *processes: Process) -> list[int]:
    box.arrive(numbers.start, len(numbers))
    for _ in range(4):
        box.step_loggers()
        for process in processes:
            box.run(process)
    box.step_loggers()
    return box.released()


def test_an_armed_standby_follows_by_itself(protected: Any) -> None:
    box, master, (standby, peer) = protected
    assert pass_on(box, range(10), master.process, standby) == list(range(10))
    box.logger.arm(peer)
    assert box.logger.take_succession() is None
    master.die()
    box.step_loggers()
    succession = box.logger.take_succession()
    assert succession is not None and succession.has_succeeded and succession.epoch == 2
    assert box.logger.take_succession() is None  # told once
    assert pass_on(box, range(10, 20), standby) == list(range(10, 20))


def disarm(box: Stepped, peer: Peer) -> None:
    box.logger.arm(peer)
    box.logger.arm(None)


def change_the_master(box: Stepped, peer: Peer) -> None:
    box.logger.arm(peer)
    box.logger.change_master(None)


@pytest.mark.parametrize("change", [disarm, change_the_master])
def test_nobody_follows_who_is_not_armed_any_more(
    protected: Any, change: Callable[[Stepped, Peer], None]
) -> None:
    box, master, (_, peer) = protected
    change(box, peer)
    master.die()
    box.step_loggers()
    assert box.logger.take_succession() is None
    assert box.logger.counts()["epoch"] == 1


def test_the_dead_are_never_promoted() -> None:
    box = Stepped()
    master, standby = Mortal(box, 1), Mortal(box, 2)
    box.logger.change_master(master.peer)
    box.logger.watch(master.peer)
    box.logger.set_standby(standby.peer)
    for mortal in (master, standby):
        mortal.process.begin()
    box.logger.arm(standby.peer)
    standby.die()
    master.die()
    box.step_loggers()
    assert box.logger.take_succession() is None
    assert box.logger.counts()["epoch"] == 1
    box.close()
