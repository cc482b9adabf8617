# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the NAT share: frames, a box with a NAT, and checks of what it lets out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, in4_chksum
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

HOST = "10.0.0.5"
OTHER_HOST = "10.0.0.6"
NAT_INSIDE = "10.0.0.1"
EXTERNAL = "203.0.113.1"
REMOTE = "198.51.100.7"
OTHER_REMOTE = "198.51.100.8"

Released = list[tuple[str, Packet]]


def verify(raw: bytes) -> None:
    """Every checksum of a frame, by scapy's own arithmetic, also of a header that it quotes."""
    ip = Ether(raw)[IP]
    whole = bytes(raw)[14 : 14 + ip.len]
    header, payload = whole[: ip.ihl * 4], whole[ip.ihl * 4 :]
    assert checksum(header) == 0
    if ip.proto == 1:
        assert checksum(payload) == 0
        if payload[0] in (3, 4, 11, 12):
            assert checksum(payload[8 : 8 + (payload[8] & 15) * 4]) == 0
    elif ip.proto == 6 or payload[6:8] != b"\0\0":
        assert in4_chksum(ip.proto, ip, payload) == 0


class Nat:
    """A box with a NAT: packets in, packets out, each of these verified."""

    def __init__(self, make_box: Callable[..., Any], workers: int = 2, **options: Any) -> None:
        settings = {"inside": "inside", "outside": "outside", "external": [EXTERNAL], **options}
        self.box = make_box(
            pipeline=[("nat", settings)], ports=["inside", "outside"], workers=workers
        )

    def send(self, port: str, *packets: Packet) -> Released:
        for packet in packets:
            self.box.inject(port, bytes(Ether() / packet))
        return self.released()

    def released(self) -> Released:
        frames = self.box.run()
        for _, raw in frames:
            verify(raw)
        return [(port, Ether(raw)) for port, raw in frames]

    def out(self, packet: Packet) -> Packet:
        """Sends from inside what has to come out on the other side, alone."""
        ((port, frame),) = self.send("inside", packet)
        assert port == "outside"
        return frame[IP]

    def back(self, packet: Packet) -> Packet:
        ((port, frame),) = self.send("outside", packet)
        assert port == "inside"
        return frame[IP]

    def refused(self, port: str, packet: Packet, reason: str) -> None:
        """Sends what has to be dropped, for this reason and without an answer."""
        before = self.drops(reason)
        assert self.send(port, packet) == []
        assert self.drops(reason) == before + 1

    def drops(self, reason: str) -> int:
        return int(self.box.drops().get("nat", {}).get(reason, 0))

    def advance(self, seconds: float) -> None:
        self.box.advance(seconds)


def udp(source: str, sport: int, destination: str, dport: int, **fields: Any) -> Packet:
    return IP(src=source, dst=destination, **fields) / UDP(sport=sport, dport=dport) / Raw(b"data!")


def tcp(source: str, sport: int, destination: str, dport: int, flags: str) -> Packet:
    return IP(src=source, dst=destination) / TCP(sport=sport, dport=dport, flags=flags)


def echo(source: str, destination: str, identifier: int, kind: int = 8) -> Packet:
    return IP(src=source, dst=destination) / ICMP(type=kind, id=identifier, seq=1) / Raw(b"ping")


def answer(packet: Packet, **fields: Any) -> Packet:
    """What the remote side sends back to a packet as it came out."""
    ip = IP(src=packet.dst, dst=packet.src)
    if ICMP in packet:
        return ip / ICMP(type=0, id=packet[ICMP].id, seq=packet[ICMP].seq) / Raw(b"ping")
    layer = TCP if TCP in packet else UDP
    ports = {"sport": packet[layer].dport, "dport": packet[layer].sport}
    return ip / layer(**{**ports, **fields}) / Raw(b"reply")


def error(source: str, cause: Packet, kind: int = 3, code: int = 1, keep: int = 28) -> Packet:
    """An ICMP error about a packet, sent to who sent it, quoting `keep` bytes of it."""
    quoted = bytes(cause)[:keep]
    return IP(src=source, dst=cause.src) / ICMP(type=kind, code=code) / Raw(quoted)


def quoted(packet: Packet) -> IPerror:
    """The header that an ICMP error quotes."""
    return packet[IPerror]


def connect(nat: Nat, sport: int = 5000, dport: int = 80, remote: str = REMOTE) -> Packet:
    """Opens a TCP connection from inside; returns its SYN as it came out."""
    syn = nat.out(tcp(HOST, sport, remote, dport, "S"))
    nat.back(answer(syn, flags="SA"))
    nat.out(tcp(HOST, sport, remote, dport, "A"))
    return syn
