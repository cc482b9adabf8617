# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the firewall share: frames of IPv4 and IPv6, a box with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

INSIDE, OUTSIDE, ROUTER = "10.0.0.5", "198.51.100.7", "192.0.2.33"
INSIDE6, OUTSIDE6, ROUTER6 = "2001:db8:1::5", "2001:db8:2::7", "2001:db8:3::1"
HOSTS = {4: (INSIDE, OUTSIDE, ROUTER), 6: (INSIDE6, OUTSIDE6, ROUTER6)}
OUTWARD = ["allow any"]
OTHER = {"trusted": "untrusted", "untrusted": "trusted"}


def ether(packet: Packet | bytes, kind: int | None = None) -> bytes:
    """A frame: the packet in Ethernet, of the type that it has."""
    wanted = kind or (0x86DD if isinstance(packet, IPv6) else 0x0800)
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=wanted) / packet)


class Firewall:
    """A box with a firewall: frames in, frames out, and these must be what came in."""

    def __init__(
        self,
        make_box: Callable[..., Any],
        rules: list[str] | None = None,
        workers: int = 2,
        **options: Any,
    ) -> None:
        settings = {
            "trusted": "trusted",
            "untrusted": "untrusted",
            "rules": OUTWARD if rules is None else rules,
            **options,
        }
        self._drops: dict[str, int] = {}
        self.box = make_box(
            pipeline=[("firewall", settings)],
            ports=["trusted", "untrusted"],
            workers=workers,
        )

    def send(self, port: str, *packets: Packet | bytes) -> list[bytes]:
        """What came out at the other side."""
        for packet in packets:
            self.box.inject(port, packet if isinstance(packet, bytes) else ether(packet))
        released = self.box.run()
        assert all(out == OTHER[port] for out, _ in released)
        return [frame for _, frame in released]

    def out(self, *packets: Packet | bytes) -> None:
        """From the trusted side; all must pass, untouched."""
        self._pass("trusted", packets)

    def back(self, *packets: Packet | bytes) -> None:
        """From the untrusted side."""
        self._pass("untrusted", packets)

    def _pass(self, port: str, packets: tuple[Packet | bytes, ...]) -> None:
        frames = [packet if isinstance(packet, bytes) else ether(packet) for packet in packets]
        passed = self.send(port, *frames)
        assert sorted(passed) == sorted(frames), f"{packets!r}: {self.drops()}"

    def refused(self, port: str, packet: Packet | bytes, reason: str) -> None:
        """Sends what has to be dropped, for this reason and no other since the last one."""
        expected = {**self._drops, reason: self._drops.get(reason, 0) + 1}
        assert self.send(port, packet) == []
        assert self.drops() == expected

    def drops(self) -> dict[str, int]:
        self._drops = dict(self.box.drops().get("firewall", {}))
        return self._drops

    def advance(self, seconds: float) -> None:
        self.box.advance(seconds)


def ip(version: int, source: str, destination: str, **fields: Any) -> Packet:
    return (IP if version == 4 else IPv6)(src=source, dst=destination, **fields)


def turned(packet: Packet) -> Packet:
    """Addresses of the way back."""
    return type(packet)(src=packet.dst, dst=packet.src)


def udp(version: int = 4, sport: int = 5000, dport: int = 53, **fields: Any) -> Packet:
    """From the trusted host to the untrusted one."""
    trusted, untrusted, _ = HOSTS[version]
    packet = ip(version, trusted, untrusted, **fields) / UDP(sport=sport, dport=dport)
    return packet / Raw(b"data!")


def tcp(flags: str, version: int = 4, sport: int = 5000, dport: int = 80) -> Packet:
    trusted, untrusted, _ = HOSTS[version]
    return ip(version, trusted, untrusted) / TCP(sport=sport, dport=dport, flags=flags)


def echo(version: int = 4, identifier: int = 77) -> Packet:
    trusted, untrusted, _ = HOSTS[version]
    header = ip(version, trusted, untrusted)
    if version == 4:
        return header / ICMP(type=8, id=identifier, seq=1) / Raw(b"ping")
    return header / ICMPv6EchoRequest(id=identifier, seq=1, data=b"ping")


def answer(packet: Packet, flags: str = "SA") -> Packet:
    """What the other side sends back."""
    header = turned(packet)
    if TCP in packet:
        return header / TCP(sport=packet.dport, dport=packet.sport, flags=flags)
    if UDP in packet:
        return header / UDP(sport=packet.dport, dport=packet.sport) / Raw(b"reply")
    if ICMP in packet:
        return header / ICMP(type=0, id=packet[ICMP].id, seq=1) / Raw(b"ping")
    return header / ICMPv6EchoReply(id=packet[ICMPv6EchoRequest].id, seq=1, data=b"ping")


def error(cause: Packet, kind: int, code: int = 0, keep: int = 1000, source: str = "") -> Packet:
    """An ICMP or ICMPv6 error about a packet, sent to who sent it, quoting `keep` bytes of it."""
    quoted = Raw(bytes(cause)[:keep])
    if isinstance(cause, IP):
        header = IP(src=source or ROUTER, dst=cause.src)
        return header / ICMP(type=kind, code=code) / quoted
    header = IPv6(src=source or ROUTER6, dst=cause.src)
    return header / icmpv6(kind, code, bytes(4) + bytes(quoted), header)


def icmpv6(kind: int, code: int, body: bytes, header: IPv6) -> Raw:
    """A message of any type with a right checksum; sets the header's `nh`."""
    from scapy.layers.inet6 import in6_chksum

    header.nh = 58
    message = bytes([kind, code, 0, 0]) + body
    checksum = in6_chksum(58, header, message)
    return Raw(message[:2] + checksum.to_bytes(2, "big") + message[4:])


def connect(firewall: Firewall, version: int = 4, sport: int = 5000) -> None:
    """A handshake begun on the trusted side."""
    syn = tcp("S", version, sport)
    firewall.out(syn)
    firewall.back(answer(syn))
    firewall.out(tcp("A", version, sport))
