# SPDX-License-Identifier: BSD-3-Clause
"""Hosts that send more than a limiter lets pass: a numbered stream, and iperf3.

What should pass of the stream is worked out beside the box, by a bucket of tokens that is filled by
the times at which datagrams were sent. A box that forgot its buckets would give a burst too much
with each failure, so half a burst is all that the two may differ by, at any time of the run; a host
that is slow to put a datagram on its wire makes them differ by much less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from ftmb.drill.workload.base import Column, Place
from ftmb.drill.workload.iperf import Iperf, IperfFigures, received
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.drill.workload.udp import count, strange
from ftmb.lab import Host

PORT, TCP_PORT = 9010, 5202
SIZE = 1000  # of a datagram
HEADERS_SIZE = 14 + 20 + 8
FRAME_SIZE = SIZE + HEADERS_SIZE
OVER = 3  # times what may pass is offered


@dataclass(frozen=True)
class Limit:
    """Of a host, for what it sends."""

    host: str
    bit_per_s: int
    burst: int  # bytes


def passes(sent_ns: Column, frame_size: int, limit: Limit) -> Any:
    """Which frames a bucket lets pass that is full at the first of them."""
    tokens, before = float(limit.burst), int(sent_ns[0]) if len(sent_ns) else 0
    found = numpy.zeros(len(sent_ns), dtype=bool)
    for index, at in enumerate(sent_ns.tolist()):
        tokens = min(limit.burst, tokens + (at - before) * limit.bit_per_s / 8e9)
        before = at
        if tokens >= frame_size:
            tokens -= frame_size
            found[index] = True
    return found


def off_bytes(sent_ns: Column, arrived: Column, frame_size: int, limit: Limit) -> int:
    """By how much what had passed ever was more, or less, than it should have been."""
    did = numpy.zeros(len(sent_ns), dtype=bool)
    did[arrived] = True
    off = numpy.cumsum(did.astype(int) - passes(sent_ns, frame_size, limit).astype(int))
    return int(numpy.abs(off).max(initial=0)) * frame_size


@dataclass(frozen=True)
class LimitedFigures:
    offered: int
    passed: int
    duplicated: int
    strange: int
    off_bytes: int
    beyond: int  # of these, more than may be
    limit: Limit

    def report(self, moments: Moments) -> Report:
        return {**vars(self), "limit": vars(self.limit)}


class Limited(Part):
    section = Section(
        "limited",
        (
            Row("datagrams offered to a limit", ("limited", "offered")),
            Row("datagrams that passed it", ("limited", "passed")),
            Row("bytes off the limit at most", ("limited", "off_bytes")),
            Row("bytes beyond half a burst", ("limited", "beyond"), must_be_zero=True),
        ),
        (
            Guarantee(("limited", "beyond"), "bytes too many or too few passed a limit", True),
            Guarantee(("limited", "duplicated"), "limited datagrams were sent twice"),
            Guarantee(("limited", "strange"), "limited datagrams arrived that were never sent"),
        ),
        (("limited", "offered"), ("limited", "passed")),
    )

    def __init__(self, place: Place, limit: Limit) -> None:
        super().__init__(place)
        self.limit = limit
        self.receiver = place.run_traffic(
            Host.SERVER,
            "udp_receiver",
            *("--address", place.lab.addresses.server, "--port", str(PORT)),
            *("--result", str(place.folder / "limited_receiver")),
        )

    def describe(self) -> str:
        return f"{OVER} times what a limit of {self.limit.bit_per_s / 1e6:g} Mbit/s lets pass"

    def start(self) -> None:
        self.receiver.wait_ready()
        self.sender = self.place.run_traffic(
            Host.CLIENT,
            "udp_sender",
            *("--target", self.place.lab.addresses.server, "--port", str(PORT)),
            *("--sources", self.limit.host, "--flows", "1", "--size", str(SIZE), "--record"),
            *("--rate", str(OVER * self.limit.bit_per_s // 8 // FRAME_SIZE)),
            *("--result", str(self.place.folder / "limited_sender")),
        )
        self.sender.wait_ready()

    def stop(self) -> LimitedFigures:
        self.sender.stop()
        self.receiver.stop(patience_s=30)
        sent: list[int] = self.place.figures("limited_sender", self.sender)["sent"]
        self.place.figures("limited_receiver", self.receiver)
        sent_ns = self.place.column("limited_sender.times")
        datagrams = self.place.column("limited_receiver.datagrams").reshape(-1, 3)
        flows, numbers = datagrams[:, 0], datagrams[:, 1]
        known = numpy.unique(numbers[numbers < len(sent_ns)])
        off = off_bytes(sent_ns, known, FRAME_SIZE, self.limit)
        return LimitedFigures(
            offered=sum(sent),
            passed=len(known),
            duplicated=count(sent, flows, numbers)[1],
            strange=strange(sent, flows, numbers),
            off_bytes=off,
            beyond=max(0, off - self.limit.burst // 2),
            limit=self.limit,
        )


@dataclass(frozen=True)
class LimitedIperfFigures:
    iperf: IperfFigures
    seconds: float
    received_bytes: int
    beyond: int

    def report(self, moments: Moments) -> Report:
        return {
            **self.iperf.report(moments),
            "seconds": round(self.seconds, 1),
            "received_bytes": self.received_bytes,
            "beyond": self.beyond,
        }


class LimitedIperf(Iperf):
    """TCP that would take more: it finds the limit by itself, and is never cut off."""

    section = Section(
        "limited_tcp",
        (Row("bytes by TCP beyond a limit", ("limited_tcp", "beyond"), must_be_zero=True),),
        (Guarantee(("limited_tcp", "beyond"), "bytes too many passed a limit by TCP", True),),
        (("limited_tcp", "received_bytes"),),
    )
    port = TCP_PORT

    def __init__(self, place: Place, limit: Limit) -> None:
        super().__init__(place)
        self.limit = limit

    def describe(self) -> str:
        return f"iperf3 over a limit of {self.limit.bit_per_s / 1e6:g} Mbit/s"

    def client_options(self) -> list[str]:
        streams = self.place.settings.tcp_streams
        rate = OVER * self.limit.bit_per_s // streams
        return ["--bind", self.limit.host, "--bitrate", str(rate)]

    def stop(self) -> LimitedIperfFigures:
        figures = self.end()
        seconds, megabits = received(self.server.output())
        arrived = int(megabits * 1e6 / 8)
        allowed = seconds * self.limit.bit_per_s / 8 + 1.5 * self.limit.burst
        return LimitedIperfFigures(figures, seconds, arrived, max(0, int(arrived - allowed)))
