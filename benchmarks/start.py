# SPDX-License-Identifier: BSD-3-Clause
"""From the start of `ftmb up`, as a process of its own, to the first packet that comes through.

Frames are offered all the while; at the server's end of the wire a packet socket waits for
the first.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import tomli_w

from benchmarks.real_box import PATIENCE_S, box_data, run_directory, start_sender
from benchmarks.spread import spread
from ftmb import orchestrator
from ftmb.errors import NotRunningError
from ftmb.lab import Host, Lab, namespaces

RATE = 1000
FLOWS = 1000
ETHER_TYPE_IP = 0x0800


def one_start(lab: Lab, folder: Path, number: int) -> dict[str, float]:
    """Seconds until the first packet, and until `ftmb up` says that the box is protected."""
    name = f"bench-start-{os.getpid()}-{number}"
    text = folder / f"{name}.toml"
    text.write_text(tomli_w.dumps(box_data(lab, name, FLOWS)))
    waiting = namespaces.call(lab.namespace(Host.SERVER), _listening)
    try:
        began = time.monotonic()
        command = subprocess.Popen(
            [sys.executable, "-m", "ftmb", "up", str(text)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if not select.select([waiting], [], [], PATIENCE_S)[0]:
            raise TimeoutError("no packet came through")
        first = time.monotonic() - began
        output, _ = command.communicate(timeout=PATIENCE_S)
        if command.returncode != 0:
            raise RuntimeError(output.decode())
        return {"first_packet_s": first, "protected_s": time.monotonic() - began}
    finally:
        waiting.close()
        with contextlib.suppress(NotRunningError):
            orchestrator.stop(name)


def _listening() -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE_IP))
    opened.bind(("eth0", ETHER_TYPE_IP))
    return opened


def measure(rounds: int) -> dict[str, Any]:
    """So many starts."""
    taken = []
    with run_directory() as folder, Lab("bench") as lab:
        control = start_sender(lab, folder, FLOWS)
        control["rate"] = RATE
        for number in range(rounds):
            taken.append(one_start(lab, folder, number))
    return {
        "first_packet_s": spread([one["first_packet_s"] for one in taken]),
        "protected_s": spread([one["protected_s"] for one in taken]),
        "command": f"python -m benchmarks start --rounds {rounds}",
    }
