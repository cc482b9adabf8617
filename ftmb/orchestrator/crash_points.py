# SPDX-License-Identifier: BSD-3-Clause
"""The orchestrator's own crash points: between any two of its steps it may die.

One is armed when it is started, by the environment variable FTMB_CRASH_AT; what it starts does not
inherit it.
"""

from __future__ import annotations

import os
import signal

from ftmb.crash_points import CrashPoint, When

VARIABLE = "FTMB_CRASH_AT"

ORCHESTRATOR_POINTS = (
    CrashPoint("orchestrator-before-logger", "with nothing started yet", When.START),
    CrashPoint("orchestrator-logger-started", "not connected to it yet", When.START),
    CrashPoint("orchestrator-connected", "before the box knows of it", When.ATTACH),
    CrashPoint("orchestrator-announced", "before it answers any request", When.ATTACH),
    CrashPoint("orchestrator-before-ready", "protected, and nobody told of it", When.ATTACH),
    CrashPoint("orchestrator-before-spawn", "asked for a replica, none started", When.SPAWN),
    CrashPoint("orchestrator-after-spawn", "a replica started and not noted", When.SPAWN),
    CrashPoint("orchestrator-reaping", "with a replica's end taken in and not noted", When.SPAWN),
    CrashPoint("orchestrator-recounting", "before it tells which are missing", When.SPAWN),
    CrashPoint("orchestrator-log-copied", "a long log copied, not yet emptied", When.LOG),
    CrashPoint("orchestrator-before-end", "told to end, nothing ended", When.END),
    CrashPoint("orchestrator-logger-ended", "replicas not yet seen to end", When.END),
    CrashPoint("orchestrator-before-clean-up", "all ended, the folder left", When.END),
)

_armed: str | None = None


def arm_from_environment() -> None:
    """Takes the variable out of the environment; ValueError: there is no such point."""
    global _armed
    _armed = os.environ.pop(VARIABLE, None)
    if _armed is not None and _armed not in {point.name for point in ORCHESTRATOR_POINTS}:
        raise ValueError(f"{VARIABLE}: the orchestrator has no crash point {_armed!r}")


def crash_point(name: str) -> None:
    """Dies here, with nothing cleaned up, if this is the point that is armed."""
    if _armed == name:
        os.kill(os.getpid(), signal.SIGKILL)
