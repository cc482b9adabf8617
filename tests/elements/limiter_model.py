# SPDX-License-Identifier: BSD-3-Clause
"""What the limiter must do, by the book: every host has its bucket for ever, tokens are fractions.

It knows nothing of tables, stripes, bursts or units; where the element and this disagree on one
packet, one of them is wrong.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from fractions import Fraction

from tests.elements.limiter_frames import Packet


@dataclass
class Bucket:
    """`rate` in bit/s, `burst` in bytes; None: unlimited."""

    rate: int | None
    burst: int
    tokens: Fraction = Fraction(0)
    time_ns: int = 0

    def __post_init__(self) -> None:
        self.tokens = Fraction(self.burst)

    def refill(self, now_ns: int) -> None:
        if self.rate is not None:
            gained = Fraction(self.rate * (now_ns - self.time_ns), 8 * 10**9)
            self.tokens = min(Fraction(self.burst), self.tokens + gained)
        self.time_ns = now_ns

    def take(self, size: int, now_ns: int, kept_percent: int) -> bool:
        if self.rate is None:
            return True
        self.refill(now_ns)
        if self.tokens - size < Fraction(self.burst * kept_percent, 100):
            return False
        self.tokens -= size
        return True

    def change(self, rate: int, burst: int, now_ns: int) -> None:
        was_unlimited = self.rate is None
        self.refill(now_ns)
        self.rate, self.burst = rate, burst
        self.tokens = Fraction(burst) if was_unlimited else min(self.tokens, Fraction(burst))


Limits = tuple[tuple[int | None, int], tuple[int | None, int]]  # (rate, burst) up and down
UNLIMITED: Limits = ((None, 0), (None, 0))


@dataclass
class Model:
    total: Limits | None = None
    host: Limits | None = None
    prefixes: dict[str, Limits] = field(default_factory=dict)
    keeps: tuple[int, ...] = (0,)
    overhead: int = 0
    ipv6_bits: int = 64
    buckets: dict[tuple[str, str, bool], Bucket] = field(default_factory=dict)

    def bucket(self, kind: str, name: str, is_upload: bool, limits: Limits) -> Bucket:
        rate, burst = limits[0 if is_upload else 1]
        return self.buckets.setdefault((kind, name, is_upload), Bucket(rate, burst))

    def host_bucket(self, packet: Packet) -> Bucket:
        assert self.host is not None
        name = packet.host
        if packet.version == 6:
            name = str(ipaddress.ip_network(f"{packet.host}/{self.ipv6_bits}", strict=False))
        return self.bucket("host", name, packet.is_upload, self.host)

    def prefix_of(self, packet: Packet) -> str | None:
        address = ipaddress.ip_address(packet.host)
        networks = [ipaddress.ip_network(prefix) for prefix in self.prefixes]
        holding = [network for network in networks if address in network]
        longest = max(holding, key=lambda network: network.prefixlen, default=None)
        return None if longest is None else str(longest)

    def passes(self, packet: Packet, level: int, now_ns: int) -> str | None:
        """None, or which bucket refused a packet of the class with this place."""
        kept = sum(self.keeps[:level])
        size = packet.size + self.overhead
        side = "upload" if packet.is_upload else "download"
        if self.host is not None and not self.host_bucket(packet).take(size, now_ns, kept):
            return f"host_{side}"
        prefix = self.prefix_of(packet)
        if prefix is not None:
            bucket = self.bucket("prefix", prefix, packet.is_upload, self.prefixes[prefix])
            if not bucket.take(size, now_ns, kept):
                return f"prefix_{side}"
        if self.total is not None:
            bucket = self.bucket("total", "", packet.is_upload, self.total)
            if not bucket.take(size, now_ns, kept):
                return f"total_{side}"
        return None
