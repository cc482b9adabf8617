# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces: to make and remove them, and to do things inside them."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pyroute2 import netns

from ftmb.errors import LabError

DIRECTORY = Path("/run/netns")
CLONE_NEWNET = 0x40000000
MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)

Result = TypeVar("Result")


def create(name: str) -> None:
    try:
        netns.create(name)
    except OSError as error:
        raise LabError(f"namespace {name} cannot be made: {error}; are you root?") from None
    if not (DIRECTORY / name).exists():
        raise LabError(f"namespace {name} cannot be made; are you root?")


def remove(name: str) -> None:
    """Ends what still runs in the namespace and removes it; fine if there is none."""
    end_processes(name)
    try:
        netns.remove(name)
    except OSError:
        pass


def names() -> list[str]:
    return sorted(netns.listnetns())


def directory_is_mounted() -> bool:
    """A bind mount is on its parent's device, so only the table of mounts tells."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(DIRECTORY) for line in mounts)


def remove_directory() -> None:
    """Takes away the mount that the first namespace of a machine brings, when it is empty."""
    if directory_is_mounted() and not any(DIRECTORY.iterdir()):
        _libc.umount2(os.fsencode(DIRECTORY), MNT_DETACH)
        try:
            DIRECTORY.rmdir()
        except OSError:
            pass


def enter(name: str) -> None:
    """Moves the calling thread, and it alone, into the namespace."""
    descriptor = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), name)
    finally:
        os.close(descriptor)


def call(name: str, function: Callable[[], Result]) -> Result:
    """Runs `function` inside the namespace, in a thread of its own, and returns its result."""
    results: list[Result] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            enter(name)
            results.append(function())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body, name=f"in {name}")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def open_file(name: str, path: str) -> int:
    """Opens a file of /proc/net as the namespace has it; returns an owned descriptor.

    It goes on showing that namespace, whoever reads it: use os.pread from offset 0.
    """
    return call(name, lambda: os.open(f"/proc/thread-self/net/{path}", os.O_RDONLY | os.O_CLOEXEC))


def processes(name: str) -> list[int]:
    """The processes that are inside the namespace."""
    try:
        inside = (DIRECTORY / name).stat()
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            there = (entry / "ns" / "net").stat()
        except OSError:
            continue
        if (there.st_dev, there.st_ino) == (inside.st_dev, inside.st_ino):
            found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def end_processes(name: str, patience_s: float = 2.0) -> None:
    """Kills what is inside and waits until it is gone."""
    deadline = time.monotonic() + patience_s
    while (pids := processes(name)) and time.monotonic() < deadline:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
