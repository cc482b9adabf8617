# SPDX-License-Identifier: BSD-3-Clause
"""Crash points of replicas: which there are, and that only the one that is armed ends a process.

That each is where it says, and what a box makes of it, is tests/drill/test_crash_points.py's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from ftmb._native import crash_points
from ftmb.crash_points import When, all_points

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


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


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
