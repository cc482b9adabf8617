# SPDX-License-Identifier: BSD-3-Clause
"""What limits a box: counted under valgrind, priced with what this machine was measured to take.

`cases` names what is counted, `counted` counts each role's instructions and missed lines, costs.c
measures what a line from another core, a load and a copy take here, `prices` puts both together,
`words` says it for a target.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.limits import cases, counted
from benchmarks.rig import available_cores
from ftmb.errors import FtmbError

TURN = re.compile(r"^#define (TURN_NS\w*) (\d+)U", re.MULTILINE)
IDLE_HEADER = Path("native/host/idle.h")


def measure_costs() -> dict[str, Any]:
    """Cycles; see costs.c. Without `hop` on a machine of one core."""
    cores = available_cores()
    command = [str(counted.BUILD / "costs"), str(cores[0]), str(cores[-1])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=counted.SECONDS_MAX)
    if done.returncode != 0:
        raise FtmbError(f"{command[0]} failed: {done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def turns_ns() -> dict[str, int]:
    """How long a role keeps a core that it shares, by the name of the constant."""
    return {name: int(value) for name, value in TURN.findall(IDLE_HEADER.read_text())}


def measure(*, quick: bool = False) -> dict[str, Any]:
    """FtmbError if what it needs is missing, with how to get it."""
    counted.require_valgrind()
    counted.build()
    return {
        "costs": measure_costs(),
        "caches": {name: size for name, (size, _) in counted.caches().items()},
        "counted": counted.count(cases.chosen(quick=quick)),
        "turns_ns": turns_ns(),
        "command": "python -m benchmarks limits" + (" --quick" if quick else ""),
    }
