# SPDX-License-Identifier: BSD-3-Clause
"""Crash points: named places at which a process of a box can be told to die by itself.

Those of master, standby and spare stand in native/host/crash_point.h, the orchestrator's in
orchestrator/crash_points.py. A name begins with the role of the process that is told. The logger
process has none: it is trusted to live.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class When(Enum):
    """What has to happen in the box for an armed point to be reached."""

    TRAFFIC = "packets and ticks"
    FAILOVER = "the master fails"
    SNAPSHOT = "the standby fails"
    START = "the box is started"
    ATTACH = "an orchestrator is started for a box that has none"
    SPAWN = "a spare fails"
    LOG = "the box's log gets too long"
    END = "the orchestrator is told to end"


@dataclass(frozen=True)
class CrashPoint:
    """`loses_state`: who dies is the only one that has the state; the box must say so."""

    name: str
    help: str
    when: When
    loses_state: bool = False

    @property
    def value(self) -> str:
        """As a drill's other failures say what they are."""
        return f"{self.name} ({self.help})"

    @property
    def role(self) -> str:
        """Of the process that is told: master, standby, spare or orchestrator."""
        return self.name.split("-")[0]


def all_points() -> dict[str, CrashPoint]:
    """By name, in the order of the protocol."""
    from ftmb._native.crash_points import replica_points
    from ftmb.orchestrator.crash_points import ORCHESTRATOR_POINTS

    return {point.name: point for point in (*replica_points(), *ORCHESTRATOR_POINTS)}
