# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's own firewall (nftables over conntrack) between two wires, to compare with ours.

Frames are put on a wire by a packet socket and come out at the end of the other one, as they would
between two hosts. Behind each goes a frame that always passes, so "it did not arrive" is known
without waiting.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pyroute2 import IPRoute
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from ftmb.lab import namespaces

PATIENCE_S = 2.0
WIRES_PATIENCE_S = 20.0
ETH_P_ALL = 3
MARK_PORT = 9  # of the frame that always passes
ATTEMPTS_MAX = 6
NEIGHBOUR = {"trusted": "02:00:00:00:01:01", "untrusted": "02:00:00:00:02:01"}
BOX = {"trusted": "02:00:00:00:01:02", "untrusted": "02:00:00:00:02:02"}
NEXT_HOP = {"trusted": ("192.168.91.2", "fe80::91"), "untrusted": ("192.168.92.2", "fe80::92")}
OWN = {"trusted": "192.168.91.1", "untrusted": "192.168.92.1"}
SETTINGS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/netfilter/nf_conntrack_tcp_loose": 0,  # the middle of a connection begins none
    "net/netfilter/nf_conntrack_tcp_be_liberal": 1,  # sequence numbers are not judged
}
RULES = """
table inet firewall {
  chain forward {
    type filter hook forward priority filter; policy drop;
    udp dport %d udp sport %d accept
    ct state invalid drop
    ct state established,related accept
    tcp flags & (fin|syn|rst|ack) != syn drop
%s
  }
}
"""


def mark(side: str, number: int) -> Packet:
    """The frame behind another one, from a side."""
    source, destination = ("10.0.0.250", "198.51.100.250")
    if side == "untrusted":
        source, destination = destination, source
    ip = IP(src=source, dst=destination, ttl=9)
    return ip / UDP(sport=MARK_PORT, dport=MARK_PORT) / number.to_bytes(8, "big")


@contextmanager
def on_one_core() -> Iterator[None]:
    """The kernel forwards on the core of who sends, so here nothing overtakes anything."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class KernelFirewall:
    """A context manager; `rules` are nft statements, `trusted` the networks on that side."""

    def __init__(self, rules: Sequence[str], trusted: Sequence[str]) -> None:
        self.rules = rules
        self.trusted = trusted
        self.box = f"ftmb-firewall-{os.getpid()}-box"
        self.hosts = f"ftmb-firewall-{os.getpid()}-hosts"
        self._count = 0
        self._exits = ExitStack()
        self._sockets: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            if not namespaces.directory_is_mounted():
                exits.callback(namespaces.remove_directory)
            for name in (self.box, self.hosts):
                exits.callback(namespaces.remove, name)
                namespaces.create(name)
            namespaces.call(self.hosts, self._set_hosts)
            self._lay_wires()
            namespaces.call(self.box, self._set_box)
            for side in BOX:
                wire = namespaces.call(self.hosts, partial(self._open, side))
                exits.callback(wire.close)
                self._sockets[side] = wire
            self._wait_for_wires()
            self._exits = exits.pop_all()
        return self

    def _wait_for_wires(self) -> None:
        """A link that was brought up carries frames a little later, and later on a busy machine."""
        deadline = time.monotonic() + WIRES_PATIENCE_S
        waiting = list(BOX)
        while waiting:
            assert time.monotonic() < deadline, "the wires carry nothing"
            try:
                self.pass_on(waiting[-1], bytes(mark(waiting[-1], 0)), timeout_s=0.05)
                waiting.pop()
            except TimeoutError:
                pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    @staticmethod
    def _set_hosts() -> None:
        for scope in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")

    def _lay_wires(self) -> None:
        descriptor = os.open(namespaces.DIRECTORY / self.box, os.O_RDONLY | os.O_CLOEXEC)
        try:
            namespaces.netlink(self.hosts, lambda netlink: self._make_wires(netlink, descriptor))
        finally:
            os.close(descriptor)

    @staticmethod
    def _make_wires(netlink: IPRoute, descriptor: int) -> None:
        for side in BOX:
            peer = {"ifname": side, "net_ns_fd": descriptor, "address": BOX[side]}
            netlink.link("add", ifname=side, kind="veth", peer=peer, address=NEIGHBOUR[side])
            index = netlink.link_lookup(ifname=side)[0]
            netlink.link("set", index=index, state="up", arp=False)

    def _set_box(self) -> None:
        for name, value in SETTINGS.items():
            Path("/proc/sys", name).write_text(str(value))
        with IPRoute() as netlink:
            for side in BOX:
                Path(f"/proc/sys/net/ipv4/conf/{side}/rp_filter").write_text("0")
                Path(f"/proc/sys/net/ipv6/conf/{side}/accept_dad").write_text("0")
                self._set_interface(netlink, side)
        text = RULES % (MARK_PORT, MARK_PORT, "\n".join(f"    {rule}" for rule in self.rules))
        loaded = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True)
        assert loaded.returncode == 0, loaded.stderr + text

    def _set_interface(self, netlink: IPRoute, side: str) -> None:
        index = netlink.link_lookup(ifname=side)[0]
        netlink.link("set", index=index, state="up")
        netlink.addr("add", index=index, address=OWN[side], prefixlen=24)
        for gateway in NEXT_HOP[side]:
            netlink.neigh("add", dst=gateway, lladdr=NEIGHBOUR[side], ifindex=index,
                          state="permanent")  # fmt: skip
        by_version = dict(zip((4, 6), NEXT_HOP[side], strict=True))
        defaults = ["0.0.0.0/0", "::/0"] if side == "untrusted" else []
        for network in self.trusted if side == "trusted" else defaults:
            gateway = by_version[6 if ":" in network else 4]
            netlink.route("add", dst=network, gateway=gateway, oif=index)

    @staticmethod
    def _open(side: str) -> socket.socket:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        wire.bind((side, 0))
        return wire

    def pass_on(self, side: str, packet: bytes, timeout_s: float = PATIENCE_S) -> list[bytes]:
        """What arrived of an IP packet on the other side."""
        self._count += 1
        end = bytes(mark(side, self._count))
        with on_one_core():
            for one in (packet, end):
                self._sockets[side].send(self._frame(side, one))
        arrived: list[bytes] = []
        other = self._other(side)
        to_host = bytes.fromhex(NEIGHBOUR[other].replace(":", ""))
        self._sockets[other].settimeout(timeout_s)
        while True:
            raw, address = self._sockets[other].recvfrom(65536)
            if address[2] == socket.PACKET_OUTGOING or raw[:6] != to_host:
                continue
            if raw[36:38] != MARK_PORT.to_bytes(2, "big"):
                arrived.append(raw[14:])
            elif raw.endswith(end[-8:]):
                break
        return arrived

    @staticmethod
    def _other(side: str) -> str:
        return "untrusted" if side == "trusted" else "trusted"

    @staticmethod
    def _frame(side: str, packet: bytes) -> bytes:
        kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        return bytes(Ether(src=NEIGHBOUR[side], dst=BOX[side], type=kind)) + packet


@cache
def kernels_answers(
    rules: tuple[str, ...], trusted: tuple[str, ...], steps: tuple[tuple[str, bytes], ...]
) -> list[list[bytes]]:
    """What arrives of each packet, by side and packet, as it came out twice.

    A busy machine may lose a packet anywhere between two namespaces, and what was lost there is no
    answer of the firewall's.
    """
    seen: list[list[list[bytes]]] = []
    for _ in range(ATTEMPTS_MAX):
        with KernelFirewall(rules, trusted) as kernel:
            try:
                answers = [kernel.pass_on(side, packet) for side, packet in steps]
            except TimeoutError:
                continue
        if answers in seen:
            return answers
        seen.append(answers)
    raise AssertionError(f"{ATTEMPTS_MAX} attempts gave {len(seen)} different results")
