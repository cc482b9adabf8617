# SPDX-License-Identifier: BSD-3-Clause
"""The command as it is typed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftmb.lab import namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.peers", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def names_of(pid: int) -> list[str]:
    return [name for name in namespaces.names() if f"-{pid}-" in name]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_ctrl_c_takes_all_of_it_down() -> None:
    command = start("--quick")
    deadline = time.monotonic() + 30
    started: list[int] = []
    while not started and time.monotonic() < deadline:
        started = children_of(command.pid)
        time.sleep(0.05)
    time.sleep(1.0)  # wherever that is: between, or in the middle of what the generator sends
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=30)
    assert started
    assert command.returncode == 130, errors
    assert "interrupted" in errors
    assert names_of(command.pid) == []
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    command = start("--quick")
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 3
    assert "keepalived" in errors and "scripts/setup.sh" in errors


def test_a_wrong_option_is_told() -> None:
    command = start("--rounds", "0")
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 2
    assert "--rounds" in errors
