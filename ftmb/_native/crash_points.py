# SPDX-License-Identifier: BSD-3-Clause
"""The crash points of replicas: which there are, and arming one in this process."""

from __future__ import annotations

from collections.abc import Iterator

from ftmb._native.check import ffi, lib, text
from ftmb.crash_points import CrashPoint, When

WHEN = {
    lib.CRASH_AT_TRAFFIC: When.TRAFFIC,
    lib.CRASH_AT_FAILOVER: When.FAILOVER,
    lib.CRASH_AT_SNAPSHOT: When.SNAPSHOT,
}


def replica_points() -> Iterator[CrashPoint]:
    """All of them, in the order of native/host/crash_point.h."""
    index = 0
    while (raw := lib.crash_point_at(index)) != ffi.NULL:
        yield CrashPoint(text(raw.name), text(raw.help), WHEN[raw.when], bool(raw.loses_state))
        index += 1


def arm(name: str | None) -> None:
    """Whatever was armed in this process before is not any more; ValueError: no such point."""
    if not lib.crash_arm(ffi.NULL if name is None else name.encode()):
        raise ValueError(f"there is no crash point {name!r}")
