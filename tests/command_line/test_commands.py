# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import ftmb
from ftmb.command_line import run
from ftmb.errors import StartError

GOOD = """\
name = "lab"
[[port]]
name = "a"
device = "eth0"
[[element]]
element = "forward"
first = "a"
second = "a"
"""

STATUS: dict[str, Any] = {
    "name": "lab",
    "state": "protected",
    "epoch": 3,
    "processes": {
        "orchestrator": {"pid": 10},
        "logger": {"pid": 11},
        "master": {"pid": 12, "epoch": 3},
        "standby": None,
    },
    "failovers": [
        {
            "epoch": 3,
            "cause": "hangup",
            "lost_state": False,
            "detected_ns": 1_000_000,
            "live_ns": 3_500_000,
            "first_output_ns": 4_000_000,
            "protected_again_ns": None,
            "snapshot_pause_ns": 700_000,
        }
    ],
    "ports": {
        "a": {
            "received": 1234567,
            "received_bytes": 9,
            "sent": 1,
            "sent_bytes": 2,
            "missed": 0,
            "drops": {"short": 4},
        }
    },
    "drops": {"forward": {"no_port": 5}},
    "digest": {"compared": 77, "mismatched": 0},
    "cut": [1, 2],
    "log_fill": {"input": 0.1},
}


class FakeOrchestrator:
    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.observed = dict(STATUS)
        self.refusal: str | None = None

    def start(self, configuration: dict[str, Any], *, foreground: bool) -> None:
        if self.refusal:
            raise StartError(self.refusal)
        self.started.append(configuration)

    def stop(self, name: str) -> None:
        self.stopped.append(name)

    def status(self, name: str) -> dict[str, Any]:
        return self.observed


@pytest.fixture
def orchestrator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeOrchestrator:
    fake = FakeOrchestrator()
    monkeypatch.setattr(ftmb, "orchestrator", fake, raising=False)
    monkeypatch.setitem(sys.modules, "ftmb.orchestrator", fake)
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return fake


@pytest.fixture
def box(tmp_path: Path) -> Path:
    path = tmp_path / "box.toml"
    path.write_text(GOOD)
    return path


def make_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "run" / name
    folder.mkdir(parents=True)
    (folder / "control.sock").touch()


def test_help_has_examples_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "Exit status:" in capsys.readouterr().out
    for command in ("up", "down", "status", "check", "drill"):
        assert run([command, "--help"]) == 0
        assert "Example" in capsys.readouterr().out


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chek"]) == 2
    assert run(["drill", "--kill", "standby"]) == 2
    assert "--config" in capsys.readouterr().err
    assert run(["drill", "--crash-at", "nowhere"]) == 2
    assert "--crash-at list" in capsys.readouterr().err
    assert run(["drill", "--crash-at", "spare-loaded", "--kill", "master"]) == 2
    assert run(["drill", "--crash-at", "orchestrator-before-end", "--config", "box.toml"]) == 2
    assert "leave out --config" in capsys.readouterr().err


def test_crash_points_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    from ftmb.crash_points import all_points

    assert run(["drill", "--crash-at", "list"]) == 0
    shown = capsys.readouterr().out
    for point in all_points().values():
        assert f"{point.name} " in shown and point.help in shown


def test_check(
    orchestrator: FakeOrchestrator, box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(box)]) == 0
    box.write_text(GOOD + "[worker]\n[log]\n")
    assert run(["check", str(box)]) == 2
    errors = capsys.readouterr().err
    assert f"{box}:9: worker" in errors and f"{box}:10: log" in errors
    assert "2 problems" in errors and not orchestrator.started


def test_up_starts_the_box(orchestrator: FakeOrchestrator, box: Path) -> None:
    assert run(["up", str(box)]) == 0
    assert orchestrator.started[0]["pipeline"] == [
        {"element": "forward", "name": "forward", "options": {"first": "a", "second": "a"}}
    ]


def test_up_tells_why_a_box_cannot_start(
    orchestrator: FakeOrchestrator, box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orchestrator.refusal = "port eth0: no such interface"
    assert run(["up", str(box)]) == 3
    assert "no such interface" in capsys.readouterr().err


def test_up_names_everything_that_the_machine_lacks(
    orchestrator: FakeOrchestrator,
    box: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    box.write_text(GOOD + "[workers]\ncores = [1000]\n[logger]\ncore = 999\n")
    assert run(["up", str(box)]) == 3
    errors = capsys.readouterr().err
    assert "as root" in errors and "core 1000" in errors and "core 999" in errors
    assert not orchestrator.started


def test_status_and_down_find_the_only_box(
    orchestrator: FakeOrchestrator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status"]) == 3
    assert "ftmb up" in capsys.readouterr().err
    make_folder(tmp_path, "lab")
    assert run(["status"]) == 0
    shown = capsys.readouterr().out
    for text in ("protected", "1,234,567", "short 4", "no_port", "hangup", "3.0", "77 compared"):
        assert text in shown
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == STATUS
    (tmp_path / "run" / "left-over").mkdir()
    assert run(["status", "other"]) == 3
    assert run(["down"]) == 0
    assert orchestrator.stopped == ["lab"]
    make_folder(tmp_path, "edge")
    assert run(["down"]) == 3
    assert "edge, lab" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "expected"),
    [("protected", 0), ("unprotected", 4), ("protecting", 4), ("starting", 4), ("failed", 3)],
)
def test_the_exit_status_says_whether_it_is_protected(
    orchestrator: FakeOrchestrator, tmp_path: Path, state: str, expected: int
) -> None:
    make_folder(tmp_path, "lab")
    orchestrator.observed["state"] = state
    assert run(["status"]) == expected


def test_ctrl_c(orchestrator: FakeOrchestrator, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(orchestrator, "start", interrupted)
    assert run(["up", str(box)]) == 130
