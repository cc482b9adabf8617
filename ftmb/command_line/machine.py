# SPDX-License-Identifier: BSD-3-Clause
"""What this machine must have before a box may be started on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ftmb.errors import StartError


def require_machine(box: dict[str, Any]) -> None:
    """Raises StartError with everything that the machine lacks for this box."""
    problems = list(_problems(box))
    if problems:
        raise StartError("the box cannot start here:\n  " + "\n  ".join(problems))


def _problems(box: dict[str, Any]) -> Iterator[str]:
    if os.geteuid() != 0:
        yield "no privileges for ports and locked memory: run it as root (sudo ftmb up ...)"
    available = os.sched_getaffinity(0)
    shown = ", ".join(map(str, sorted(available)))
    wanted = {
        "workers.cores": box["workers"]["cores"] or [],
        "standby.cores": box["standby"]["cores"] or [],
        "logger.core": [] if box["logger"]["core"] is None else [box["logger"]["core"]],
    }
    for key, cores in wanted.items():
        missing = sorted(set(cores) - available)
        if missing:
            listed = ", ".join(map(str, missing))
            yield f"{key}: there is no core {listed}; this machine has {shown}"
