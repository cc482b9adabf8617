# SPDX-License-Identifier: BSD-3-Clause
"""All the programs of a drill together."""

from __future__ import annotations

from dataclasses import dataclass

from ftmb.drill.counters import Counters
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.downloads import DownloadFigures, Downloads
from ftmb.drill.workload.echo import EchoConnections, EchoFigures
from ftmb.drill.workload.iperf import Iperf, IperfFigures
from ftmb.drill.workload.ping import Ping, PingFigures
from ftmb.drill.workload.udp import UdpFigures, UdpStream


@dataclass(frozen=True)
class Figures:
    """What the outside saw of one run."""

    started_ns: int
    udp: UdpFigures
    echo: EchoFigures
    iperf: IperfFigures
    downloads: DownloadFigures
    ping: PingFigures
    wires: dict[str, dict[str, int]]
    throughput: list[tuple[int, int]]


class Traffic:
    """Servers start with the object, clients by `start`; `stop` gives the figures."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.udp = UdpStream(place)
        self.echo = EchoConnections(place)
        self.iperf = Iperf(place)
        self.downloads = Downloads(place)
        self.ping = Ping(place)

    def start(self) -> None:
        self.counters = Counters(self.place.lab)
        self.echo.start()
        self.downloads.start()
        self.iperf.start()
        self.ping.start()
        self.udp.start()

    def attend(self) -> None:
        """To be called now and then while the traffic runs."""
        self.iperf.restart_if_ended()

    def stop(self) -> Figures:
        """The UDP stream first, so that its end is not disturbed by the others' ends."""
        udp = self.udp.stop()
        echo = self.echo.stop()
        ping = self.ping.stop()
        iperf = self.iperf.stop()
        downloads = self.downloads.stop()
        wires = self.counters.close()
        samples = self.counters.throughput
        return Figures(
            started_ns=samples[0][0] if samples else 0,
            udp=udp,
            echo=echo,
            iperf=iperf,
            downloads=downloads,
            ping=ping,
            wires=wires,
            throughput=samples,
        )
