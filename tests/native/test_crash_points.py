# SPDX-License-Identifier: BSD-3-Clause
"""Crash points of replicas: which there are, and that only the one that is armed ends a process.

That each is where it says, and what a box makes of it, is tests/drill/test_crash_points.py's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator

import pytest

from ftmb._native import crash_points
from ftmb._native.check import NativeError
from ftmb._native.logger import Peer
from ftmb._native.process import Process
from ftmb.crash_points import When, all_points
from tests.native.test_succession import MONITOR, Stepped, records_of

STEPS = """
import sys
from ftmb._native import crash_points
from tests.native.test_succession import Stepped, MONITOR
crash_points.arm(sys.argv[1])
if len(sys.argv) > 2:
    crash_points.arm(None if sys.argv[2] == "none" else sys.argv[2])
box = Stepped(MONITOR)
master, peer = box.replica(1)
box.logger.change_master(peer)
box.arrive(0, 10, size=60)
box.run(master, 4)
assert box.released() == list(range(10))
"""


def end_of(*arguments: str) -> int:
    """The status of a process with a master in it, in which these points are armed in turn."""
    program = [sys.executable, "-c", STEPS, *arguments]
    return subprocess.run(program, stderr=subprocess.PIPE, timeout=60).returncode


def test_names_say_who_dies() -> None:
    points = all_points()
    roles = {point.role for point in points.values()}
    assert roles == {"master", "standby", "spare", "orchestrator"}
    for name, point in points.items():
        assert point.name == name and point.help
        assert not point.loses_state or point.role in ("master", "standby")
        assert point.when is not When.FAILOVER or point.role == "standby"


@pytest.mark.parametrize(
    ("armed", "number"),
    [
        ("master-in-element", signal.SIGSEGV),
        ("master-before-publish", signal.SIGKILL),
        ("master-in-hand-over", signal.SIGKILL),
        ("standby-going-live", signal.SIGKILL),
    ],
)
def test_what_is_armed_ends_the_process(armed: str, number: signal.Signals) -> None:
    assert end_of(armed) == -number


@pytest.mark.parametrize("armed", ["standby-in-replay", "master-snapshot-held"])
def test_what_is_armed_elsewhere_ends_nobody(armed: str) -> None:
    assert end_of(armed) == 0


def test_the_last_word_counts() -> None:
    assert end_of("standby-in-replay", "master-in-element") == -signal.SIGSEGV
    assert end_of("master-in-element", "standby-in-replay") == 0
    assert end_of("master-in-element", "none") == 0


def test_a_point_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no crash point 'nowhere'"):
        crash_points.arm("nowhere")


def in_child(work: Callable[[], object]) -> int:
    """How a child that does this work ends: 0, or by which signal, or 256 when it fails."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    return os.waitpid(child, 0)[1]


@pytest.fixture
def stepped() -> Iterator[tuple[Stepped, Process, Peer]]:
    """A live master to which ten packets have come."""
    box = Stepped(MONITOR)
    master, peer = box.replica(1)
    box.logger.change_master(peer)
    box.run(master, 3)
    box.arrive(0, 10, size=60)
    yield box, master, peer
    for process in box.processes:
        process.close()
    box.logger.close()
    for port in box.ports.values():
        port.close()


@pytest.mark.parametrize(
    ("armed", "published"), [("master-before-publish", 0), ("master-after-publish", 1)]
)
def test_a_record_is_published_or_not(
    stepped: tuple[Stepped, Process, Peer], armed: str, published: int
) -> None:
    """The output log is shared with the process that dies."""
    box, master, peer = stepped
    before = len(records_of(box, peer, 0))

    def work() -> None:
        crash_points.arm(armed)
        master.step(0)

    assert in_child(work) == signal.SIGKILL
    assert len(records_of(box, peer, 0)) == before + published


def test_a_child_that_dies_leaves_half_a_snapshot_and_the_next_one_is_whole(
    stepped: tuple[Stepped, Process, Peer],
) -> None:
    box, master, _ = stepped
    spare, _ = box.replica(2)

    def work() -> None:
        crash_points.arm("master-snapshot-child")
        descriptors = [os.memfd_create("snapshot") for _ in range(2)]
        ends = [os.waitpid(master.begin_snapshot(each).child, 0)[1] for each in descriptors]
        assert ends == [signal.SIGKILL, 0]
        half, whole = (os.fstat(each).st_blocks for each in descriptors)
        assert 0 < half < whole
        with pytest.raises(NativeError):
            spare.load_snapshot(descriptors[0])
        spare.load_snapshot(descriptors[1])

    assert in_child(work) == 0


def test_the_orchestrator_is_armed_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from ftmb.orchestrator import crash_points as points

    monkeypatch.setattr(points, "_armed", None)
    monkeypatch.setenv(points.VARIABLE, "orchestrator-reaping")
    points.arm_from_environment()
    assert points.VARIABLE not in os.environ
    assert in_child(lambda: points.crash_point("orchestrator-recounting")) == 0
    assert in_child(lambda: points.crash_point("orchestrator-reaping")) == signal.SIGKILL
    monkeypatch.setenv(points.VARIABLE, "master-in-element")
    with pytest.raises(ValueError, match="no crash point 'master-in-element'"):
        points.arm_from_environment()
    points.arm_from_environment()
    assert in_child(lambda: points.crash_point("orchestrator-reaping")) == 0
