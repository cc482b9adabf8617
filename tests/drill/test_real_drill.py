# SPDX-License-Identifier: BSD-3-Clause
"""The drill with the real box: what `make drill` does, shorter."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftmb import orchestrator
from ftmb.command_line import ExitStatus, run
from ftmb.drill.main_job import run_drill
from ftmb.drill.settings import DrillSettings
from ftmb.lab import Host, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

CONNECTIONS = 60
CONFIGURATION = """\
name = "running"
network_namespace = "{namespace}"

[[port]]
name = "inside"
device = "inside"
addresses = ["10.77.0.1/24"]

[[port]]
name = "outside"
device = "outside"
addresses = ["198.51.100.1/24"]

[[element]]
element = "nat"
inside = "inside"
outside = "outside"
external = ["198.51.100.1"]
inside_address = "10.77.0.1"

[workers]
count = 2

[memory]
arena_mib = 256

[metrics]
port = 0
"""


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))


def test_nothing_is_lost_over_three_kinds_of_failure(tmp_path: Path) -> None:
    settings = DrillSettings(
        seed=11,
        times=3,
        connections=CONNECTIONS,
        udp_rate=2000,
        tcp_mbit=5,
        downloads=2,
        download_mib=1,
        warm_up_s=1.0,
        settle_s=1.0,
        contrast=False,
        output=tmp_path / "report",
    )
    status = run_drill(settings)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["broken_guarantees"] == []
    assert status == ExitStatus.OK
    assert report["kills"] == 3
    assert {failure["kind"] for failure in report["failures"]} == {"KILL", "SEGV", "STOP"}
    assert report["udp"]["sent"] > 0
    assert report["udp"]["lost"] == report["udp"]["duplicated"] == 0
    assert report["tcp"]["connections"] >= CONNECTIONS and report["tcp"]["broken"] == 0
    assert report["digest"]["compared"] > 0 and report["digest"]["mismatched"] == 0
    assert report["http"]["checksums_ok"] > 0
    assert report["unprotected_run"] is None
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


@pytest.fixture
def configuration(tmp_path: Path) -> Iterator[Path]:
    """Of a box that `ftmb up` can start; down again at the end."""
    with Lab("drill") as lab:
        path = tmp_path / "running.toml"
        path.write_text(CONFIGURATION.format(namespace=lab.namespace(Host.BOX)))
        yield path
        run(["down", "running"])


@pytest.mark.parametrize("victim", ["master", "standby"])
def test_a_box_that_was_started_by_hand_is_drilled(configuration: Path, victim: str) -> None:
    assert run(["up", str(configuration)]) == ExitStatus.OK
    drill = ["drill", "--config", str(configuration), "--kill", victim, "--times", "2"]
    assert run([*drill, "--signal", "KILL", "--signal", "STOP", "--seed", "5"]) == ExitStatus.OK
    found = orchestrator.status("running")
    assert found["state"] == "protected"
    assert found["failover_count"] == (2 if victim == "master" else 0)
    assert found["state_losses"] == found["digest"]["mismatched"] == 0
    assert run(["down"]) == ExitStatus.OK
    assert run(["status"]) == ExitStatus.NOT_STARTED


def test_a_box_that_does_not_run_is_not_drilled(configuration: Path) -> None:
    assert run(["drill", "--config", str(configuration)]) == ExitStatus.NOT_STARTED
