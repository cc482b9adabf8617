# SPDX-License-Identifier: BSD-3-Clause
"""Gbit/s that one core inspects with many rules: `ids` protected and unprotected, and Suricata.

Rounds in turn. Of the element it is the busy time of the master's worker, which always finds full
bursts. Of Suricata it is the processor time of its packet thread on the same core, in its
single-threaded mode; it reads the same frames from a capture. Neither looks at checksums, and
Suricata's parsers of applications are off.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ids import trace
from benchmarks.peers import suricata
from benchmarks.rig import Cores, Rig, beside_master
from benchmarks.spread import ratio, spread
from benchmarks.throughput import master_rate
from benchmarks.traffic import Traffic
from ftmb.errors import ConfigurationError
from ftmb.rules import rule_set
from ftmb.rules.files import rules_of
from ftmb.rules.settings import Settings

CONNECTIONS = 2000
TIMES = 12  # that the trace stands in Suricata's capture
OPTIONS = {
    "inside": "inside",
    "outside": "outside",
    "alerts": "eve",
    "check_checksum": False,
    "stream_depth": 0,
}


@dataclass(frozen=True)
class Material:
    """What both sides get."""

    written: list[str]
    canonical: list[str]
    frames: list[bytes]
    traffic: Traffic

    @classmethod
    def make(cls, rule_count: int) -> Material:
        written = trace.rules(rule_count)
        found = rule_set.read(rules_of("\n".join(written), "trace"), Settings().context())
        if found.refused:
            raise ConfigurationError([line for one in found.refused for line in one.lines()])
        frames = trace.frames(CONNECTIONS, rule_count)
        return cls(written, found.texts(), frames, trace.traffic(frames))

    @property
    def bits(self) -> int:
        """Of the trace, from the Ethernet header on."""
        return 8 * sum(map(len, self.frames))


class Peer:
    """Suricata with its capture."""

    def __init__(self, material: Material, folder: Path) -> None:
        self.material = material
        self.folder = folder
        self.core = Cores.choose().master
        self.capture = folder / "trace.pcap"
        trace.write_capture(self.capture, material.frames, TIMES)

    def gbit(self) -> float:
        """One round."""
        with tempfile.TemporaryDirectory(dir=self.folder) as log:
            written = self.material.written
            seconds = suricata.packet_seconds(self.capture, written, Path(log), self.core)
            self.alerts = (Path(log) / "eve.json").read_bytes().count(b"\n") / TIMES
        return self.material.bits * TIMES / seconds / 1e9


def _gbit(rig: Rig) -> float:
    return master_rate(rig) * rig.traffic.mean_size * 8 / 1000


def _alerts(rig: Rig) -> float:
    """In one pass over the trace."""
    counts = rig.logger.port_counts("inside")
    return float(rig.logger.port_counts("eve")["sent"] * rig.traffic.count / counts["received"])


def measure(rule_count: int, rounds: int) -> dict[str, Any]:
    """Of one rule set; without Suricata if that is not here."""
    material = Material.make(rule_count)
    options = {**OPTIONS, "rules": material.canonical}
    rates: dict[str, list[float]] = {"protected": [], "unprotected": []}
    has_peer = suricata.program() is not None
    rates |= {"suricata": []} if has_peer else {}
    with tempfile.TemporaryDirectory() as name, beside_master():
        peer = Peer(material, Path(name)) if has_peer else None
        with (
            Rig("ids", options, material.traffic, protected=True, idle="sleep") as protected,
            Rig("ids", options, material.traffic, protected=False, idle="sleep") as unprotected,
        ):
            for rig in (protected, unprotected):
                rig.warm_up()
            for _ in range(rounds):
                rates["protected"].append(_gbit(protected))
                rates["unprotected"].append(_gbit(unprotected))
                if peer is not None:
                    rates["suricata"].append(peer.gbit())
            for rig in (protected, unprotected):
                rig.check()
            alerts = {"ids": _alerts(protected), "suricata": peer.alerts if peer else None}
    return {
        "gbit": {side: spread(values) for side, values in rates.items()},
        "ratio": ratio(rates["protected"], rates["unprotected"]),
        "to_suricata": ratio(rates["protected"], rates["suricata"]) if has_peer else None,
        "bytes_per_packet": round(material.traffic.mean_size, 1),
        "packets": len(material.frames),
        "alerts": alerts,
        "suricata": suricata.version() if has_peer else suricata.MISSING,
        "command": f"python -m benchmarks ids --rules {rule_count} --rounds {rounds}",
    }
