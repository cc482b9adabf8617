# SPDX-License-Identifier: BSD-3-Clause
"""What is measured is kept, however the run ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import command_line, plan
from benchmarks.report import store


def interrupted() -> dict[str, Any]:
    raise KeyboardInterrupt


def broken() -> dict[str, Any]:
    raise RuntimeError("3 of 10 packets are missing")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / store.FOLDER


def test_ctrl_c_keeps_what_was_measured(folder: Path) -> None:
    steps = [plan.Step("one", 1, lambda: {"one": {"figure": 1}}), plan.Step("two", 1, interrupted)]
    with pytest.raises(SystemExit) as ended:
        command_line.run(steps)
    assert ended.value.code == 130
    assert store.load(folder)["one"] == {"figure": 1}
    assert (folder / "report.html").exists()


def test_one_that_fails_does_not_stop_the_others(folder: Path) -> None:
    steps = [plan.Step("bad", 1, broken), plan.Step("good", 1, lambda: {"good": {"figure": 2}})]
    with pytest.raises(SystemExit) as ended:
        command_line.run(steps)
    assert ended.value.code == 1
    report = store.load(folder)
    assert report["good"] == {"figure": 2} and "bad" not in report


def test_every_measurement_has_a_command_that_is_told() -> None:
    runner = CliRunner()
    told = runner.invoke(command_line.main, ["--help"]).output
    for name in ("all", "throughput", "sizes", "pipelined", "shared", "latency", "log-bytes",
                 "memory", "start", "failover", "scaling", "limits",
                 "document"):  # fmt: skip
        assert name in told
        assert runner.invoke(command_line.main, [name, "--help"]).exit_code == 0


def test_the_whole_plan_is_bounded() -> None:
    whole = list(plan.steps(quick=False, rounds=plan.ROUNDS))
    quick = list(plan.steps(quick=True, rounds=plan.ROUNDS_QUICK))
    assert sum(step.seconds for step in whole) < 15 * 60
    assert sum(step.seconds for step in quick) < 4 * 60
    kinds = {step.name.split(",")[0] for step in whole}
    assert kinds == {step.name.split(",")[0] for step in quick}
