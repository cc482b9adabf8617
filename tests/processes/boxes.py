# SPDX-License-Identifier: BSD-3-Clause
"""What tests of real boxes share."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftmb import orchestrator
from ftmb.lab import Host, Lab

PATIENCE_S = 20.0
Status = dict[str, Any]


def box_processes() -> list[str]:
    """Command lines of processes that belong to any box of this test's run directory."""
    mark = os.environ.get("FTMB_RUN_DIRECTORY", "/run/ftmb")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if mark in line:
                found.append(line)
    return found


def wait_for(condition: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = orchestrator.status("test")
        if condition(status):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


def pings(lab: Lab, count: int = 3) -> None:
    """From a client through the NAT to a server; all must come back."""
    ping = lab.run(
        Host.CLIENT, ["ping", "-c", str(count), "-i", "0.05", "-W", "5", lab.addresses.server]
    )
    assert ping.wait(10) == 0, ping.output()
    assert " 0% packet loss" in ping.output()


def fail(status: Status, who: str, number: signal.Signals) -> int:
    pid: int = status["processes"][who]["pid"]
    os.kill(pid, number)
    return pid
