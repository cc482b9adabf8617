# SPDX-License-Identifier: BSD-3-Clause
"""What is killed: ftmb's protected NAT, and pairs of kernel routers, all between the same hosts.

A contestant is entered over a lab that is up, and then forwards between its hosts.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from benchmarks.peers.overruns import backlog_dropped
from benchmarks.peers.pair import Pair, PairSettings
from ftmb.drill.box import LabBox
from ftmb.lab import Lab

FAST_ADVERT_S, USUAL_ADVERT_S, DEFAULT_ADVERT_S = 0.01, 0.1, 1.0


class Contestant(Protocol):
    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def kill(self) -> int:
        """What carries the traffic dies; the monotonic time in ns."""

    def failed_over(self) -> bool:
        """Whether something else has taken its place, by its own account."""

    def missed(self) -> int:
        """Packets that its ports had no room for, since it was started: before anything of it
        could see them."""

    def commit_ms(self) -> float | None:
        """How long conntrackd took to make the other router's connections its own."""


class FtmbBox:
    """`ftmb up` of the lab's NAT; its master is killed, or (SIGSTOP) falls silent."""

    def __init__(self, lab: Lab, by: signal.Signals = signal.SIGKILL) -> None:
        self.by = by
        self.box = LabBox(lab, "standby")

    def __enter__(self) -> Self:
        try:
            self.box.start()
        except BaseException:
            self.box.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.box.stop()

    def pids(self) -> dict[str, int]:
        """Of all of its processes, by their role."""
        status = self.box.status()
        spares = {f"spare_{number}": spare for number, spare in enumerate(status["spares"], 1)}
        processes = {**status["processes"], **spares}
        return {role: process["pid"] for role, process in processes.items() if process}

    def kill(self) -> int:
        pid = self.box.status()["processes"]["master"]["pid"]
        killed_ns = time.monotonic_ns()
        os.kill(pid, self.by)
        return killed_ns

    def failed_over(self) -> bool:
        failovers = self.box.status()["failovers"]
        return bool(failovers) and not failovers[-1]["lost_state"]

    def missed(self) -> int:
        return sum(port["missed"] for port in self.box.status()["ports"].values())

    def commit_ms(self) -> None:
        return None


class KernelPair(Pair):
    """Two kernel routers; the primary's machine dies."""

    def kill(self) -> int:
        return self.kill_primary()

    def failed_over(self) -> bool:
        return self.backup.has_been("primary")

    def missed(self) -> int:
        return backlog_dropped()

    def commit_ms(self) -> float | None:
        return self.backup.commit_ms()


@dataclass(frozen=True)
class Kind:
    """A row of the result."""

    name: str  # in report.json
    title: str
    make: Callable[[Lab, Path], Contestant]
    settle_s: float  # from the kill until everything that recovers has, and is seen to stay


def _pair(settings: PairSettings) -> Callable[[Lab, Path], Contestant]:
    return lambda lab, folder: KernelPair(lab, settings, folder)


KINDS = (
    Kind("ftmb", "ftmb, killed", lambda lab, _: FtmbBox(lab), 1.5),
    Kind("ftmb_silent", "ftmb, silent", lambda lab, _: FtmbBox(lab, signal.SIGSTOP), 1.5),
    Kind(
        "conntrackd_10ms", "conntrackd, 10 ms", _pair(PairSettings(FAST_ADVERT_S, direct=True)), 1.5
    ),
    Kind("conntrackd_100ms", "conntrackd, 100 ms", _pair(PairSettings(USUAL_ADVERT_S)), 2.0),
    Kind("conntrackd_1s", "conntrackd, 1 s", _pair(PairSettings(DEFAULT_ADVERT_S)), 4.5),
    Kind(
        "unsynchronised_10ms",
        "no conntrackd, 10 ms",
        _pair(PairSettings(FAST_ADVERT_S, synchronised=False)),
        1.5,
    ),
    Kind(
        "unsynchronised_loose_10ms",
        "no conntrackd, loose, 10 ms",
        _pair(PairSettings(FAST_ADVERT_S, synchronised=False, loose=True)),
        1.5,
    ),
)
