# SPDX-License-Identifier: BSD-3-Clause
"""A limiter between two ports, and frames of both versions of IP made fast: each has a number."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftmb.testing.box import Box

ETHERNET = bytes.fromhex("020000000002020000000001")
SERVER = {4: "198.51.100.7", 6: "2001:db8:f::7"}
HEADERS_MAX = 14 + 40 + 8 + 4
NUMBER_SIZE = 4


@dataclass(frozen=True)
class Packet:
    """A UDP datagram between a host inside and a server; `size` is that of the whole frame."""

    number: int
    host: str
    is_upload: bool = True
    size: int = 200
    dscp: int = 0
    port: int = 5000  # the server's
    host_port: int = 4000

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.host).version


def checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def frame(packet: Packet) -> bytes:
    """The number stands in the last bytes."""
    ends = [packet.host, SERVER[packet.version]]
    ports = [packet.host_port, packet.port]
    if not packet.is_upload:
        ends.reverse()
        ports.reverse()
    addresses = b"".join(ipaddress.ip_address(end).packed for end in ends)
    room = packet.size - 14 - (20 if packet.version == 4 else 40)
    udp = struct.pack(">HHHH", *ports, room, 0)
    payload = bytes(room - 8 - NUMBER_SIZE) + struct.pack(">I", packet.number)
    if packet.version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, packet.dscp << 2, room + 20, 0, 0, 64, 17, 0)
        whole = head + addresses
        head = head[:10] + struct.pack(">H", checksum(whole)) + addresses
        kind = b"\x08\x00"
    else:
        head = struct.pack(">IHBB", 6 << 28 | packet.dscp << 22, room, 17, 64) + addresses
        kind = b"\x86\xdd"
    return ETHERNET + kind + head + udp + payload


def number_of(raw: bytes) -> int:
    return int.from_bytes(raw[-NUMBER_SIZE:], "big")


class Limiter:
    """A box with one; `now_ns` is its time."""

    def __init__(self, make_box: Callable[..., Box], workers: int = 1, **options: Any) -> None:
        settings = {"inside": "inside", "outside": "outside", **options}
        self.box = make_box([("limiter", settings)], ["inside", "outside"], workers)

    @property
    def now_ns(self) -> int:
        return self.box._now_ns

    def wait(self, nanoseconds: int) -> None:
        """Lets so much time pass exactly; ticks come with the next packets."""
        self.box._now_ns += nanoseconds

    def send(self, *packets: Packet) -> dict[int, bytes]:
        """All of them at once; what passed, by number."""
        for packet in packets:
            self.box.inject("inside" if packet.is_upload else "outside", frame(packet))
        sides = {packet.number: "outside" if packet.is_upload else "inside" for packet in packets}
        passed = {}
        for port, raw in self.box.run():
            assert sides[number_of(raw)] == port
            passed[number_of(raw)] = raw
        return passed

    def drops(self) -> dict[str, int]:
        return self.box.drops().get("limiter", {})
