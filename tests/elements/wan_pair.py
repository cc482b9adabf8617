# SPDX-License-Identifier: BSD-3-Clause
"""Two boxes and the line between them: what leaves one by `wan` comes in at the other's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from ftmb.testing import Box

KEY = "000102030405060708090a0b0c0d0e0f"
OPTIONS = {"lan": "lan", "wan": "wan", "key": KEY, "cache_kib": 1024}
PORTS = ["lan", "wan"]
SEGMENT = 1448
ENCODED = (253, 254)
SHIM = 24
PORTION = 160  # frames between two runs
ROUNDS_MAX = 10  # of requests and answers

Line = Callable[[list[bytes]], list[bytes]]


def as_it_is(frames: list[bytes]) -> list[bytes]:
    """A line that loses nothing."""
    return frames


def frame(
    payload: bytes, *, flow: int = 0, seq: int = 0, udp: bool = False, six: bool = False
) -> bytes:
    """A packet of a flow from the near side, its checksums as a host makes them."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    host = flow % 200 + 1
    if six:
        network = IPv6(src=f"2001:db8:1::{host:x}", dst="2001:db8:2::1", hlim=60)
    else:
        network = IP(src=f"10.1.0.{host}", dst="10.2.0.1", id=seq & 0xFFFF, ttl=63)
    if udp:
        return bytes(ether / network / UDP(sport=4000 + flow, dport=9000) / payload)
    transport = TCP(sport=4000 + flow, dport=80, seq=seq, ack=7, flags="PA",
                    options=[("NOP", None), ("NOP", None), ("Timestamp", (seq, 5))])  # fmt: skip
    return bytes(ether / network / transport / payload)


def stream(content: bytes, *, flow: int = 0, size: int = SEGMENT, **kinds: bool) -> list[bytes]:
    """A file as the segments of one connection."""
    return [
        frame(content[at : at + size], flow=flow, seq=at, **kinds)
        for at in range(0, len(content), size)
    ]


def protocol_of(raw: bytes) -> int:
    """What the IP header calls what follows it."""
    place = {b"\x08\x00": 23, b"\x86\xdd": 20}.get(raw[12:14], len(raw))
    return raw[place] if place < len(raw) else 0


def is_encoded(raw: bytes) -> bool:
    return protocol_of(raw) in ENCODED


def payload_start(raw: bytes) -> int:
    """Where the shim, or the payload, begins."""
    transport = 34 if raw[12:14] == b"\x08\x00" else 54
    is_tcp = protocol_of(raw) in (6, 253)
    return transport + ((raw[transport + 12] >> 4) * 4 if is_tcp else 8)


class Pair:
    """Box `near`, a line, box `far`. Whatever crosses the line is kept in `crossed`."""

    def __init__(self, make_box: Callable[..., Box], workers: int = 1, far_workers: int = 0,
                 near: dict[str, Any] | None = None, far: dict[str, Any] | None = None,
                 **options: Any) -> None:  # fmt: skip
        self._make_box = make_box
        self._options = {**OPTIONS, **options}
        self.workers = (workers, far_workers or workers)
        self.near = self._box(self.workers[0], **(near or {}))
        self.far = self._box(self.workers[1], **(far or {}))
        self.line: Line = as_it_is
        self.crossed: list[bytes] = []
        self.returned: list[bytes] = []

    def _box(self, workers: int, **box_options: Any) -> Box:
        changes = box_options.pop("options", {})
        pipeline = [("wan_optimizer", {**self._options, **changes})]
        return self._make_box(pipeline, PORTS, workers, **box_options)

    def replace_far(self, seconds: float = 1.0) -> None:
        """The far box loses all it knew."""
        self.far = self._box(self.workers[1])
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Time passes at both ends; nothing may be on its way."""
        assert self.near.advance(seconds) == []
        assert self.far.advance(seconds) == []

    def send(self, frames: list[bytes]) -> list[bytes]:
        """From the near LAN; what the far LAN gets."""
        arrived: list[bytes] = []
        for start in range(0, len(frames), PORTION):
            arrived += self.exchange(frames[start : start + PORTION], [])[0]
        return arrived

    def exchange(self, near: list[bytes], far: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Both LANs send at once; what the far and the near LAN get, requests answered."""
        at_far: list[bytes] = []
        at_near: list[bytes] = []
        for box, frames in ((self.near, near), (self.far, far)):
            for raw in frames:
                box.inject("lan", raw)
        for _ in range(ROUNDS_MAX):
            out = self.near.run()
            at_near += [raw for port, raw in out if port == "lan"]
            forth = self.line([raw for port, raw in out if port == "wan"])
            self.crossed += forth
            for raw in forth:
                self.far.inject("wan", raw)
            out = self.far.run()
            at_far += [raw for port, raw in out if port == "lan"]
            back = self.line([raw for port, raw in out if port == "wan"])
            self.returned += back
            for raw in back:
                self.near.inject("wan", raw)
            if not forth and not back:
                return at_far, at_near
        raise AssertionError("the boxes do not stop talking")

    def totals(self, box: Box) -> dict[str, int]:
        """The table of a box, over its workers."""
        rows = box.table("wan_optimizer", "totals")
        return {name: int(rows[name].sum()) for name in rows.dtype.names or ()}


def flow_of(raw: bytes) -> bytes:
    """Addresses and ports."""
    start = 26 if raw[12:14] == b"\x08\x00" else 22
    transport = 34 if raw[12:14] == b"\x08\x00" else 54
    return raw[start:transport] + raw[transport : transport + 4]


def by_flow(frames: list[bytes]) -> dict[bytes, list[bytes]]:
    """In order within each flow: what the network promises nobody but keeps in the usual case."""
    flows: dict[bytes, list[bytes]] = {}
    for raw in frames:
        flows.setdefault(flow_of(raw), []).append(raw)
    return flows
