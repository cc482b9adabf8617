# SPDX-License-Identifier: BSD-3-Clause
"""Which processes belong to a box, whoever started them, and ending them.

A process of a box is known by its command line and by the folder that this names. The folder is
compared as the process sees it, since a box in another container may have one of the same name.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

ORCHESTRATOR = "ftmb.orchestrator.daemon"
LOGGER = "ftmb.processes.logger"
REPLICA = "ftmb.processes.replica"


class Member:
    """A process held by a descriptor, so that its number cannot come to mean another one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.descriptor = os.pidfd_open(pid)

    def ends_within(self, patience_s: float) -> bool:
        """Waits; whether it has ended by then."""
        return bool(select.select([self.descriptor], [], [], max(0.0, patience_s))[0])

    def send(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        os.close(self.descriptor)


def _module_and_folder(pid: int) -> tuple[str, str] | None:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    if len(words) < 4 or words[1] != "-m":
        return None
    module, path = words[2:4]
    return module, os.path.dirname(path) if module == REPLICA else path


def _belongs(pid: int, folder: os.stat_result, modules: tuple[str, ...]) -> bool:
    try:
        found = _module_and_folder(pid)
        if found is None or found[0] not in modules:
            return False
        return os.path.samestat(folder, os.stat(f"/proc/{pid}/root{found[1]}"))
    except OSError:
        return False


def _pids(folder: Path, modules: tuple[str, ...]) -> Iterator[int]:
    try:
        described = folder.stat()
    except FileNotFoundError:
        return
    for name in os.listdir("/proc"):
        if name.isdigit() and _belongs(int(name), described, modules):
            yield int(name)


def members(folder: Path, *modules: str) -> list[Member]:
    """The box's processes of these kinds; they are the caller's to close."""
    found = []
    for pid in _pids(folder, modules):
        try:
            found.append(Member(pid))
        except ProcessLookupError:
            pass
    return found


def end(processes: list[Member], patience_s: float) -> None:
    """Those that have not ended by then are killed, also when they are stopped; closes all."""
    deadline = time.monotonic() + patience_s
    for process in processes:
        if not process.ends_within(deadline - time.monotonic()):
            process.send(signal.SIGKILL)
            process.ends_within(1.0)
        process.close()
