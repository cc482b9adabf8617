# SPDX-License-Identifier: BSD-3-Clause
"""ping: which of its echo requests were answered."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host

INTERVAL_S = 0.02
_REPLY = re.compile(r"icmp_seq=(\d+) ttl=\d+ time=([\d.]+) ms( \(DUP!\))?", re.M)


@dataclass(frozen=True)
class PingFigures:
    sent: int
    lost: int
    duplicated: int
    round_trip_ms_max: float

    def report(self, moments: Moments) -> Report:
        return {
            "sent": self.sent,
            "lost": max(0, self.lost - moments.wires["client eth0"]["send_drops"]),
            "duplicated": self.duplicated,
            "round_trip_ms_max": self.round_trip_ms_max,
        }


def read(output: str) -> PingFigures:
    """The last request may still be under way when ping ends, so counts go up to the last reply."""
    replies = [
        (int(number), float(time), bool(again)) for number, time, again in _REPLY.findall(output)
    ]
    numbers = {number for number, _, _ in replies}
    last = max(numbers, default=0)
    return PingFigures(
        sent=last,
        lost=last - len(numbers),
        duplicated=sum(again for _, _, again in replies),
        round_trip_ms_max=max((time for _, time, _ in replies), default=0.0),
    )


class Ping(Part):
    section = Section(
        "ping",
        (Row("pings lost", ("ping", "lost"), must_be_zero=True),),
        (Guarantee(("ping", "lost"), "pings were lost", needs_state=True),),
    )

    def describe(self) -> str:
        return "ping"

    def start(self) -> None:
        command = ["ping", "-i", str(INTERVAL_S), "-W", "5", self.place.target]
        self.program = self.place.lab.run(Host.CLIENT, command)

    def stop(self) -> PingFigures:
        self.program.stop(by=signal.SIGINT)
        return read(self.program.output())
