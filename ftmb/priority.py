# SPDX-License-Identifier: BSD-3-Clause
"""Who comes first on a busy machine: who notices a failure, then who must be ready to follow; and
whether threads that have nothing to do give way.

All of them sleep most of the time. Worker and packet threads choose for themselves
(native/host/idle.h).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOGGER_NICE = -20
REPLICA_NICE = -10  # once it is master or standby: its snapshot must not be held up
BACKGROUND_NICE = 10  # memory for the replica after next: packets come first

LAST_NICE = 19  # what a fenced process still does

AUTOGROUP = Path("/proc/self/autogroup")


def come_first(nice: int) -> None:
    """For the calling thread and what it starts; without the privilege it stays as it is."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        pass


@dataclass(frozen=True)
class Idle:
    """What threads do that have nothing to do, by role: "spin", "yield" or "sleep"."""

    logger: str
    workers: str  # of the master
    standby: str


def choose_idle(configuration: dict[str, Any]) -> Idle:
    """What is not said for loggers and standby is as for the workers."""
    usual = configuration["workers"]["idle"]
    chosen = (usual, configuration["logger"]["idle"] or usual,
              configuration["standby"]["idle"] or usual)  # fmt: skip
    workers, logger, standby = (
        automatic_idle(configuration) if idle == "auto" else idle for idle in chosen
    )
    return Idle(logger=logger, workers=workers, standby=standby)


def automatic_idle(configuration: dict[str, Any]) -> str:
    """Spin when every thread has a core of its own, else sleep."""
    copies = 2 if configuration["protection"] == "standby" else 1
    threads = 1 + copies * configuration["workers"]["count"]
    return "spin" if len(os.sched_getaffinity(0)) > threads else "sleep"


def come_last(pid: int) -> None:
    """For a process that is fenced: what it still does, above all giving its memory back, must not
    hold up the traffic that goes on."""
    _renice(pid, LAST_NICE, with_session=True)


def hurry(pid: int, idle: str) -> None:
    """For a replica on its way that a master without a standby waits for."""
    _renice(pid, REPLICA_NICE, with_session=idle == "sleep")


def _renice(pid: int, nice: int, *, with_session: bool) -> None:
    """All threads of a process. What cannot be done, or not any more, is left as it is."""
    if with_session:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))
    tasks = []
    with contextlib.suppress(OSError):
        tasks = os.listdir(f"/proc/{pid}/task")
    for task in tasks:  # some of them end meanwhile
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(task), nice)


def session_comes_first(nice: int) -> None:
    """For all of the calling process's session, among the other sessions of this machine.

    Where the kernel groups processes by session (sched_autogroup_enabled), a thread's own nice
    value counts within its session alone. Only for a process whose threads sleep when they have
    nothing to do: one that spins would leave nothing to anybody.
    """
    try:
        AUTOGROUP.write_text(str(nice))
    except OSError:
        pass
