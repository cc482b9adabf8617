# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the load balancer share: frames of IPv4 and IPv6, a box with it, its tables."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from ftmb._native.tables import Rows, StateCopy, tables_of

VIP, VIP6 = "198.51.100.10", "2001:db8:ffff::10"
VIPS = {4: VIP, 6: VIP6}
SERVERS = {
    4: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    6: ["2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::3"],
}
ROUTERS = {4: "192.0.2.254", 6: "2001:db8:3::1"}
SERVICES = [f"tcp {VIP}:80", f"udp {VIP}:53", f"tcp [{VIP6}]:80", f"udp [{VIP6}]:53"]
PORTS = {"tcp": 80, "udp": 53}
BACKEND_PORTS = {"tcp": 8080, "udp": 5353}
OTHER = {"clients": "servers", "servers": "clients"}


def at(address: str, port: int) -> str:
    """As the configuration writes an endpoint."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def line(protocol: str, version: int, number: int) -> str:
    """A service of ours and one of its backends, counted from 0."""
    server = SERVERS[version][number]
    service = at(VIPS[version], PORTS[protocol])
    return f"{protocol} {service} -> {at(server, BACKEND_PORTS[protocol])}"


BACKENDS = [
    line(protocol, version, number)
    for protocol in ("tcp", "udp")
    for version in (4, 6)
    for number in range(3)
]


def client(number: int, version: int = 4) -> str:
    if version == 4:
        return f"192.0.2.{number % 250 + 1}"
    return f"2001:db8:2::{number + 1:x}"


def header(version: int, source: str, destination: str, **fields: Any) -> Packet:
    return (IP if version == 4 else IPv6)(src=source, dst=destination, **fields)


def ether(packet: Packet | bytes, kind: int | None = None) -> bytes:
    wanted = kind or (0x86DD if isinstance(packet, IPv6) else 0x0800)
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=wanted) / packet)


def tcp(flags: str, number: int = 0, version: int = 4, sport: int = 4000) -> Packet:
    """From a client to the service."""
    way = header(version, client(number, version), VIPS[version])
    return way / TCP(sport=sport, dport=PORTS["tcp"], flags=flags) / Raw(b"a request")


def udp(number: int = 0, version: int = 4, sport: int = 4000, **fields: Any) -> Packet:
    way = header(version, client(number, version), VIPS[version])
    return way / UDP(sport=sport, dport=PORTS["udp"], **fields) / Raw(b"question?")


def answer(packet: Packet, flags: str = "SA") -> Packet:
    """What the backend that got this packet sends back."""
    way = type(packet)(src=packet.dst, dst=packet.src)
    if TCP in packet:
        return way / TCP(sport=packet.dport, dport=packet.sport, flags=flags) / Raw(b"data")
    return way / UDP(sport=packet.dport, dport=packet.sport) / Raw(b"reply")


def error(cause: Packet, kind: int, code: int = 0, keep: int = 1000, source: str = "") -> Packet:
    """An ICMP or ICMPv6 error about a packet, to its sender, that quotes `keep` bytes of it."""
    quoted = bytes(cause)[:keep]
    if isinstance(cause, IP):
        way = IP(src=source or ROUTERS[4], dst=cause.src)
        return way / ICMP(type=kind, code=code) / Raw(quoted)
    way = IPv6(src=source or ROUTERS[6], dst=cause.src, nh=58)
    return way / Raw(icmpv6(kind, code, bytes(4) + quoted, way))


def icmpv6(kind: int, code: int, body: bytes, way: IPv6) -> bytes:
    from scapy.layers.inet6 import in6_chksum

    message = bytes([kind, code, 0, 0]) + body
    return message[:2] + in6_chksum(58, way, message).to_bytes(2, "big") + message[4:]


def has_right_checksums(packet: Packet) -> bool:
    """Whether scapy, computing all of them anew, would write the same bytes."""
    again = type(packet)(bytes(packet))
    for layer in (again, again.getlayer(TCP), again.getlayer(UDP), again.getlayer(ICMP)):
        if layer is not None and "chksum" in layer.fields:
            del layer.chksum
    return bytes(again) == bytes(packet)


class Balancer:
    """A box with a load balancer: packets in, packets out."""

    def __init__(
        self,
        make_box: Callable[..., Any],
        workers: int = 2,
        services: list[str] | None = None,
        backends: list[str] | None = None,
        **options: Any,
    ) -> None:
        settings = {
            "clients": "clients",
            "servers": "servers",
            "services": SERVICES if services is None else services,
            "backends": BACKENDS if backends is None else backends,
            "table_size": 1009,
            **options,
        }
        self._drops: dict[str, int] = {}
        self.box = make_box(
            pipeline=[("load_balancer", settings)],
            ports=["clients", "servers"],
            workers=workers,
        )

    def frames(self, port: str, packets: Iterable[Packet | bytes]) -> list[tuple[str, bytes]]:
        for packet in packets:
            self.box.inject(port, packet if isinstance(packet, bytes) else ether(packet))
        return self.box.run()

    def send(self, port: str, *packets: Packet | bytes) -> list[Packet]:
        """What came out at the other side, without Ethernet."""
        released = self.frames(port, packets)
        assert all(out == OTHER[port] for out, _ in released)
        return [Ether(frame).payload for _, frame in released]

    def to(self, *packets: Packet) -> list[Packet]:
        """From clients; all must pass, with right checksums."""
        return self._pass("clients", packets)

    def back(self, *packets: Packet) -> list[Packet]:
        """From servers."""
        return self._pass("servers", packets)

    def _pass(self, port: str, packets: tuple[Packet, ...]) -> list[Packet]:
        passed = self.send(port, *packets)
        assert len(passed) == len(packets), f"{packets!r}: {self.drops()}"
        assert all(has_right_checksums(packet) for packet in passed)
        return passed

    def refused(self, port: str, packet: Packet | bytes, reason: str) -> None:
        """Sends what has to be dropped, for this reason and no other since the last one."""
        expected = {**self._drops, reason: self._drops.get(reason, 0) + 1}
        assert self.send(port, packet) == []
        assert self.drops() == expected

    def drops(self) -> dict[str, int]:
        self._drops = dict(self.box.drops().get("load_balancer", {}))
        return self._drops

    def advance(self, seconds: float) -> None:
        self.box.advance(seconds)

    def command(self, text: str) -> None:
        self.box.command("load_balancer", text)

    def chosen(self, count: int, version: int = 4, sport: int = 4000) -> dict[int, str]:
        """Opens a connection for each of so many clients: the backend of each."""
        sent = [tcp("S", number, version, sport) for number in range(count)]
        by_source = {packet.src: packet.dst for packet in self.to(*sent)}
        return {number: by_source[client(number, version)] for number in range(count)}

    def tables(self) -> dict[str, Rows]:
        """All rows in use, of all workers one after the other, once all commands are done."""
        self.advance(0)
        descriptor = os.memfd_create("state")
        try:
            begun = self.box.master.begin_snapshot(descriptor)
            assert os.waitpid(begun.child, 0)[1] == 0
            with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as memory:
                copy = StateCopy(memory, self.box.pipeline)
                found = {
                    table.name: np.concatenate(
                        [
                            copy.rows(0, number, worker)
                            for worker in range(1 if table.is_shared else self.box.workers)
                        ]
                    )
                    for number, table in enumerate(tables_of("load_balancer"))
                }
                copy.close()
                return found
        finally:
            os.close(descriptor)
