# SPDX-License-Identifier: BSD-3-Clause
"""Telling a replica at which crash point it has to die, in the logger process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftmb._native.crash_points import replica_points
from ftmb.processes.messages import Channel, Message, Refused
from ftmb.recovery.plan import Stage

if TYPE_CHECKING:
    from ftmb.recovery.protection import Protection
    from ftmb.recovery.replicas import ReplicaHandle


def _in_role(protection: Protection, role: str) -> ReplicaHandle | None:
    if role == "spare":  # the one that will be the next standby
        prepared = (spare for spare in protection.spares if spare.stage is Stage.PREPARED)
        return next(prepared, None)
    return protection.master if role == "master" else protection.standby


def arm(protection: Protection, name: str | None) -> Message:
    """The answer to who asked; that the replica is armed will be in the status. None: nobody is
    to die anywhere."""
    if name is None:
        for every in protection.alive():
            every.send({"kind": "crash at", "point": None})
        return {"kind": "disarming"}
    point = next((point for point in replica_points() if point.name == name), None)
    if point is None:
        return {"kind": "not armed", "reason": f"no replica has a crash point {name!r}"}
    replica = _in_role(protection, point.role)
    if replica is None:
        return {"kind": "not armed", "reason": f"there is no {point.role} at the moment"}
    replica.armed = None
    replica.send({"kind": "crash at", "point": name})
    return {"kind": "arming", "pid": replica.pid}


def note_armed(protection: Protection, sender: Channel, name: str | None) -> None:
    """A replica says at which point it will die."""
    for replica in protection.alive():
        if replica.channel is sender:
            replica.armed = name
            return
    raise Refused("not a replica")
