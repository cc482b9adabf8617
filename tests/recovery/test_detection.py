# SPDX-License-Identifier: BSD-3-Clause
"""Heartbeats: a worker that stands still is noticed, a machine that stood still is forgiven."""

from __future__ import annotations

from ftmb.recovery.detection import HeartbeatWatch


def looks(watch: HeartbeatWatch, beats: list[tuple[float, list[int]]]) -> list[bool]:
    return [watch.is_hung(now, heartbeats) for now, heartbeats in beats]


def test_beating_workers_are_well() -> None:
    watch = HeartbeatWatch(0.1, 0.0)
    assert not any(looks(watch, [(t / 100, [t, t]) for t in range(100)]))


def test_one_worker_that_stands_still_is_enough() -> None:
    watch = HeartbeatWatch(0.1, 0.0)
    seen = looks(watch, [(t / 100, [t, min(t, 5)]) for t in range(20)])
    assert seen.index(True) in (15, 16)  # the last change was seen at 50 ms, the bound is 100


def test_a_late_watcher_concludes_little() -> None:
    """Each look vouches for a quarter of the bound at most."""
    watch = HeartbeatWatch(0.1, 0.0)
    assert looks(watch, [(0.0, [1]), (5.0, [1]), (10.0, [1]), (15.0, [1])]) == [False] * 4
    assert watch.is_hung(20.0, [1])
    assert not watch.is_hung(25.0, [2])
