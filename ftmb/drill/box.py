# SPDX-License-Identifier: BSD-3-Clause
"""The middlebox under the drill, protected or, for contrast, unprotected."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ftmb.drill.pipelines import NAT, Pipeline
from ftmb.drill.pipelines.pipeline import add_monitor
from ftmb.errors import NotRunningError
from ftmb.lab import Lab

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
    """The drill's own box; the caller stops it. Its journals are in `folder`."""

    def __init__(
        self,
        lab: Lab,
        protection: str,
        pipeline: Pipeline = NAT,
        folder: Path = Path(),
        *,
        shares_state: bool = False,
    ) -> None:
        name = f"drill-{os.getpid()}-{protection}"
        super().__init__(name)
        self.configuration = pipeline.box(lab, name, protection, folder)
        if shares_state and not pipeline.shares_state:  # its workers would never meet
            add_monitor(self.configuration)

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
    """The NAT of examples/lab_nat.toml in this lab."""
    return NAT.box(lab, name, protection)
