# SPDX-License-Identifier: BSD-3-Clause
"""Entering a network namespace, with the /sys that belongs to it (drivers look there)."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC, MS_SLAVE = 0x4000, 0x80000
NAMESPACES = "/var/run/netns"


def _checked(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def enter_network_namespace(name: str | None) -> None:
    """For this process, before it has threads; None stays where it is. OSError says what fails."""
    if name is None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor = os.open(f"{NAMESPACES}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise OSError(f"there is no network namespace '{name}': see 'ip netns list'") from error
    with os.fdopen(descriptor):
        _checked(libc.setns(descriptor, CLONE_NEWNET), f"entering namespace {name}")
    # A mount namespace of our own, so that the new /sys is nobody else's and goes with us.
    _checked(libc.unshare(CLONE_NEWNS), "making a mount namespace")
    _checked(libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "making mounts private")
    libc.umount2(b"/sys", 2)
    _checked(libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None), "mounting /sys")
