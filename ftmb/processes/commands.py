# SPDX-License-Identifier: BSD-3-Clause
"""Commands of an operator to elements, in the logger process.

A command is checked, then logged in the input log of every worker; from then on it is carried out
once by each of them, whoever is master. Who gave it hears of it when all have.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from ftmb._native.logger import Logger
from ftmb.processes.journal import note
from ftmb.processes.messages import Channel, HungUp, Message, Refused

# Without a master nobody carries it out; the caller must hear that it is logged before it gives up
# waiting (ANSWER_PATIENCE_S), or would give it again.
PATIENCE_S = 3.0


@dataclass(frozen=True)
class Given:
    """A command that is logged."""

    caller: Channel
    sequences: list[int]
    until: float


class Commands:
    """All that were given and are not carried out yet."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self._given: list[Given] = []

    def give(self, caller: Channel, message: Message) -> None:
        """The answer comes when every worker has carried it out, or at once if it cannot be."""
        element, text = message["element"], message["text"]
        if not isinstance(element, str) or not isinstance(text, str):
            raise Refused("a command is for an element, and a text")
        if any(given.caller is caller for given in self._given):
            raise Refused("one command at a time")
        names = self.logger.pipeline.names
        if element not in names:
            _answer(
                caller, False, f"no element '{element}' in this box; it has: {', '.join(names)}"
            )
            return
        place = names.index(element)
        problem = self.logger.pipeline.command_problem(place, text)
        if problem is not None:
            _answer(caller, False, problem)
            return
        sequences = self.logger.command(place, text)
        if sequences is None:
            _answer(caller, False, "the input logs are full at the moment: try again")
            return
        note("command", element=element, text=text)
        self._given.append(Given(caller, sequences, time.monotonic() + PATIENCE_S))

    def look(self, now: float) -> None:
        """Answers those whose commands are carried out by all workers, or not within the time."""
        for given in list(self._given):
            is_done = all(
                self.logger.queue_counts(worker)["consumed"] >= sequence
                for worker, sequence in enumerate(given.sequences)
            )
            if is_done or now > given.until:
                self._given.remove(given)
                late = "it is logged and will be carried out as soon as there is a master"
                _answer(given.caller, True, None if is_done else late)

    def forget(self, channel: Channel) -> None:
        """Somebody hung up; the command stays given."""
        self._given = [given for given in self._given if given.caller is not channel]

    def is_waiting(self) -> bool:
        return bool(self._given)


def _answer(caller: Channel, ok: bool, reason: str | None) -> None:
    try:
        caller.send({"kind": "command", "ok": ok, "reason": reason})
    except HungUp:
        pass  # it is noticed where it is read from
