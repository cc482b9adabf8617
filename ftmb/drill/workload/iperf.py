# SPDX-License-Identifier: BSD-3-Clause
"""iperf3: a few TCP streams at a bounded rate, and whether they lived through the run."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field

from ftmb.drill.workload.base import Place
from ftmb.drill.workload.part import Moments, Part, PartFigures, Report, Section
from ftmb.lab import Host, Program

PORT = 5201
LONGEST_S = 3600
INTERVAL_S = 0.5
_SUM = re.compile(
    r"^\[SUM\]\s+([\d.]+)-([\d.]+)\s+sec\s+\S+ \S+\s+([\d.]+) Mbits/sec\s+(\d+)", re.M
)
_RECEIVED = re.compile(
    r"^\[SUM\]\s+([\d.]+)-([\d.]+)\s+sec\s+\S+ \S+\s+([\d.]+) Mbits/sec\s*$", re.M
)


@dataclass(frozen=True)
class IperfFigures:
    streams: int
    broken: int
    mbit_mean: float
    retransmitted: int
    messages: list[str] = field(default_factory=list)

    def report(self, moments: Moments) -> Report:
        return {
            "connections": self.streams,
            "broken": self.broken,
            "mbit_mean": self.mbit_mean,
            "retransmitted": self.retransmitted,
            "messages": self.messages,
        }


def intervals(output: str) -> list[tuple[float, int]]:
    """Mbit/s and retransmissions of each interval; the closing summary is left out."""
    found = []
    for start, end, mbit, retransmitted in _SUM.findall(output):
        if float(end) - float(start) < 2 * INTERVAL_S:
            found.append((float(mbit), int(retransmitted)))
    return found


def received(output: str) -> tuple[float, float]:
    """By the server of one test: how long, in seconds, and how much, in megabits."""
    found = [
        (float(end) - float(start), float(mbit)) for start, end, mbit in _RECEIVED.findall(output)
    ]
    return sum(length for length, _ in found), sum(length * mbit for length, mbit in found)


class Iperf(Part):
    """`port` and `client_options` are for those who run a second one."""

    section = Section("iperf")
    port = PORT

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.outputs: list[str] = []
        self.messages: list[str] = []
        self.server = self._serve()

    def _serve(self) -> Program:
        host, address = self.place.servers[0]
        command = ["iperf3", "--server", "--port", str(self.port), "--forceflush"]
        command += ["--interval", str(INTERVAL_S), "--format", "m", "--bind", address]
        return self.place.lab.run(host, command)

    def client_options(self) -> list[str]:
        return ["--bitrate", f"{self.place.settings.tcp_mbit}M"]

    def describe(self) -> str:
        return f"{self.place.settings.tcp_streams} iperf3 streams"

    def start(self) -> None:
        self.server.wait_ready(word="Server listening")
        settings = self.place.settings
        self.client = self.place.lab.run(
            Host.CLIENT,
            [
                *("iperf3", "--client", self.place.target, "--forceflush"),
                *("--port", str(self.port), "--parallel", str(settings.tcp_streams)),
                *self.client_options(),
                *("--time", str(LONGEST_S), "--interval", str(INTERVAL_S), "--format", "m"),
            ],
        )

    def attend(self) -> None:
        """iperf3 gives up when a stream breaks: count that, and go on as a user would."""
        if not self.client.running():
            self.outputs.append(self.client.output())
            self.messages.append(self.outputs[-1].strip().splitlines()[-1])
            self.server.kill()
            self.server = self._serve()
            self.start()

    def stop(self) -> PartFigures:
        return self.end()

    def end(self) -> IperfFigures:
        ended_by_itself = not self.client.running()
        self.client.stop(by=signal.SIGINT)
        self.server.kill()
        self.outputs.append(self.client.output())
        if ended_by_itself:
            self.messages.append(self.outputs[-1].strip().splitlines()[-1])
        found = [entry for output in self.outputs for entry in intervals(output)]
        streams = self.place.settings.tcp_streams
        return IperfFigures(
            streams=streams,
            broken=streams if self.messages else 0,
            mbit_mean=round(sum(mbit for mbit, _ in found) / max(1, len(found)), 1),
            retransmitted=sum(retransmitted for _, retransmitted in found),
            messages=self.messages,
        )
