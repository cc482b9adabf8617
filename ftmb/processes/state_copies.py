# SPDX-License-Identifier: BSD-3-Clause
"""Copies of the standby's state for those who want to look at it, in the logger process.

Who asks brings the memory that the copy is written to; the standby forks, and its child writes.
The master has no part in it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftmb.processes.messages import Channel, HungUp, Message, Refused
from ftmb.recovery.plan import Stage

if TYPE_CHECKING:
    from ftmb.recovery.replicas import ReplicaHandle


@dataclass(frozen=True)
class Copy:
    """One on its way."""

    caller: Channel
    standby: Channel


class StateCopies:
    """All that were asked for and are not written yet."""

    def __init__(self) -> None:
        self._on_their_way: dict[int, Copy] = {}
        self._numbers = itertools.count(1)

    def ask(self, caller: Channel, descriptors: list[int], standby: ReplicaHandle | None) -> None:
        """The answer to the caller comes when the copy is written, or at once if it cannot be."""
        if len(descriptors) != 1:
            raise Refused("one descriptor is needed, to write the state to")
        if any(copy.caller is caller for copy in self._on_their_way.values()):
            raise Refused("one copy at a time")
        if standby is None or standby.stage is not Stage.STARTED:
            reason = "there is no standby at the moment whose state could be read"
            caller.send({"kind": "state", "ok": False, "reason": reason})
            return
        number = next(self._numbers)
        self._on_their_way[number] = Copy(caller, standby.channel)
        standby.send({"kind": "copy state", "number": number}, descriptors)

    def done(self, sender: Channel, message: Message) -> None:
        """A standby has written one, or says why not."""
        copy = self._on_their_way.get(message["number"])
        if copy is None:
            return  # the caller has hung up meanwhile
        if copy.standby is not sender:
            raise Refused("not the standby that was asked")
        del self._on_their_way[message["number"]]
        self._answer(copy, {**message, "kind": "state"})

    def forget(self, channel: Channel) -> None:
        """Somebody hung up: nobody waits for a standby that is gone."""
        for number, copy in list(self._on_their_way.items()):
            if channel in (copy.caller, copy.standby):
                del self._on_their_way[number]
            if channel is copy.standby:
                self._answer(copy, {"kind": "state", "ok": False, "reason": "the standby ended"})

    @staticmethod
    def _answer(copy: Copy, message: Message) -> None:
        try:
            copy.caller.send(message)
        except HungUp:
            pass  # it is noticed where it is read from
