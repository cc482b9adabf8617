# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong in itself is dropped whatever the rules say, each under its own reason."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption_LSRR, IPOption_RR, IPOption_SSRR
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from tests.elements.firewall_frames import (
    INSIDE,
    INSIDE6,
    OUTSIDE,
    OUTSIDE6,
    Firewall,
    echo,
    ether,
    tcp,
    udp,
)

EVERYTHING = ["allow from any any"]


def refuse_all(make_box, reason, *packets):
    firewall = Firewall(make_box, EVERYTHING)
    for packet in packets:
        firewall.refused("trusted", packet, reason)


def test_what_is_no_ip(make_box):
    tagged = bytes(Ether() / Dot1Q(vlan=5) / udp())
    refuse_all(make_box, "not_ip", tagged, ether(b"x" * 50, 0x88CC), ether(bytes(50), 0x0800))


def test_truncated(make_box):
    frames = [ether(udp()), ether(udp(6))]
    long = IPv6(src=INSIDE6, dst=OUTSIDE6) / IPv6ExtHdrHopByHop(options=PadN(optdata=bytes(4)))
    extended = bytearray(ether(long / UDP(sport=1, dport=2)))
    extended[14 + 40 + 1] = 200  # an extension header longer than the packet
    refuse_all(make_box, "truncated", bytes(13), *(frame[:-1] for frame in frames),
               frames[0][:33], frames[1][:53], bytes(extended))  # fmt: skip


def test_malformed(make_box):
    short = bytearray(ether(udp(chksum=0)))
    short[14] = 0x44
    lengths = [udp(), udp(6)]
    for packet in lengths:
        packet[UDP].len = 7
    offset = tcp("S")
    offset[TCP].dataofs = 15
    many = IPv6(src=INSIDE6, dst=OUTSIDE6)
    for _ in range(9):
        many /= IPv6ExtHdrDestOpt()
    firewall = Firewall(make_box, EVERYTHING, check_checksum=False)
    for packet in (bytes(short), *lengths, offset, many / UDP(sport=1, dport=2),
                   IP(src=INSIDE, dst=OUTSIDE, proto=17) / Raw(b"1234567")):  # fmt: skip
        firewall.refused("trusted", packet, "malformed")


def test_an_unknown_extension_is_a_protocol_of_its_own(make_box):
    """Its ports are not seen, so only a rule for any protocol, or for this one, lets it pass."""
    packet = IPv6(src=INSIDE6, dst=OUTSIDE6, nh=135) / Raw(bytes(16))  # mobility
    firewall = Firewall(make_box, ["allow udp any -> any", "allow tcp any -> any"])
    firewall.refused("trusted", packet, "default")
    Firewall(make_box, ["allow 135"]).out(packet)


@pytest.mark.parametrize(("checked", "passes"), [(True, 0), (False, 1)])
def test_a_wrong_header_checksum(make_box, checked, passes):
    firewall = Firewall(make_box, check_checksum=checked)
    assert len(firewall.send("trusted", udp(chksum=1))) == passes
    assert firewall.drops() == ({} if passes else {"bad_checksum": 1})


def test_source_routes(make_box):
    refuse_all(make_box, "source_route",
               udp(options=[IPOption_LSRR(routers=["192.0.2.1"])]),
               udp(options=[IPOption_RR(routers=["0.0.0.0"]),
                            IPOption_SSRR(routers=["192.0.2.1"])]),
               IPv6(src=INSIDE6, dst=OUTSIDE6) / IPv6ExtHdrRouting(type=0, addresses=[OUTSIDE6])
               / UDP(sport=1, dport=2))  # fmt: skip
    passing = Firewall(make_box, EVERYTHING)
    passing.out(udp(options=[IPOption_RR(routers=["0.0.0.0"])]))
    mobile = IPv6ExtHdrRouting(type=2, addresses=[OUTSIDE6])
    passing.out(IPv6(src=INSIDE6, dst=OUTSIDE6) / mobile / UDP(sport=1, dport=2))


def test_fragments(make_box):
    header = IPv6(src=INSIDE6, dst=OUTSIDE6)
    refuse_all(make_box, "fragment", udp(flags="MF"), udp(frag=8),
               header / IPv6ExtHdrFragment(m=1, nh=17) / UDP(sport=1, dport=2),
               header / IPv6ExtHdrFragment(offset=8, nh=17) / Raw(bytes(24)))  # fmt: skip
    atomic = header / IPv6ExtHdrFragment(nh=17, id=9) / UDP(sport=1, dport=2)
    Firewall(make_box, EVERYTHING).out(atomic)  # is no fragment (RFC 6946)


def test_addresses_that_no_host_has(make_box):
    bad = [("127.0.0.1", OUTSIDE), (INSIDE, "127.1.2.3"), ("224.0.0.1", OUTSIDE),
           ("255.255.255.255", OUTSIDE), (INSIDE, "0.0.0.0"), ("0.1.2.3", OUTSIDE)]  # fmt: skip
    bad6 = [("::1", OUTSIDE6), (INSIDE6, "::1"), ("ff02::1", OUTSIDE6), (INSIDE6, "::"),
            ("::", OUTSIDE6), (f"::ffff:{INSIDE}", f"::ffff:{OUTSIDE}")]  # fmt: skip
    refuse_all(make_box, "bad_address",
               *(IP(src=a, dst=b) / UDP(sport=1, dport=2) for a, b in bad),
               *(IPv6(src=a, dst=b) / UDP(sport=1, dport=2) for a, b in bad6))  # fmt: skip


def test_an_ipv6_packet_is_never_taken_for_an_ipv4_one(make_box):
    firewall = Firewall(make_box)
    firewall.out(udp())
    mapped = IPv6(src=f"::ffff:{OUTSIDE}", dst=f"::ffff:{INSIDE}")
    firewall.refused("untrusted", mapped / UDP(sport=53, dport=5000), "bad_address")


def test_land_and_ports(make_box):
    same, same6 = IP(src=INSIDE, dst=INSIDE), IPv6(src=INSIDE6, dst=INSIDE6)
    ping = echo()
    ping.dst = INSIDE
    refuse_all(make_box, "land", same / UDP(sport=7, dport=7), same6 / TCP(sport=7, dport=7), ping)
    refuse_all(make_box, "bad_port", udp(sport=0), udp(6, dport=0), tcp("S", dport=0))


def test_a_third_port(make_box):
    options = {"trusted": "a", "untrusted": "b", "rules": EVERYTHING}
    box = make_box(pipeline=[("firewall", options)], ports=["a", "b", "c"], workers=2)
    box.inject("c", ether(udp()))
    assert box.run() == []
    assert box.drops() == {"firewall": {"wrong_port": 1}}


@pytest.mark.parametrize("version", [4, 6])
def test_noise_is_survived_and_every_frame_accounted_for(make_box, version):
    noise = random.Random(version)
    firewall = Firewall(make_box, EVERYTHING, workers=2)
    frames = []
    for packet in (udp(version), tcp("S", version), echo(version)):
        whole = ether(packet)
        for _ in range(60):
            changed = bytearray(whole[: noise.randrange(14, len(whole) + 1)])
            for _ in range(noise.randrange(4)):
                changed[noise.randrange(12, len(changed))] = noise.randrange(256)
            frames.append(bytes(changed))
    passed = firewall.send("trusted", *frames)
    assert len(passed) + sum(firewall.drops().values()) == len(frames)
