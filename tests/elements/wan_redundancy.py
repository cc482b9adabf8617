# SPDX-License-Identifier: BSD-3-Clause
"""What redundancy elimination could find in payloads, worked out without the element.

Every window of `WINDOW` bytes of every payload is remembered, not only sampled ones, and nothing is
ever forgotten; matches are as long as they can be. What an encoder with the same token sizes would
save by that is a bound on what one that samples can find, but for matches that a greedy choice from
left to right misses.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.elements.wan_pair import SHIM

WINDOW = 32
LITERAL = 2
REFERENCE = 12


class Memory:
    """Payloads seen, and where each window was last."""

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self._windows: dict[bytes, tuple[int, int]] = {}

    def add(self, payload: bytes) -> None:
        """All of its windows can be found from now on."""
        number = len(self._payloads)
        self._payloads.append(payload)
        for at in range(len(payload) - WINDOW + 1):
            self._windows[payload[at : at + WINDOW]] = (number, at)

    def encoded_size(self, payload: bytes) -> int:
        """Bytes that the payload would take, at most its own."""
        size, at, literal = SHIM, 0, 0
        while at < len(payload):
            place = self._windows.get(payload[at : at + WINDOW])
            if place is None:
                at, literal = at + 1, literal + 1
                continue
            length = self._length(payload, at, place)
            size += REFERENCE + (LITERAL + literal if literal else 0)
            at, literal = at + length, 0
        size += LITERAL + literal if literal else 0
        return min(size, len(payload))

    def _length(self, payload: bytes, at: int, place: tuple[int, int]) -> int:
        number, start = place
        before = self._payloads[number]
        length = WINDOW
        while (
            at + length < len(payload)
            and start + length < len(before)
            and payload[at + length] == before[start + length]
        ):
            length += 1
        return length


def possible_saving(payloads: Sequence[bytes]) -> int:
    """Bytes that could be left out, each payload encoded by those before it."""
    memory = Memory()
    saved = 0
    for payload in payloads:
        saved += len(payload) - memory.encoded_size(payload)
        memory.add(payload)
    return saved
