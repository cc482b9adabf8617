# SPDX-License-Identifier: BSD-3-Clause
"""The same packets through this firewall and through the kernel's, with the same rules.

What arrives has to be the same, but for the time to live, which only a router counts down, and but
for the differences that elements/firewall/README.md explains: EXPLAINED is that list.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from scapy.contrib.eigrp import EIGRP
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.ospf import OSPF_Hdr, OSPF_Hello
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit, SCTPChunkInitAck
from scapy.packet import Packet, Raw
from scapy.utils import rdpcap

from ftmb.testing import Box
from tests.elements.firewall_frames import (
    INSIDE,
    OUTSIDE,
    Firewall,
    answer,
    echo,
    error,
    tcp,
    udp,
)
from tests.elements.kernel_firewall import kernels_answers

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="there is no nft"),
]

README = Path(__file__).parents[2] / "elements/firewall/README.md"
CAPTURES = Path("/usr/share/gocode/src/github.com/google/gopacket/pcap")
FRAME_SIZE_MAX = 2048
TRUSTED = ["10.0.0.0/8", "2001:db8:1::/48"]
OURS = [
    "drop tcp any -> any port 25",
    "allow any 10.0.0.0/8,2001:db8:1::/48 -> any",
    "allow from untrusted tcp any -> 10.0.0.5,2001:db8:1::5 port 5001-5002",
    "allow from untrusted icmpv6 any -> any type 128",
]
KERNELS = [
    "tcp dport 25 drop",
    'iifname "trusted" ip saddr 10.0.0.0/8 accept',
    'iifname "trusted" ip6 saddr 2001:db8:1::/48 accept',
    'iifname "untrusted" ip daddr 10.0.0.5 tcp dport 5001-5002 accept',
    'iifname "untrusted" ip6 daddr 2001:db8:1::5 tcp dport 5001-5002 accept',
    'iifname "untrusted" icmpv6 type echo-request accept',
]
# Our reason to drop what the kernel lets pass, and what passes here alone; README.md says why.
EXPLAINED = {"tcp_out_of_state", "fragment", "icmp_unsupported"}
EXPLAINED_PASSES = {"syn_after_reset"}

FAILOVER_EVERY = 50  # packets

Step = tuple[str, Packet]


@pytest.fixture
def make_box() -> Iterator[Callable[..., Box]]:
    """Boxes that fail over in the middle, but not before every packet."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Box(**options))


def as_forwarded(packet: bytes) -> bytes:
    """Without what a router changes: time to live, and the header's checksum with it."""
    if packet[0] >> 4 == 6:
        return packet[:7] + b"\0" + packet[8:]
    return packet[:8] + b"\0" + packet[9:10] + b"\0\0" + packet[12:]


def compare(
    firewall: Firewall, rules: list[str], trusted: list[str], steps: list[Step]
) -> Counter[str]:
    """Step by step through both; counts what both let pass or drop, and differences by reason."""
    found: Counter[str] = Counter()
    drops = firewall.drops()
    sent = tuple((side, bytes(packet)) for side, packet in steps)
    answers = kernels_answers(tuple(rules), tuple(trusted), sent)
    parted: set[frozenset[object]] = set()  # connections whose story differs from here on
    for number, ((side, packet), theirs) in enumerate(zip(steps, answers, strict=True)):
        if number % FAILOVER_EVERY == FAILOVER_EVERY - 1:
            firewall.box.fail_over()
        ours = firewall.send(side, packet)
        assert len(ours) <= 1 and len(theirs) <= 1
        reason = "passes"
        if not ours:
            after = firewall.drops()
            (reason,) = (name for name in after if after[name] != drops.get(name, 0))
            drops = after
        if connection(packet) in parted:
            found["not compared"] += 1
        elif len(ours) == len(theirs):
            found["both pass" if ours else "both drop"] += 1
            for one, other in zip(ours, theirs, strict=True):
                assert as_forwarded(one[14:]) == as_forwarded(other)
        else:
            if ours and TCP in packet and packet[TCP].flags == "S":
                reason = "syn_after_reset"
                assert any("R" in line for line in story(steps[:number], packet))
            found[reason] += 1
            known = reason in (EXPLAINED_PASSES if ours else EXPLAINED)
            told = story(steps[: number + 1], packet)
            assert known, f"step {number}, ours {reason}: {side} {packet!r} after {told}"
            parted |= {connection(packet)} if TCP in packet else set()
    return found


def connection(packet: Packet) -> frozenset[object]:
    """Of a TCP segment, or of one that an error quotes."""
    if TCP in packet:
        ends = (packet.src, packet[TCP].sport), (packet.dst, packet[TCP].dport)
        return frozenset(ends)
    quoted = bytes(packet.lastlayer())[8 if isinstance(packet, IPv6) else 0 :]
    at = {0x45: (9, 12, 16, 20), 0x60: (6, 8, 24, 40)}.get(quoted[0] if quoted else 0)
    if at is None or len(quoted) < at[3] + 4 or quoted[at[0]] != 6:
        return frozenset()
    header = (IP if quoted[0] == 0x45 else IPv6)(quoted)
    ports = [int.from_bytes(quoted[at[3] + place : at[3] + place + 2], "big") for place in (0, 2)]
    return frozenset(((header.src, ports[0]), (header.dst, ports[1])))


def story(steps: list[Step], last: Packet) -> list[str]:
    """What came of the same connection."""
    same = connection(last)
    return [f"{side} {one.summary()}" for side, one in steps if same and connection(one) == same]


def random_steps(seed: int, count: int) -> Iterator[Step]:
    """Connections that mostly go as they should, and all that may disturb them."""
    chance = random.Random(seed)
    for _ in range(count):
        version, sport = chance.choice((4, 6)), chance.randrange(5000, 5004)
        side = chance.choice(("trusted", "untrusted"))
        dport = chance.choice((25, 80, 80, 80))
        flags = chance.choice(("S", "S", "SA", "SA", "A", "A", "A", "PA", "R", "RA", "SF"))
        syn, query = tcp("S", version, sport, dport), echo(version, sport)
        there = chance.choice((syn, syn, udp(version, sport), query))
        packet = there if side == "trusted" else answer(there, flags)
        if TCP in packet:
            packet[TCP].flags = flags
            packet[TCP].seq = packet[TCP].ack = int("S" not in flags)
        if chance.randrange(5) == 0:
            kinds = {4: (3, 3, 11, 12, 4, 5), 6: (1, 2, 3, 4)}[version]
            about = answer(there) if side == "trusted" else there
            packet = error(about, chance.choice(kinds), keep=chance.choice((28, 48, 1000)))
        yield side, packet


@pytest.mark.parametrize(("policy", "seed"), [("answered", 20150427), ("timed", 20150429)])
def test_random_packets(make_box, policy, seed):
    firewall = Firewall(make_box, OURS, policy=policy)
    found = compare(firewall, KERNELS, TRUSTED, list(random_steps(seed, 300)))
    assert found["both pass"] > 60 and found["both drop"] > 60
    assert sum(found[reason] for reason in EXPLAINED | EXPLAINED_PASSES) < 40


def by_both_sides(packet: Packet) -> list[Step]:
    """A packet, and one that returns."""
    back = packet.copy()
    back.src, back.dst = packet.dst, packet.src
    return [("untrusted", back), ("trusted", packet), ("untrusted", back)]


def test_protocols_that_others_describe(make_box):
    """As scapy's layers and contrib make them."""
    there = IP(src=INSIDE, dst=OUTSIDE)
    packets = [
        there / GRE() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(),
        there / OSPF_Hdr() / OSPF_Hello(),
        there / EIGRP(),
        there / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=7) / IP() / Raw(b"inner"),
    ]
    steps = [step for packet in packets for step in by_both_sides(packet)]
    begin = SCTP(sport=1, dport=2, tag=0) / SCTPChunkInit(init_tag=7)
    reply = SCTP(sport=2, dport=1, tag=7) / SCTPChunkInitAck(init_tag=8)
    back = IP(src=OUTSIDE, dst=INSIDE)
    steps += [("untrusted", back / reply), ("trusted", there / begin), ("untrusted", back / reply)]
    firewall = Firewall(make_box, OURS)
    found = compare(firewall, KERNELS, TRUSTED, steps)
    assert found == {"both pass": 10, "both drop": 5}


def test_fragments(make_box):
    """The kernel puts them together and passes them; here they are dropped, and it is said so."""
    parts = [IP(bytes(part)) for part in fragment(udp() / Raw(bytes(400)), fragsize=200)]
    firewall = Firewall(make_box, OURS)
    sent = tuple(("trusted", bytes(part)) for part in parts)
    answers = kernels_answers(tuple(KERNELS), tuple(TRUSTED), sent)
    assert sum(map(len, answers)) == len(parts) > 1
    for part in parts:
        firewall.refused("trusted", part, "fragment")


def captured(name: str) -> list[Packet]:
    """The IP packets of a capture that fit into a frame, on loopback or Ethernet."""
    packets = []
    for frame in rdpcap(str(CAPTURES / name)):
        ip = frame.getlayer(IP) or frame.getlayer(IPv6)
        if ip is not None and len(ip) < FRAME_SIZE_MAX - 14:
            packets.append(type(ip)(bytes(ip)))
    return packets


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="there are no captures; run scripts/setup.sh")
@pytest.mark.parametrize("name", ["test_ethernet.pcap", "test_dns.pcap"])
@pytest.mark.parametrize("begins", ["trusted", "untrusted"])
def test_captures(make_box, name, begins):
    """Captures that a Debian package ships, with the one who begins on either side."""
    packets = captured(name)
    servers = {packet.dst for packet in packets if packet.dport in (53, 80)}
    other = {"trusted": "untrusted", "untrusted": "trusted"}[begins]
    steps = [(begins if packet.dst in servers else other, packet) for packet in packets]
    networks = {packet.src for side, packet in steps if side == "trusted"}
    networks |= {packet.dst for side, packet in steps if side == "untrusted"}
    firewall = Firewall(make_box, ["allow any"])
    trusted = ["10.0.0.250/32", *(f"{address}/32" for address in sorted(networks))]
    found = compare(firewall, ['iifname "trusted" accept'], trusted, steps)
    passing = "both pass" if begins == "trusted" else "both drop"
    assert found == {passing: len(packets)}


def test_every_difference_is_explained():
    text = README.read_text()
    section = text[text.index("## Beside the kernel") :]
    assert all(f"`{reason}`" in section for reason in EXPLAINED | EXPLAINED_PASSES)
