# SPDX-License-Identifier: BSD-3-Clause
"""What the workloads share: the lab, the settings and a folder for what they record."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ftmb.drill.settings import DrillSettings
from ftmb.errors import LabError
from ftmb.lab import Host, Lab, Program

STANDBY_PATIENCE_S = 20.0
Column = numpy.ndarray[Any, numpy.dtype[numpy.uint64]]


@dataclass(frozen=True)
class Place:
    """Where a workload runs and what it is asked to do."""

    lab: Lab
    settings: DrillSettings
    folder: Path
    box_name: str | None = None  # of a box with a standby, whose state can be looked at
    virtual_address: str | None = None  # behind which the backends are; None: clients see servers

    @property
    def target(self) -> str:
        """Where clients find what servers offer."""
        return self.virtual_address or self.lab.addresses.server

    @property
    def servers(self) -> list[tuple[Host | str, str]]:
        """The hosts that offer it, with their addresses."""
        if self.virtual_address is None:
            return [(Host.SERVER, self.lab.addresses.server)]
        return list(zip(self.lab.backends, self.lab.addresses.backends, strict=True))

    def run_traffic(self, host: Host | str, module: str, *arguments: str) -> Program:
        command = [sys.executable, "-m", f"ftmb.drill.traffic.{module}", *arguments]
        return self.lab.run(host, command, {"TMPDIR": str(self.folder)})

    def journal(self, port: str) -> Path:
        """The file in which the drill's box keeps a journal."""
        return journal_file(self.folder, port)

    def figures(self, name: str, program: Program) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        except (OSError, ValueError):
            said = program.output().strip()[-800:]
            raise LabError(f"{program.name}: left no results: {said}") from None
        return loaded

    def column(self, name: str) -> Column:
        return numpy.fromfile(self.folder / name, dtype=numpy.uint64)


def journal_file(folder: Path, port: str) -> Path:
    return folder / f"{port}.json"


def state_rows(box_name: str, element: str, table: str) -> list[dict[str, Any]]:
    """As `ftmb state show` tells them. A standby that is just being replaced is waited for."""
    command = [sys.executable, "-m", "ftmb", "state", "show", element, "--table", table]
    command += ["--box", box_name, "--json"]
    deadline = time.monotonic() + STANDBY_PATIENCE_S
    while True:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode == 0:
            rows: list[dict[str, Any]] = json.loads(ended.stdout)
            return rows
        if time.monotonic() > deadline:
            raise LabError(f"the state of {element} cannot be read: {ended.stderr.strip()}")
        time.sleep(0.1)
