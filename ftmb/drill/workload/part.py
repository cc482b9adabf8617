# SPDX-License-Identifier: BSD-3-Clause
"""A part of a drill's traffic: programs that are started and stopped together, what they measured,
how that is shown, and what it must be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from ftmb.drill.workload.base import Place

Report = dict[str, Any]
Keys = tuple[str, ...]  # where a figure stands in the report: ("udp", "lost")


@dataclass(frozen=True)
class Row:
    """A line of the report's table."""

    label: str
    keys: Keys
    must_be_zero: bool = False


@dataclass(frozen=True)
class Guarantee:
    """A count that is 0, whatever fails; with `needs_state` only where some process kept the state
    (a crash point may end the only one that has it)."""

    keys: Keys
    text: str
    needs_state: bool = False


@dataclass(frozen=True)
class Section:
    """A part's figures in the report. TCP connections that it opened and that broke are called
    `connections` and `broken` in each: the report's "tcp" has their sums."""

    name: str
    rows: tuple[Row, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    proof: tuple[Keys, ...] = ()  # what must not be 0, or nothing is proven


@dataclass(frozen=True)
class Moments:
    """What is known of the run beside a part's own figures."""

    started_ns: int
    wires: dict[str, dict[str, int]]

    def seconds(self, at_ns: int) -> float:
        """Since the run began; times of the report's lists and of the picture are these."""
        return round(max(0, at_ns - self.started_ns) / 1e9, 3)


class PartFigures(Protocol):
    def report(self, moments: Moments) -> Report: ...


class Part(ABC):
    """Servers start with the object, clients by `start`; `stop` gives the figures."""

    section: ClassVar[Section]

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def describe(self) -> str:
        """In a few words, what it sends or looks at."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> PartFigures: ...

    def attend(self) -> None:  # noqa: B027 - most need nothing
        """To be called now and then while the traffic runs."""
