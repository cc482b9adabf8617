# SPDX-License-Identifier: BSD-3-Clause
"""A box's folder in the run directory, and the lock that says whether it runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

LOG_NAME = "log.jsonl"
SOCKET_NAME = "control.sock"


def box_folder(name: str) -> Path:
    """Where a box of this name lives."""
    return Path(os.environ.get("FTMB_RUN_DIRECTORY", "/run/ftmb")) / name


def take_lock(folder: Path) -> int | None:
    """The lock's descriptor, held until it is closed or the process ends; None: it is taken.

    It is on the folder itself, so that there is no file to be left behind.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_locked(folder: Path) -> bool:
    """Whether an orchestrator of this box lives."""
    descriptor = take_lock(folder)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
