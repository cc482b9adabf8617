# SPDX-License-Identifier: BSD-3-Clause
"""A short drill of each pipeline with the real box; the NAT's is in test_real_drill.py."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftmb.command_line import ExitStatus, run
from ftmb.drill.main_job import run_drill
from ftmb.drill.pipelines import NAT, PIPELINES
from ftmb.drill.pipelines.firewall_load_balancer import FIREWALL_LOAD_BALANCER
from ftmb.drill.pipelines.ids_nat import IDS_NAT
from ftmb.drill.pipelines.limiter_monitor import LIMITER_MONITOR
from ftmb.drill.settings import DrillSettings, Failure
from ftmb.drill.workload.alerts import PATTERN, Alerts
from ftmb.drill.workload.balanced import Balanced
from ftmb.drill.workload.denied import Denied
from ftmb.drill.workload.echo import EchoConnections
from ftmb.drill.workload.limited import Limited
from ftmb.drill.workload.monitor_counts import MonitorCounts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

CONNECTIONS = 24
OTHERS = [name for name in PIPELINES if name != NAT.name]


def is_true_of_monitor(report: dict[str, Any]) -> None:
    found = report["monitor"]
    assert found["counted"] == found["passed"] > report["udp"]["sent"]


def is_true_of_firewall(report: dict[str, Any]) -> None:
    found = report["denied"]
    assert found["tried"] == found["dropped"] > 0
    assert found["allowed_passed"] > 0


def is_true_of_firewall_load_balancer(report: dict[str, Any]) -> None:
    is_true_of_firewall(report)
    found = report["balanced"]
    assert found["drained"] == "backend3" and found["drained_got"] == found["moved"] == 0
    assert sorted(found["new"]) == ["backend1", "backend2", "backend3"]
    assert sorted(found["new_later"]) == ["backend1", "backend2"]


def is_true_of_limiter_monitor(report: dict[str, Any]) -> None:
    is_true_of_monitor(report)
    assert 0 < report["limited"]["passed"] < report["limited"]["offered"]
    assert report["limited_tcp"]["received_bytes"] > 0


def is_true_of_ids_nat(report: dict[str, Any]) -> None:
    found = report["alerts"]
    assert found["patterns"] > found["across"] > 0 and found["decoys"] > 0
    assert found["missing"] == found["doubled"] == found["invented"] == found["torn"] == 0


ALSO = {
    "ids-nat": is_true_of_ids_nat,
    "limiter-monitor": is_true_of_limiter_monitor,
    "monitor": is_true_of_monitor,
    "firewall": is_true_of_firewall,
    "firewall-load-balancer": is_true_of_firewall_load_balancer,
}


def drilled(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> tuple[int, dict[str, Any]]:
    """A drill's exit status and report."""
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    settings = DrillSettings(
        pipeline=name,
        seed=13,
        failures=(Failure.KILL, Failure.SEGV),
        times=times,
        connections=CONNECTIONS,
        udp_rate=1000,
        tcp_mbit=5,
        downloads=2,
        download_mib=1,
        warm_up_s=1.0,
        settle_s=0.5,
        contrast=False,
        output=tmp_path / "report",
    )
    status = run_drill(settings)
    return status, json.loads((tmp_path / "report" / "report.json").read_text())


@pytest.mark.parametrize("name", OTHERS)
def test_a_pipeline_keeps_its_guarantees_over_two_failures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, report = drilled(name, tmp_path, monkeypatch, times=2)
    assert report["broken_guarantees"] == []
    assert status == ExitStatus.OK
    assert report["pipeline"] == name and report["kills"] == 2
    assert report["udp"]["sent"] > 0 and report["udp"]["lost"] == 0
    assert report["tcp"]["connections"] >= CONNECTIONS and report["tcp"]["broken"] == 0
    assert report["digest"]["compared"] > 0 and report["digest"]["mismatched"] == 0
    ALSO[name](report)


def allow_all(data: dict[str, Any]) -> None:
    data["element"][0]["rules"].insert(0, "allow from any any any -> any")


def count_half(data: dict[str, Any]) -> None:
    data["element"][0]["sample_percent"] = 50


def lean_to_one(data: dict[str, Any]) -> None:
    FIREWALL_LOAD_BALANCER.adapt(data)
    backends = data["element"][1]["backends"]
    backends[0] += " weight 20"


def give_twice(data: dict[str, Any]) -> None:
    LIMITER_MONITOR.adapt(data)
    data["element"][0]["prefixes"] = ["10.77.0.130/32 upload 8M burst 500k"]


def look_for_half(data: dict[str, Any]) -> None:
    IDS_NAT.adapt(data)
    rules = data["element"][0]["rules"]
    rules[-1] = rules[-1].replace(PATTERN, PATTERN[: len(PATTERN) // 2])


@pytest.mark.parametrize(
    ("name", "part", "spoil", "told"),
    [
        ("firewall", Denied, allow_all, "packets passed that the rules forbid"),
        ("monitor", MonitorCounts, count_half, "packets were counted wrongly"),
        ("firewall-load-balancer", Balanced, lean_to_one, "backends got an uneven share"),
        ("ids-nat", Alerts, look_for_half, "alerts are of nothing that was sent"),
        ("limiter-monitor", Limited, give_twice, "passed a limit"),
    ],
)
def test_a_box_that_does_not_do_its_work_is_found_out(
    name: str,
    part: Any,
    spoil: Callable[[dict[str, Any]], None],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its own part of the traffic alone, beside the connections."""
    kept = [one for one in PIPELINES[name].parts if part in (one, getattr(one, "func", one))]
    spoiled = replace(PIPELINES[name], adapt=spoil, parts=(*kept, EchoConnections))
    monkeypatch.setitem(PIPELINES, name, spoiled)
    status, report = drilled(name, tmp_path, monkeypatch, times=1)
    assert status == ExitStatus.GUARANTEE_BROKEN
    assert any(told in line for line in report["broken_guarantees"])


def test_pipelines_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "--pipeline", "list"]) == ExitStatus.OK
    listed = capsys.readouterr().out
    assert all(line.split()[0] in PIPELINES for line in listed.splitlines())
    assert len(listed.splitlines()) == len(PIPELINES)


def test_a_pipeline_that_is_not_known_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "--pipeline", "nut"]) == ExitStatus.USAGE
    assert "--pipeline list" in capsys.readouterr().err
