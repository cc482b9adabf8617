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

from pyroute2 import IPRoute

from ftmb.errors import LabError

DIRECTORY = Path("/run/netns")
CLONE_NEWNET = 0x40000000
MNT_DETACH = 2
MS_BIND, MS_REC, MS_SHARED = 0x1000, 0x4000, 0x100000
_libc = ctypes.CDLL(None, use_errno=True)

Result = TypeVar("Result")


def create(name: str) -> None:
    """Makes a namespace and gives it a name by a mount, as `ip netns add` does."""
    thread_failures: list[OSError] = []

    def body() -> None:
        try:
            _check(_libc.unshare(CLONE_NEWNET), name)
            _mount("/proc/thread-self/ns/net", str(DIRECTORY / name), MS_BIND)
        except OSError as error:
            thread_failures.append(error)

    try:
        _share_directory()
        os.close(os.open(DIRECTORY / name, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
        thread = threading.Thread(target=body, name=f"new {name}")
        thread.start()
        thread.join()
        if thread_failures:
            (DIRECTORY / name).unlink()
            raise thread_failures[0]
    except OSError as error:
        raise LabError(f"namespace {name} cannot be made: {error}; are you root?") from None


def _share_directory() -> None:
    """Namespaces named before or after a mount namespace was made are to be seen in it too."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    if not directory_is_mounted():
        _mount(str(DIRECTORY), str(DIRECTORY), MS_BIND | MS_REC)
    _mount("none", str(DIRECTORY), MS_SHARED | MS_REC)


def _mount(source: str, target: str, flags: int) -> None:
    _check(_libc.mount(source.encode(), target.encode(), b"none", flags, None), target)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def remove(name: str) -> None:
    """Ends what still runs in the namespace and removes it; fine if there is none."""
    end_processes(name)
    _libc.umount2(os.fsencode(DIRECTORY / name), MNT_DETACH)
    (DIRECTORY / name).unlink(missing_ok=True)


def names() -> list[str]:
    try:
        return sorted(entry.name for entry in DIRECTORY.iterdir())
    except FileNotFoundError:
        return []


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
    enter_path(DIRECTORY / name)


def enter_path(path: str | Path) -> None:
    """The same for one that has no name, such as /proc/PID/ns/net."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, CLONE_NEWNET), str(path))
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


def netlink(name: str, function: Callable[[IPRoute], Result]) -> Result:
    """Runs `function` with a netlink socket of the namespace.

    The socket is opened and used by one thread inside: pyroute2's own way to reach a
    namespace forks this process, with whatever it holds.
    """

    def body() -> Result:
        with IPRoute() as socket:
            return function(socket)

    return call(name, body)


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
