# SPDX-License-Identifier: BSD-3-Clause
"""From the start of `ftmb up`, as a process of its own, to the first packet that comes through.

Packets are offered all the while; when the first came to the server's end of the wire, the
generator says.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tomli_w

from benchmarks.real_box import PATIENCE_S, Sender, box_data, run_directory
from benchmarks.spread import spread
from ftmb import orchestrator
from ftmb.errors import NotRunningError
from ftmb.lab import Lab

RATE = 1000
FLOWS = 1000


def one_start(sender: Sender, data: dict[str, Any], folder: Path) -> dict[str, float]:
    """Seconds until the first packet, and until `ftmb up` says that the box is protected."""
    text = folder / f"{data['name']}.toml"
    text.write_text(tomli_w.dumps(data))
    sender.send_at(RATE)
    try:
        began = time.monotonic()
        command = subprocess.run(
            [sys.executable, "-m", "ftmb", "up", str(text)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
        )
        protected_s = time.monotonic() - began
        if command.returncode != 0:
            raise RuntimeError(command.stdout.decode())
        return {"first_packet_s": _first(sender) - began, "protected_s": protected_s}
    finally:
        with contextlib.suppress(NotRunningError):
            orchestrator.stop(data["name"])


def _first(sender: Sender) -> float:
    """The monotonic time at which the first packet came through; waits for it."""
    deadline = time.monotonic() + PATIENCE_S
    while not sender.received and time.monotonic() < deadline:
        time.sleep(0.01)
    trial = sender.stop()
    if trial is None or trial.out.first_ns is None:
        raise TimeoutError("no packet came through")
    return (trial.start_ns + trial.out.first_ns) / 1e9


def measure(rounds: int) -> dict[str, Any]:
    """So many starts."""
    taken = []
    with run_directory() as folder, Lab("bench") as lab, Sender(lab, FLOWS) as sender:
        for number in range(rounds):
            data = box_data(lab, f"bench-start-{os.getpid()}-{number}", FLOWS)
            taken.append(one_start(sender, data, folder))
    return {
        "first_packet_s": spread([one["first_packet_s"] for one in taken]),
        "protected_s": spread([one["protected_s"] for one in taken]),
        "command": f"python -m benchmarks start --rounds {rounds}",
    }
