# SPDX-License-Identifier: BSD-3-Clause
"""The middlebox under the drill: a protected (or, for contrast, unprotected) NAT in the lab."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, Protocol

from ftmb.errors import NotRunningError
from ftmb.lab import Host, Lab

Status = Mapping[str, Any]


class Box(Protocol):
    """What the drill needs of a running box."""

    def status(self) -> Status: ...

    def crash_at(self, point: str) -> int:
        """Makes a replica die at this crash point; which one."""


class RunningBox:
    """A box that somebody started, reached by its name."""

    def __init__(self, name: str) -> None:
        from ftmb import orchestrator

        self.name = name
        self._orchestrator = orchestrator

    def status(self) -> Status:
        observed: Status = self._orchestrator.status(self.name)
        return observed

    def crash_at(self, point: str) -> int:
        pid: int = self._orchestrator.crash_at(self.name, point)
        return pid

    def disarm(self) -> None:
        """No replica is to die at a crash point any more."""
        self._orchestrator.disarm(self.name)

    def lengthen_log(self) -> None:
        """Beyond what an orchestrator leaves as it is."""
        self._orchestrator.lengthen_log(self.name)

    def start_again(self, crash_at: str | None = None) -> None:
        """For a box that has lost its orchestrator, or has ended."""
        self._orchestrator.start_again(self.name, crash_at)


class LabBox(RunningBox):
    """The drill's own box; the caller stops it."""

    def __init__(self, lab: Lab, protection: str, *, shares_state: bool = False) -> None:
        name = f"drill-{os.getpid()}-{protection}"
        super().__init__(name)
        self.configuration = lab_data(lab, name, protection)
        if shares_state:  # flows of a NAT never meet: the monitor's counts do
            monitor = {"element": "monitor", "first": "inside", "second": "outside"}
            self.configuration["element"].insert(0, monitor)

    def start(self, **options: Any) -> None:
        """`crash_at`: where its orchestrator dies."""
        from ftmb.configuration import from_data

        configuration = from_data(self.configuration).to_dict()
        self._orchestrator.start(configuration, foreground=False, **options)

    def stop(self) -> None:
        """Fine if it has not been started, or has ended."""
        with contextlib.suppress(NotRunningError):
            self._orchestrator.stop(self.name)


def lab_data(lab: Lab, name: str, protection: str) -> dict[str, Any]:
    """What examples/lab_nat.toml says, for this lab."""
    a = lab.addresses
    return {
        "name": name,
        "network_namespace": lab.namespace(Host.BOX),
        "protection": protection,
        "port": [
            {
                "name": "inside",
                "device": "inside",
                "addresses": [f"{a.box_inside}/{a.prefix_length}"],
            },
            {
                "name": "outside",
                "device": "outside",
                "addresses": [f"{a.box_outside}/{a.prefix_length}"],
            },
        ],
        "element": [
            {
                "element": "nat",
                "inside": "inside",
                "outside": "outside",
                "external": [a.box_outside],
                "inside_address": a.box_inside,
            }
        ],
        "workers": {"count": 2, "idle": "auto"},
        "memory": {"arena_mib": 256},
        "metrics": {"port": 0},
    }
