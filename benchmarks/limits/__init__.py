# SPDX-License-Identifier: BSD-3-Clause
"""What limits a box: counted under valgrind, priced with what this machine was measured to take.

`counted` counts each role's instructions and missed lines, costs.c measures what a line from
another core, a load and a copy take here, `prices` puts both together, `words` says it for a
target.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.limits import counted
from benchmarks.rig import available_cores
from ftmb.errors import FtmbError

ELEMENTS = ("forward", "monitor", "nat")
SIDES = ("protected", "unprotected")
FLOWS = (10_000, 1_000_000)
LARGE = 1500
LOG_MIB, SMALL_LOG_MIB = 64, 4  # what the other benchmarks have, and what an L3 holds
TURN = re.compile(r"^#define (TURN_NS\w*) (\d+)U", re.MULTILINE)
IDLE_HEADER = Path("native/host/idle.h")


def case_of(element: str, flows: int, side: str, size: int = 64, log_mib: int = LOG_MIB) -> str:
    """As stepped.py reads it."""
    return f"{element}:{size}:{flows}:{side}:{log_mib}"


def cases(*, quick: bool) -> list[str]:
    """What is counted."""
    chosen = FLOWS[:1] if quick else FLOWS
    small = [case_of(e, f, side) for f in chosen for e in ELEMENTS for side in SIDES]
    elements = ("forward",) if quick else ("forward", "nat")
    large = [
        case_of(element, FLOWS[0], "protected", LARGE, log_mib)
        for element in elements
        for log_mib in (LOG_MIB, SMALL_LOG_MIB)
    ]
    return small + large


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
        "counted": counted.count(cases(quick=quick)),
        "turns_ns": turns_ns(),
        "command": "python -m benchmarks limits" + (" --quick" if quick else ""),
    }
