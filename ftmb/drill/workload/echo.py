# SPDX-License-Identifier: BSD-3-Clause
"""The interactive connections: which broke, and how long each was left without a reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from ftmb.drill.workload.base import Column, Place
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host

PORT = 9001
BREAKS_LISTED_MAX = 50


@dataclass(frozen=True)
class EchoFigures:
    connections: int
    broken: int  # connections that broke at least once
    breaks: list[tuple[int, int, str]]  # connection, time, why
    lines: int
    stall_ms_max: float
    round_trip_ms: dict[str, float]
    replies: Column  # rows of connection, time, round trip in ns, in order of time

    def report(self, moments: Moments) -> Report:
        return {
            "connections": self.connections,
            "broken": self.broken,
            "stall_ms_max": round(self.stall_ms_max, 3),
            "lines": self.lines,
            "round_trip_ms": self.round_trip_ms,
            "breaks": [
                {"connection": number, "at_s": moments.seconds(at), "why": why}
                for number, at, why in self.breaks[:BREAKS_LISTED_MAX]
            ],
        }


def stalls(replies: Column) -> tuple[Column, Column, Column]:
    """For each reply but a connection's first: connection, time, ns since the one before."""
    order = numpy.lexsort((replies[:, 1], replies[:, 0]))
    rows = replies[order]
    same = rows[1:, 0] == rows[:-1, 0]
    gaps = (rows[1:, 1] - rows[:-1, 1])[same]
    return rows[1:, 0][same], rows[1:, 1][same], gaps


class EchoConnections(Part):
    section = Section(
        "tcp",
        (
            Row("TCP connections", ("tcp", "connections")),
            Row("TCP broken", ("tcp", "broken"), must_be_zero=True),
        ),
        (Guarantee(("tcp", "broken"), "TCP connections broke", needs_state=True),),
        (("tcp", "lines"),),
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.servers = [
            place.run_traffic(host, "echo_server", *("--address", address, "--port", str(PORT)))
            for host, address in place.servers
        ]

    def describe(self) -> str:
        return f"{self.place.settings.connections} interactive connections"

    def start(self) -> None:
        for server in self.servers:
            server.wait_ready()
        place, addresses = self.place, self.place.lab.addresses
        self.client = place.run_traffic(
            Host.CLIENT,
            "echo_client",
            *("--target", place.target, "--port", str(PORT)),
            *("--sources", *addresses.clients),
            *("--connections", str(place.settings.connections)),
            *("--result", str(place.folder / "echo_client")),
        )
        self.client.wait_ready(patience_s=30)

    def stop(self) -> EchoFigures:
        self.client.stop(patience_s=20)
        for server in self.servers:
            server.stop()
        return self.figures()

    def figures(self) -> EchoFigures:
        found: dict[str, Any] = self.place.figures("echo_client", self.client)
        replies = self.place.column("echo_client.replies").reshape(-1, 3)
        _, _, gaps = stalls(replies)
        trips = replies[:, 2].astype(numpy.float64) / 1e6
        breaks = [(int(number), int(at), str(why)) for number, at, why in found["breaks"]]
        return EchoFigures(
            connections=int(found["connections"]),
            broken=len({number for number, _, _ in breaks}),
            breaks=breaks,
            lines=int(found["lines_matched"]),
            stall_ms_max=float(gaps.max()) / 1e6 if len(gaps) else 0.0,
            round_trip_ms={
                name: round(float(numpy.percentile(trips, share)), 3) if len(trips) else 0.0
                for name, share in (("p50", 50), ("p99", 99), ("max", 100))
            },
            replies=replies,
        )
