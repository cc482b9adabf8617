# SPDX-License-Identifier: BSD-3-Clause
"""What a drill is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ftmb.crash_points import CrashPoint


class Failure(Enum):
    """How a process is failed."""

    KILL = "SIGKILL of the master"
    SEGV = "SIGSEGV in an element"
    STOP = "SIGSTOP of the master, continued later"


@dataclass(frozen=True)
class DrillSettings:
    seed: int = 1
    pipeline: str = "nat"
    failures: tuple[Failure, ...] = tuple(Failure)
    crash_at: tuple[CrashPoint, ...] = ()  # instead of failures
    times: int = 10
    connections: int = 200
    udp_rate: int = 20_000
    udp_flows: int = 8
    tcp_streams: int = 4
    tcp_mbit: int = 50
    downloads: int = 3
    download_mib: int = 4
    download_patience_s: float = 30.0
    warm_up_s: float = 2.0
    settle_s: float = 1.5
    contrast: bool = True
    output: Path = Path("build/drill")

    @property
    def kinds(self) -> Sequence[Failure | CrashPoint]:
        """What is to happen to the box."""
        return self.crash_at or self.failures
