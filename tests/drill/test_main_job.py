# SPDX-License-Identifier: BSD-3-Clause
"""The drill as a whole, against a box made of the kernel's forwarding."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftmb.drill.main_job import run_drill
from ftmb.drill.settings import DrillSettings
from ftmb.lab import namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def settings(output: Path) -> DrillSettings:
    return DrillSettings(
        seed=3,
        times=3,
        connections=40,
        udp_rate=2000,
        tcp_mbit=10,
        downloads=2,
        download_mib=1,
        warm_up_s=0.5,
        settle_s=0.5,
        output=output,
    )


def test_a_drill_that_keeps_every_guarantee(
    orchestrated: Callable[..., Any], tmp_path: Path
) -> None:
    fake = orchestrated()
    assert run_drill(settings(tmp_path)) == 0
    assert not fake.boxes
    assert not [name for name in namespaces.names() if f"-{os.getpid()}-" in name]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["kills"] == 3
    assert {failure["kind"] for failure in report["failures"]} == {"KILL", "SEGV", "STOP"}
    assert [f["fenced"] for f in report["failures"] if f["kind"] == "STOP"] == [True]
    for run in (report, report["unprotected_run"]):
        assert set(run["udp"]) >= {"sent", "lost", "duplicated", "reordered"}
        assert set(run["tcp"]) >= {"connections", "broken", "stall_ms_max"}
        assert run["http"]["checksums_ok"] > 0
        for key in ("detect_ms", "failover_ms", "protected_again_ms"):
            assert set(run[key]) == {"p50", "max"}
        assert set(run["digest"]) == {"compared", "mismatched"}
    assert report["udp"]["lost"] == 0 and report["tcp"]["connections"] == 44
    assert report["failover_ms"]["max"] < 1000
    assert report["unprotected_run"]["udp"]["lost"] > 0
    page = (tmp_path / "report.html").read_text()
    assert "data:image/png;base64," in page and "http://" not in page.split("<details>")[0]
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_a_drill_that_loses_packets_says_so(
    orchestrated: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    orchestrated(protected_loses_s=0.2)
    assert run_drill(replace(settings(tmp_path), times=1, contrast=False)) == 1
    assert "datagrams were lost" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["broken_guarantees"] and report["unprotected_run"] is None
