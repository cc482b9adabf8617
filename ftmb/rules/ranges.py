# SPDX-License-Identifier: BSD-3-Clause
"""Sets of whole numbers as sorted ranges that neither touch nor overlap: [(first, last), ...]."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Ranges = tuple[tuple[int, int], ...]


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def without(ranges: Ranges, removed: Ranges) -> Ranges:
    """What is in the first and not in the second."""
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        for gap_first, gap_last in removed:
            if gap_last < first or gap_first > last:
                continue
            if gap_first > first:
                left.append((first, gap_first - 1))
            first = gap_last + 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


@dataclass(frozen=True)
class Choice:
    """What a list of a rule matches: what is in `plain` (None: anything) and not in `negated`."""

    plain: Ranges | None
    negated: Ranges = ()

    def numbers(self, everything: Ranges) -> Ranges:
        return without(everything if self.plain is None else self.plain, self.negated)

    def inverted(self) -> Choice:
        """ValueError where it is not clear what that would be: `![a,!b]`."""
        if self.plain is not None and self.negated:
            raise ValueError("both plain and negated")
        return Choice(self.negated) if self.plain is None else Choice(None, self.plain)


def joined(choices: Iterable[Choice]) -> Choice:
    """Of a list: in one of all plain members, and in none of all negated ones."""
    plain: list[tuple[int, int]] = []
    negated: list[tuple[int, int]] = []
    has_plain = False
    for choice in choices:
        has_plain = has_plain or choice.plain is not None
        plain += choice.plain or ()
        negated += choice.negated
    return Choice(union(plain) if has_plain else None, union(negated))
