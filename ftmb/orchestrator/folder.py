# SPDX-License-Identifier: BSD-3-Clause
"""A box's folder in the run directory, its two locks, and the bound on its log.

The lock on the folder says that the box runs: the orchestrator that started it and the logger
process hold it together, so it lives as long as either. The lock on box.json says that the box
has an orchestrator. Whoever starts a box takes the second first, then the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from ftmb.orchestrator.crash_points import crash_point

CONFIGURATION_NAME = "box.json"
LOG_NAME = "log.jsonl"
OLD_LOG_NAME = "log.1.jsonl"
SOCKET_NAME = "control.sock"
LOG_SIZE_MAX = 16 << 20


def box_folder(name: str) -> Path:
    """Where a box of this name lives."""
    return Path(os.environ.get("FTMB_RUN_DIRECTORY", "/run/ftmb")).absolute() / name


def lock_box(folder: Path) -> int | None:
    """For whoever runs the box."""
    return _take_lock(folder, os.O_DIRECTORY)


def lock_orchestrator(folder: Path) -> int | None:
    """For whoever orchestrates the box; makes an empty box.json if there is none."""
    return _take_lock(folder / CONFIGURATION_NAME, os.O_RDWR | os.O_CREAT)


def _take_lock(path: Path, flags: int) -> int | None:
    """The lock's descriptor, held until all its copies are closed; None: it is taken."""
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        os.close(descriptor)  # a box that ended removed it meanwhile: once more


def is_locked(folder: Path) -> bool:
    """Whether the orchestrator or the logger process of this box lives."""
    try:
        descriptor = lock_box(folder)
    except FileNotFoundError:
        return False
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def bound_log(folder: Path, size_max: int = LOG_SIZE_MAX) -> bool:
    """Moves a log that is too long aside, over the one before; whether it did.

    The processes append to the file whatever its length is, so it can be emptied under them.
    What they write between the copy and the emptying is lost.
    """
    log = folder / LOG_NAME
    if log.stat().st_size <= size_max:
        return False
    shutil.copyfile(log, folder / OLD_LOG_NAME)
    crash_point("orchestrator-log-copied")
    os.truncate(log, 0)
    return True


def remove(folder: Path, *, but: tuple[str, ...] = ()) -> None:
    """Removes the folder, or all that is in it but these."""
    with contextlib.suppress(OSError):  # somebody else removes it too, or starts anew in it
        for entry in list(folder.iterdir()):
            if entry.name not in but:
                entry.unlink(missing_ok=True)
        if not but:
            folder.rmdir()
