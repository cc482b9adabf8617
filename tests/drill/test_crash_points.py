# SPDX-License-Identifier: BSD-3-Clause
"""Every crash point of every process, one after the other in a real box under real traffic.

The drills run once for all points; each test looks at what its point made of the box.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.command_line import ExitStatus, run
from ftmb.crash_points import CrashPoint, When, all_points
from ftmb.drill.main_job import run_drill
from ftmb.drill.settings import DrillSettings
from ftmb.lab import Host, Lab
from tests.drill.test_real_drill import CONFIGURATION

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

POINTS = list(all_points().values())
KEEPING = tuple(point for point in POINTS if not point.loses_state)
LOSING = tuple(point for point in POINTS if point.loses_state)
CONNECTIONS = 40
Drill = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Drill]:
    """A drill's exit status and report."""

    @cache
    def drill(points: tuple[CrashPoint, ...]) -> Drill:
        folder = tmp_path_factory.mktemp("drill")
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("FTMB_RUN_DIRECTORY", str(folder / "run"))
            settings = DrillSettings(
                seed=29,
                crash_at=points,
                times=len(points),
                connections=CONNECTIONS,
                udp_rate=2000,
                tcp_mbit=5,
                downloads=2,
                download_mib=1,
                download_patience_s=3.0,
                warm_up_s=1.0,
                settle_s=1.0,
                contrast=False,
                output=folder / "report",
            )
            status = run_drill(settings)
        assert not list((folder / "run").glob("*"))
        return status, json.loads((folder / "report" / "report.json").read_text())

    return drill


def outcome_of(report: dict[str, Any], point: CrashPoint) -> dict[str, Any]:
    (found,) = (failure for failure in report["failures"] if failure["kind"] == point.name)
    return dict(found)


@pytest.mark.parametrize("point", KEEPING, ids=lambda point: point.name)
def test_a_box_that_has_its_state_twice_loses_nothing(
    drilled: Callable[..., Drill], point: CrashPoint
) -> None:
    _, report = drilled(KEEPING)
    outcome = outcome_of(report, point)
    assert outcome["problems"] == []
    assert outcome["protected_again_ms"] is not None
    fails_the_master = point.role == "master" and point.when is When.TRAFFIC
    under_traffic = point.when not in (When.START, When.END)
    is_failed_besides = point.role == "orchestrator" and under_traffic
    assert (outcome["cause"] is not None) == (fails_the_master or is_failed_besides)


@pytest.mark.parametrize("point", LOSING, ids=lambda point: point.name)
def test_where_nobody_else_has_the_state_its_loss_is_said(
    drilled: Callable[..., Drill], point: CrashPoint
) -> None:
    """And the box goes on, protected again, without losing or doubling a packet."""
    _, report = drilled(LOSING)
    outcome = outcome_of(report, point)
    assert outcome["problems"] == []
    assert outcome["protected_again_ms"] is not None


def test_no_crash_point_breaks_what_the_outside_sees(drilled: Callable[..., Drill]) -> None:
    for points in (KEEPING, LOSING):
        status, report = drilled(points)
        assert report["broken_guarantees"] == []
        assert status == ExitStatus.OK
        assert report["udp"]["sent"] > 0 and report["udp"]["lost"] == 0
        assert report["udp"]["duplicated"] == report["udp"]["strange"] == 0
        assert report["digest"]["compared"] > 0 and report["digest"]["mismatched"] == 0
    kept = drilled(KEEPING)[1]
    assert kept["tcp"]["connections"] >= CONNECTIONS and kept["tcp"]["broken"] == 0
    assert kept["http"]["failed"] == kept["ping"]["lost"] == 0


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The configuration of a box that is up; down again at the end."""
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    with Lab("drill") as lab:
        path = tmp_path / "running.toml"
        path.write_text(CONFIGURATION.format(namespace=lab.namespace(Host.BOX)))
        assert run(["up", str(path)]) == ExitStatus.OK
        yield path
        assert run(["down", "running"]) == ExitStatus.OK


def test_a_running_box_can_be_failed_at_points(running: Path) -> None:
    drill = ["drill", "--config", str(running), "--seed", "5"]
    points = ("standby-in-replay", "master-after-publish", "orchestrator-announced")
    asked = [word for point in points for word in ("--crash-at", point)]
    assert run([*drill, *asked]) == ExitStatus.OK
    found = orchestrator.status("running")
    assert found["state"] == "protected" and found["state_losses"] == 0
    assert found["failover_count"] == 2


def test_a_point_that_is_not_reached_is_an_error_and_not_left_armed(
    running: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A NAT has no shared variables."""
    monkeypatch.setattr("ftmb.drill.crashes.REACHED_PATIENCE_S", 0.5)
    before = orchestrator.status("running")
    drill = ["drill", "--config", str(running), "--crash-at", "master-in-hand-over"]
    assert run(drill) == ExitStatus.NOT_STARTED
    assert "nothing came to master-in-hand-over" in capsys.readouterr().err
    master = before["processes"]["master"]
    deadline = time.monotonic() + 10.0
    while orchestrator.status("running")["processes"]["master"] != master:  # none is armed there
        assert time.monotonic() < deadline
        time.sleep(0.01)
