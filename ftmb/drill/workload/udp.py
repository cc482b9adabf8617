# SPDX-License-Identifier: BSD-3-Clause
"""The numbered UDP stream: what was lost, doubled or reordered between client and server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy

from ftmb.drill.workload.base import Column, Place
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host

PORT = 9000


@dataclass(frozen=True)
class UdpFigures:
    sent: int
    refused: int  # by the sender's own kernel: they never were on the wire
    received: int
    lost: int  # without what the receiver's own socket dropped
    socket_overflow: int
    duplicated: int
    reordered: int
    strange: int  # datagrams that were never sent like that
    stall_ms_max: float
    latency_us: dict[str, float]
    arrivals_ns: Column
    losses: list[tuple[int, int, int]]  # flow, number, when about it was sent in ns

    def report(self, moments: Moments) -> Report:
        return {
            "sent": self.sent,
            "refused_by_sender": self.refused,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "strange": self.strange,
            "socket_overflow": self.socket_overflow,
            "stall_ms_max": round(self.stall_ms_max, 3),
            "latency_us": self.latency_us,
            "losses": [
                {"flow": flow, "number": number, "at_s": moments.seconds(at)}
                for flow, number, at in self.losses
            ],
        }


def losses(sent: list[int], datagrams: Column, listed_max: int = 50) -> list[tuple[int, int, int]]:
    """What is missing, each with the time at which the one before it in its flow was sent."""
    found = []
    for flow, sent_of_flow in enumerate(sent):
        mine = datagrams[datagrams[:, 0] == flow]
        mine = mine[numpy.argsort(mine[:, 1], kind="stable")]
        missing = numpy.setdiff1d(numpy.arange(sent_of_flow, dtype=numpy.uint64), mine[:, 1])
        before = numpy.searchsorted(mine[:, 1], missing[:listed_max])
        for number, position in zip(missing[:listed_max], before, strict=True):
            at = int(mine[position - 1, 2]) if position else 0
            found.append((flow, int(number), at))
    return sorted(found, key=lambda loss: loss[2])[:listed_max]


def count(
    sent: list[int], flows: Column, numbers: Column, overflow: int = 0
) -> tuple[int, int, int]:
    """Lost, duplicated, and reordered within a flow, for datagrams in order of arrival."""
    missing = duplicated = reordered = 0
    for flow, sent_of_flow in enumerate(sent):
        mine = numbers[flows == flow]
        different = numpy.unique(mine)
        missing += sent_of_flow - len(different)
        duplicated += len(mine) - len(different)
        highest = numpy.maximum.accumulate(mine) if len(mine) else mine
        reordered += int(numpy.count_nonzero(mine[1:] < highest[:-1]))
    return max(0, missing - overflow), duplicated, reordered


def strange(sent: list[int], flows: Column, numbers: Column) -> int:
    """Datagrams of a flow or with a number that the sender never used."""
    bounds = numpy.array(sent, dtype=numpy.uint64)
    known = flows < len(sent)
    return int(
        numpy.count_nonzero(~known) + numpy.count_nonzero(numbers[known] >= bounds[flows[known]])
    )


class UdpStream(Part):
    section = Section(
        "udp",
        (
            Row("UDP datagrams sent", ("udp", "sent")),
            Row("UDP lost", ("udp", "lost"), must_be_zero=True),
            Row("UDP duplicated", ("udp", "duplicated"), must_be_zero=True),
            Row("UDP reordered in a flow", ("udp", "reordered")),
            Row("UDP dropped by the receiver's socket", ("udp", "socket_overflow")),
        ),
        (
            Guarantee(("udp", "lost"), "datagrams were lost"),
            Guarantee(("udp", "duplicated"), "datagrams were sent twice"),
            Guarantee(("udp", "strange"), "datagrams arrived that were never sent"),
        ),
        (("udp", "sent"),),
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.receivers = {
            f"udp_receiver-{address}": place.run_traffic(
                host,
                "udp_receiver",
                *("--address", address, "--port", str(PORT)),
                *("--result", str(place.folder / f"udp_receiver-{address}")),
            )
            for host, address in place.servers
        }

    def describe(self) -> str:
        return f"{self.place.settings.udp_rate:,} datagrams a second"

    def start(self) -> None:
        for receiver in self.receivers.values():
            receiver.wait_ready()
        place, addresses = self.place, self.place.lab.addresses
        self.sender = place.run_traffic(
            Host.CLIENT,
            "udp_sender",
            *("--target", place.target, "--port", str(PORT)),
            *("--sources", *addresses.clients),
            *("--flows", str(place.settings.udp_flows), "--rate", str(place.settings.udp_rate)),
            *("--result", str(place.folder / "udp_sender")),
        )
        self.sender.wait_ready()

    def stop(self) -> UdpFigures:
        self.sender.stop()
        for receiver in self.receivers.values():
            receiver.stop(patience_s=30)
        return self.figures()

    def _received(self) -> tuple[Column, Column, int]:
        """Of all receivers, in order of arrival: datagrams, times; what their sockets dropped."""
        names = list(self.receivers)
        datagrams = [self.place.column(f"{name}.datagrams").reshape(-1, 3) for name in names]
        arrivals = numpy.concatenate([self.place.column(f"{name}.arrivals") for name in names])
        order = numpy.argsort(arrivals, kind="stable")
        overflow = sum(
            int(self.place.figures(name, receiver)["socket_overflow"])
            for name, receiver in self.receivers.items()
        )
        return numpy.concatenate(datagrams)[order], arrivals[order], overflow

    def figures(self) -> UdpFigures:
        sender: dict[str, Any] = self.place.figures("udp_sender", self.sender)
        sent: list[int] = sender["sent"]
        datagrams, arrivals, overflow = self._received()
        lost, duplicated, reordered = count(sent, datagrams[:, 0], datagrams[:, 1], overflow)
        latency_us = (arrivals - datagrams[:, 2]).astype(numpy.float64) / 1e3
        gaps = numpy.diff(arrivals) if len(arrivals) > 1 else numpy.zeros(1)
        return UdpFigures(
            sent=sum(sent),
            refused=int(sender["failed"]),
            received=len(arrivals),
            lost=lost,
            socket_overflow=overflow,
            duplicated=duplicated,
            reordered=reordered,
            strange=strange(sent, datagrams[:, 0], datagrams[:, 1]),
            stall_ms_max=float(gaps.max()) / 1e6,
            latency_us={
                name: round(float(numpy.percentile(latency_us, share)), 1) if len(arrivals) else 0.0
                for name, share in (("p50", 50), ("p99", 99), ("p999", 99.9))
            },
            arrivals_ns=arrivals,
            losses=losses(sent, datagrams),
        )
