# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong in itself is dropped under its own reason; what is configured wrongly is told."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from ftmb._native.elements import check_options
from ftmb._native.pipeline import Pipeline
from tests.elements.balancer_frames import (
    BACKENDS,
    SERVICES,
    VIP,
    VIP6,
    Balancer,
    answer,
    client,
    ether,
    tcp,
    udp,
)


def refuse_all(make_box, reason, *packets):
    """All of them for this reason and no other."""
    balancer = Balancer(make_box)
    assert balancer.send("clients", *packets) == []
    assert balancer.drops() == {reason: len(packets)}


def test_what_is_no_ip(make_box):
    tagged = bytes(Ether() / Dot1Q(vlan=5) / udp())
    refuse_all(make_box, "not_ip", tagged, ether(b"x" * 50, 0x88CC))


def test_truncated(make_box):
    frames = [ether(udp()), ether(udp(0, 6))]
    refuse_all(make_box, "truncated", bytes(13), *(frame[:-1] for frame in frames),
               frames[0][:33], frames[1][:53])  # fmt: skip


def test_malformed(make_box):
    packets = [udp(), udp(0, 6), tcp("S")]
    packets[0][UDP].len = packets[1][UDP].len = 7
    packets[2][TCP].dataofs = 15
    refuse_all(make_box, "malformed", *packets)


def test_checksums_of_the_header(make_box):
    refuse_all(make_box, "bad_checksum", IP(src=client(0), dst=VIP, chksum=1) / UDP(dport=53))


def test_fragments(make_box):
    """The first has ports, but the others could not follow it."""
    header = IPv6(src=client(0, 6), dst=VIP6)
    refuse_all(make_box, "fragment",
               IP(src=client(0), dst=VIP, flags="MF") / UDP(dport=53) / Raw(bytes(24)),
               IP(src=client(0), dst=VIP, frag=3, proto=17) / Raw(bytes(24)),
               header / IPv6ExtHdrFragment(m=1, nh=17) / UDP(dport=53),
               header / IPv6ExtHdrFragment(offset=8, nh=17) / Raw(bytes(24)))  # fmt: skip
    atomic = header / IPv6ExtHdrFragment(nh=17, id=9) / UDP(sport=1, dport=53)
    assert len(Balancer(make_box).send("clients", atomic)) == 1


def test_addresses_ports_and_flags(make_box):
    bad = ["127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"]
    bad6 = ["::1", "ff02::1", "::", f"::ffff:{client(0)}"]
    refuse_all(make_box, "bad_address", *(IP(src=a, dst=VIP) / UDP(dport=53) for a in bad),
               *(IPv6(src=a, dst=VIP6) / UDP(dport=53) for a in bad6))  # fmt: skip
    refuse_all(make_box, "land", IP(src=VIP, dst=VIP) / UDP(dport=53))
    refuse_all(make_box, "bad_port", udp(sport=0), tcp("S", sport=0))
    refuse_all(make_box, "bad_tcp_flags", tcp("SF"), tcp("SR"), tcp(""), tcp("F"))
    refuse_all(make_box, "protocol_unsupported", IP(src=client(0), dst=VIP, proto=47) / Raw(b"x"),
               IPv6(src=client(0, 6), dst=VIP6, nh=1) / ICMP(type=8))  # fmt: skip


def test_a_third_port(make_box):
    options = {"clients": "a", "servers": "b", "services": SERVICES, "table_size": 101}
    box = make_box(pipeline=[("load_balancer", options)], ports=["a", "b", "c"], workers=2)
    box.inject("c", ether(udp()))
    assert box.run() == []
    assert box.drops() == {"load_balancer": {"wrong_port": 1}}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("port", ["clients", "servers"])
def test_noise_is_survived_and_every_frame_accounted_for(make_box, version, port):
    noise = random.Random(version)
    balancer = Balancer(make_box)
    there = balancer.to(udp(0, version), tcp("S", 0, version))
    good = there if port == "servers" else [udp(0, version), tcp("S", 0, version)]
    frames = []
    for packet in good:
        whole = ether(answer(packet) if port == "servers" else packet)
        for _ in range(90):
            changed = bytearray(whole[: noise.randrange(14, len(whole) + 1)])
            for _ in range(noise.randrange(4)):
                changed[noise.randrange(12, len(changed))] = noise.randrange(256)
            frames.append(bytes(changed))
    passed = balancer.send(port, *frames)
    assert len(passed) + sum(balancer.drops().values()) == len(frames)


# ---- Steering ----


@pytest.mark.parametrize("version", [4, 6])
def test_both_directions_meet_on_one_worker(make_box, version):
    """Else an answer would find no connection: counting has no hash to help it."""
    balancer = Balancer(make_box, 4, algorithm="least_connections")
    there = balancer.to(*(udp(number, version) for number in range(40)))
    assert len(balancer.back(*(answer(packet) for packet in there))) == 40
    rows = balancer.tables()["backends"]
    busy = {row["connections"] for row in rows}
    assert len(busy) > 1, "all clients on one worker would show nothing"


# ---- Configuration ----


RIGHT = {"clients": "a", "servers": "b", "services": SERVICES, "backends": BACKENDS}


def problems(**options):
    return check_options("load_balancer", {**RIGHT, **options}, ["a", "b"], 2)


def test_a_right_configuration():
    assert problems() == []
    assert problems(algorithm="least_connections", backends=[]) == []


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"servers": "a"}, (), "the same port"),
        ({"services": [], "backends": []}, (), "services is empty"),
        ({"table_size": 65536}, (), "not a prime"),
        ({"table_size": 61}, (), "not more than backends_max"),
        ({"backends_max": 2}, (), "more backends than backends_max"),
        ({"services": [*SERVICES, "tcp 198.51.100.10"]}, ("services", 4), "and a port"),
        ({"services": [*SERVICES, "198.51.100.10:80"]}, ("services", 4), '"tcp" or "udp"'),
        ({"services": [*SERVICES, SERVICES[0]]}, ("services", 4), "is there twice"),
        ({"services": [*SERVICES, "tcp 127.0.0.1:80"]}, ("services", 4), "an address of a host"),
        ({"services": [*SERVICES, "tcp 224.0.0.1:80"]}, ("services", 4), "an address of a host"),
        ({"services": [*SERVICES, "tcp 10.0.0.1:0"]}, ("services", 4), "an address of a host"),
        ({"services": [*SERVICES, "tcp 10.0.0.1:65536"]}, ("services", 4), "an address of a host"),
        ({"services": [*SERVICES, "tcp [::ffff:10.0.0.1]:80"]}, ("services", 4), "of a host"),
        ({"services": [*SERVICES, "tcp 2001:db8::1:80"]}, ("services", 4), "an address of a host"),
        ({"services": [*SERVICES, "tcp 10.0.0.1:80 x"]}, ("services", 4), "the end is needed"),
        ({"backends": [BACKENDS[0], BACKENDS[0]]}, ("backends", 1), "is there already"),
        ({"backends": [f"{VIP}:99 -> 10.0.0.1:80"]}, ("backends", 0), "not among `services`"),
        ({"backends": [f"{VIP}:80 -> [2001:db8::1]:80"]}, ("backends", 0), "different versions"),
        ({"backends": [f"{VIP}:80 -> 10.0.0.1:80 weight 257"]}, ("backends", 0), "from 1 to 256"),
        ({"backends": [f"{VIP}:80 -> 10.0.0.1:80 mac 0"]}, ("backends", 0), "Ethernet address"),
        ({"backends": [f"{VIP}:80 -> 10.0.0.1:80"], "forwarding": "direct"}, ("backends", 0),
         "needs each backend's Ethernet address"),
        ({"backends": [f"{VIP}:80 -> 10.0.0.1:81"], "forwarding": "direct"}, ("backends", 0),
         "ports stay as they are"),
    ],
)  # fmt: skip
def test_wrong_configurations(options, place, message):
    found = problems(**options)
    assert [where for where, _ in found] == [place]
    assert message in found[0][1]


def test_all_mistakes_are_told_at_once():
    found = problems(services=[*SERVICES, "no", "tcp nowhere"], backends=["x", BACKENDS[0], "y"],
                     algorithm="random", table_size=1)  # fmt: skip
    assert [place for place, _ in found] == [
        ("algorithm",), ("services", 4), ("services", 5), ("backends", 0), ("backends", 2),
        ("table_size",),
    ]  # fmt: skip


def test_one_address_for_both_protocols_needs_to_say_which():
    services = [f"tcp {VIP}:53", f"udp {VIP}:53"]
    found = problems(services=services, backends=[f"{VIP}:53 -> 10.0.0.1:53"])
    assert "say which" in found[0][1]
    right = [f"tcp {VIP}:53 -> 10.0.0.1:53", f"udp {VIP}:53 -> 10.0.0.1:53"]
    assert problems(services=services, backends=right) == []


def test_as_many_services_as_there_may_be():
    many = [f"tcp 198.51.100.1:{port}" for port in range(1, 66)]
    assert problems(services=many[:64], backends=[]) == []
    assert "more than 64" in problems(services=many, backends=[])[0][1]
    options = {**RIGHT, "services": many[:64], "backends": [], "backends_max": 8}
    Pipeline([{"element": "load_balancer", "options": options}], ["a", "b"], 1)
