# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the ids share: TCP conversations, a box with it, and its alerts."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

CLIENT, SERVER = "10.0.0.5", "198.51.100.7"
CLIENT6, SERVER6 = "2001:db8:1::5", "2001:db8:2::7"
HOSTS = {4: (CLIENT, SERVER), 6: (CLIENT6, SERVER6)}
Sent = tuple[str, bytes]  # port, frame


def rule(options: str, sid: int = 1, head: str = "tcp any any -> any any",
         action: str = "alert") -> str:  # fmt: skip
    """A canonical rule of its options, `sid` added."""
    return f"{action} {head} ({options} sid:{sid};)" if options else f"{action} {head} (sid:{sid};)"


def ether(packet: Packet) -> bytes:
    kind = 0x86DD if isinstance(packet, IPv6) else 0x0800
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=kind) / packet)


class Conversation:
    """A TCP connection, segment by segment; each method gives what it sends, as (port, frame)."""

    def __init__(self, version: int = 4, sport: int = 40000, dport: int = 80,
                 client_sequence: int = 1000, server_sequence: int = 9000) -> None:  # fmt: skip
        self.hosts = HOSTS[version]
        self.version, self.ports = version, (sport, dport)
        self.next = [client_sequence, server_sequence]  # of client and server

    def segment(self, side: int, flags: str, data: bytes = b"", sequence: int | None = None,
                acknowledged: int | None = None) -> Sent:  # fmt: skip
        """Of client (0) or server (1), at its place unless told; advances nothing."""
        source, destination = self.hosts[side], self.hosts[1 - side]
        header = (IP if self.version == 4 else IPv6)(src=source, dst=destination)
        packet = header / TCP(
            sport=self.ports[side],
            dport=self.ports[1 - side],
            flags=flags,
            seq=(self.next[side] if sequence is None else sequence) & 0xFFFFFFFF,
            ack=(self.next[1 - side] if acknowledged is None else acknowledged) & 0xFFFFFFFF,
        )
        return ("inside", "outside")[side], ether(packet / Raw(data) if data else packet)

    def open(self) -> list[Sent]:
        syn = self.segment(0, "S", acknowledged=0)
        self.next[0] += 1
        answer = self.segment(1, "SA")
        self.next[1] += 1
        return [syn, answer, self.segment(0, "A")]

    def _data(self, side: int, data: bytes, flags: str = "PA") -> Sent:
        sent = self.segment(side, flags, data)
        self.next[side] += len(data) + ("F" in flags)
        return sent

    def client(self, data: bytes, flags: str = "PA") -> Sent:
        return self._data(0, data, flags)

    def server(self, data: bytes, flags: str = "PA") -> Sent:
        return self._data(1, data, flags)

    def close(self) -> list[Sent]:
        return [self.client(b"", "FA"), self.server(b"", "FA"), self.segment(0, "A")]


def udp(data: bytes, sport: int = 5000, dport: int = 53, version: int = 4, side: int = 0) -> Sent:
    source, destination = HOSTS[version][side], HOSTS[version][1 - side]
    header = (IP if version == 4 else IPv6)(src=source, dst=destination)
    ports = (sport, dport) if side == 0 else (dport, sport)
    return ("inside", "outside")[side], ether(
        header / UDP(sport=ports[0], dport=ports[1]) / Raw(data)
    )


def icmp(kind: int, code: int = 0, data: bytes = b"data") -> Sent:
    header = IP(src=CLIENT, dst=SERVER)
    return "inside", ether(header / ICMP(type=kind, code=code) / Raw(data))


class Ids:
    """A box with an ids between "inside" and "outside"; alerts gather in `alerts`."""

    def __init__(self, make_box: Callable[..., Any], rules: Iterable[str], workers: int = 1,
                 **options: Any) -> None:  # fmt: skip
        settings = {
            "inside": "inside",
            "outside": "outside",
            "alerts": "eve",
            "rules": list(rules),
            "flows_max": 1024,
            "blocks_max": 2048,
            "thresholds_max": 1024,
            **options,
        }
        self.alerts: list[dict[str, Any]] = []
        self.box = make_box(
            pipeline=[("ids", settings)], ports=["inside", "outside", "eve"], workers=workers
        )

    def send(self, *sent: Sent) -> list[bytes]:
        """What passed, in any order; its alerts are added to `alerts`."""
        before = None
        for port, frame in sent:
            if before not in (None, port):
                self.box.step()  # ports are read one after the other: what came before is taken
            before = port
            self.box.inject(port, frame)
        return self.take(self.box.run())

    def take(self, released: list[Sent]) -> list[bytes]:
        for port, frame in released:
            if port == "eve":
                time_ns = struct.unpack("=Q", frame[:8])[0]
                alert = json.loads("{" + f'"time_ns":{time_ns},' + frame[8:].decode())
                self.alerts.append(alert)
        return [frame for port, frame in released if port != "eve"]

    def passes(self, *sent: Sent) -> None:
        """All of it must pass, untouched."""
        assert sorted(self.send(*sent)) == sorted(frame for _, frame in sent), self.drops()

    def sids(self) -> list[int]:
        """Of the alerts since the last call, in order of numbers."""
        found = sorted(alert["alert"]["signature_id"] for alert in self.alerts)
        self.alerts.clear()
        return found

    def drops(self) -> dict[str, int]:
        return dict(self.box.drops().get("ids", {}))

    def drain(self) -> None:
        """Until no more alerts come: of each burst, and each tick alone, only so many can leave."""
        before = -1
        while before != len(self.alerts):
            before = len(self.alerts)
            self.advance(0.02)

    def advance(self, seconds: float) -> None:
        self.take(self.box.advance(seconds))
