# SPDX-License-Identifier: BSD-3-Clause
"""All contestants in turn, round after round, so that a noisy minute is everybody's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.peers import contestants, failover, generator, speed
from benchmarks.peers.contestants import Kind
from benchmarks.peers.failover import ConnectionFailure, DatagramFailure, FalseFailover
from benchmarks.peers.speed import Passage
from benchmarks.peers.summary import failover_summary, speed_summary, typical
from ftmb.drill.run import Say

ATTEMPTS = 3
Outcome = TypeVar("Outcome")


@dataclass
class Rounds:
    """By contestant, in the order in which they were measured."""

    passages: dict[str, list[Passage]] = field(default_factory=dict)
    datagrams: dict[str, list[DatagramFailure]] = field(default_factory=dict)
    connections: dict[str, list[ConnectionFailure]] = field(default_factory=dict)
    false_failovers: dict[str, int] = field(default_factory=dict)

    def measure(self, say: Say, which: str) -> None:
        """One more round of everything."""
        for between in speed.KINDS:
            passage = speed.measure(between)
            self.passages.setdefault(between.name, []).append(passage)
            say(
                f"{which}: {between.title}: {passage.rate_pps:,.0f} packets/s without loss, "
                f"median {passage.p50_us:.1f} us"
            )
        for kind in contestants.KINDS:
            datagrams = self._fail(kind, failover.under_datagrams, say)
            connections = self._fail(kind, failover.under_connections, say)
            self.datagrams.setdefault(kind.name, []).append(datagrams)
            self.connections.setdefault(kind.name, []).append(connections)
            say(
                f"{which}: {kind.title}: longest gap {datagrams.gap_ms:.1f} ms, "
                f"{datagrams.lost:,} datagrams lost, {datagrams.before_box:,} more not fetched by "
                f"its ports, {connections.broken} TCP connections broken"
            )

    def _fail(self, kind: Kind, fail: Callable[[Kind], Outcome], say: Say) -> Outcome:
        """Once more where it failed over by itself, which a busy machine may bring about."""
        for _ in range(ATTEMPTS - 1):
            try:
                return fail(kind)
            except FalseFailover as error:
                self.false_failovers[kind.name] = self.false_failovers.get(kind.name, 0) + 1
                say(f"{error}; once more")
        return fail(kind)

    def section(self) -> dict[str, Any]:
        """`peers` of the report."""
        return {
            "speed": {
                "settings": {"flows": generator.FLOWS, "latency_rate": speed.LATENCY_RATE},
                "contestants": {
                    kind.name: {
                        "title": kind.title,
                        **speed_summary(self.passages[kind.name], self.passages["wire"]),
                    }
                    for kind in speed.KINDS
                },
            },
            "failover": {
                "settings": {
                    "rate": failover.RATE,
                    "flows": generator.FLOWS,
                    "connections": failover.CONNECTIONS.connections,
                },
                "contestants": {
                    kind.name: {
                        "title": kind.title,
                        "false_failovers": self.false_failovers.get(kind.name, 0),
                        **failover_summary(self.datagrams[kind.name], self.connections[kind.name]),
                    }
                    for kind in contestants.KINDS
                },
            },
        }

    def draw(self, path: Path) -> None:
        from benchmarks.peers.picture import draw

        shown = [
            (kind.title, typical(self.datagrams[kind.name]), self.connections[kind.name])
            for kind in contestants.KINDS
        ]
        draw(shown, failover.RATE, path)


def measure(count: int, say: Say) -> Rounds:
    rounds = Rounds()
    for number in range(1, count + 1):
        rounds.measure(say, f"round {number}/{count}")
    return rounds
