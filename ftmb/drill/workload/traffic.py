# SPDX-License-Identifier: BSD-3-Clause
"""All the parts of a drill's traffic together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ftmb.drill.counters import Counters
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.downloads import Downloads
from ftmb.drill.workload.echo import EchoConnections
from ftmb.drill.workload.iperf import Iperf
from ftmb.drill.workload.part import Moments, Part, Section
from ftmb.drill.workload.ping import Ping
from ftmb.drill.workload.udp import UdpStream

MakePart = Callable[[Place], Part]
# In the order in which clients start. They stop the other way round: the UDP stream first, so that
# its end is not disturbed by the others' ends.
USUAL: tuple[type[Part], ...] = (Ping, Downloads, Iperf, EchoConnections, UdpStream)


@dataclass(frozen=True)
class Figures:
    """What the outside saw of one run: the parts' figures by the names of their sections."""

    moments: Moments
    parts: dict[str, Any]
    sections: list[Section]
    throughput: list[tuple[int, int]]

    def __getitem__(self, section: str) -> Any:
        return self.parts[section]


class Traffic:
    """Servers start with the object, clients by `start`; `stop` gives the figures."""

    def __init__(self, place: Place, parts: Sequence[MakePart] = USUAL) -> None:
        self.place = place
        self.parts = [make(place) for make in parts]

    def describe(self) -> str:
        return ", ".join(part.describe() for part in reversed(self.parts))

    def start(self) -> None:
        self.counters = Counters(self.place.lab)
        for part in self.parts:
            part.start()

    def attend(self) -> None:
        """To be called now and then while the traffic runs."""
        for part in self.parts:
            part.attend()

    def stop(self) -> Figures:
        stopped = [(part.section, part.stop()) for part in reversed(self.parts)]
        wires = self.counters.close()
        samples = self.counters.throughput
        return Figures(
            moments=Moments(samples[0][0] if samples else 0, wires),
            parts={section.name: figures for section, figures in stopped},
            sections=[section for section, _ in stopped],
            throughput=samples,
        )
