# SPDX-License-Identifier: BSD-3-Clause
"""Long-run rates, what classes are guaranteed, places for hosts, marks, frames that are odd."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether

from tests.elements.limiter_frames import Limiter, Packet
from tests.elements.state_view import rows_of

MS = 1_000_000


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_in_the_long_run_it_is_the_rate(make_box, workers):
    """Twice as much is offered, from several flows and hosts, for three seconds of the box."""
    rate, burst, size = 400_000, 20_000, 1000
    limiter = Limiter(make_box, workers, total=f"upload {rate} burst {burst}")
    passed = number = 0
    start = limiter.now_ns
    for _ in range(30):
        limiter.wait(100 * MS)
        packets = [Packet(number + n, f"10.1.0.{n + 1}", size=size, port=n + 1) for n in range(10)]
        number += len(packets)
        passed += size * len(limiter.send(*packets))
    allowed = Fraction(rate * (limiter.now_ns - start), 8 * 10**9)
    assert allowed - size <= passed <= allowed + burst
    (total,) = [row for row in rows_of(limiter.box, "totals") if row["direction"] == "upload"]
    assert total["passed_bytes"] == passed
    assert total["passed_bytes"] + total["refused_bytes"] == size * number
    assert total["rate"] == rate


@pytest.mark.parametrize("seed", range(2))
def test_a_class_that_keeps_to_its_share_loses_nothing(make_box, seed):
    """Traffic of the first class that a bucket of the whole rate and the kept bytes would let pass
    always passes, whatever comes behind it."""
    burst, rate, keeps = 40_000, 2_000_000, 25
    limiter = Limiter(
        make_box,
        total=f"upload {rate} burst {burst}",
        classes=[f"voice keeps {keeps}%", "bulk"],
        rules=["voice dscp ef"],
    )
    chance = random.Random(seed)
    share = Fraction(burst * keeps, 100)
    tokens, number, voices = share, 0, 0
    for _ in range(40):
        pause = chance.randrange(1, 30 * MS)
        limiter.wait(pause)
        tokens = min(share, tokens + Fraction(rate * pause, 8 * 10**9))
        packets = []
        for _ in range(60):
            size = chance.randrange(90, 1500)
            is_voice = chance.random() < 0.4 and tokens >= size
            tokens -= size if is_voice else 0
            packets.append(Packet(number, "10.1.0.1", size=size, dscp=46 if is_voice else 0))
            number += 1
        passed = limiter.send(*packets)
        lost = [p for p in packets if p.dscp == 46 and p.number not in passed]
        assert lost == []
        voices += sum(p.dscp == 46 for p in packets)
    classes = {row["class"]: row for row in rows_of(limiter.box, "classes")}
    assert classes["voice"]["upload_packets"] == voices > 100
    assert classes["bulk"]["upload_refused_packets"] > 100


def test_places_are_for_those_whose_buckets_are_not_full(make_box):
    """Ten times as many hosts as there are places come and go, and none is refused a place."""
    limiter = Limiter(make_box, host="upload 1M burst 3000 download 1M burst 3000", hosts_max=256)
    number = 0
    for _ in range(20):
        packets = [
            Packet(number + n, f"10.{number // 128}.0.{n + 1}", size=1000) for n in range(128)
        ]
        assert len(limiter.send(*packets)) == 128
        number += 128
        limiter.wait(8 * MS)  # 1,000 bytes at 1 Mbit/s
    assert limiter.drops() == {}
    assert len(rows_of(limiter.box, "hosts")) <= 256


def test_without_a_place_a_packet_is_refused(make_box):
    """A host never gets more than its limit because there was no room to count it."""
    limiter = Limiter(make_box, 2, host="upload 1k burst 3000", hosts_max=256)
    packets = [Packet(n, f"10.0.{n // 200}.{n % 200 + 1}", size=1000) for n in range(600)]
    passed = limiter.send(*packets)
    assert limiter.drops() == {"hosts_full": 600 - len(passed)}
    assert 128 <= len(passed) <= 256
    again = limiter.send(*(Packet(n, packets[n].host, size=1000) for n in passed))
    assert len(again) == len(passed), "those that have a place keep it"


def test_a_customer_of_ipv6_has_a_network(make_box):
    options = {"host": "upload 1k burst 3000 download 1k burst 3000"}
    limiter = Limiter(make_box, **options)
    hosts = ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3", "2001:db8:0:2::1"]
    for is_upload in (True, False):
        packets = [Packet(n, host, is_upload, 1400) for n, host in enumerate(hosts)]
        assert set(limiter.send(*packets)) == {0, 1, 3}
    shown = {row["address"] for row in rows_of(limiter.box, "hosts")}
    assert shown == {"2001:db8:0:1::", "2001:db8:0:2::"}
    single = Limiter(make_box, host_ipv6_bits=128, **options)
    assert len(single.send(*(Packet(n, host, True, 1400) for n, host in enumerate(hosts)))) == 4


def send_raw(limiter: Limiter, port: str, *frames: bytes) -> list[bytes]:
    for one in frames:
        limiter.box.inject(port, one)
    return [raw for _, raw in limiter.box.run()]


@pytest.mark.parametrize("version", [4, 6])
def test_a_mark_is_written_and_the_rest_stays(make_box, version):
    limiter = Limiter(
        make_box,
        total="upload 100M",
        classes=["web mark af41", "rest"],
        rules=["web tcp any -> any port 80,443"],
    )
    if version == 4:
        ip = IP(src="10.0.0.1", dst="192.0.2.1", tos=0x03)  # with congestion experienced
    else:
        ip = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0x03, fl=0xABCDE)
    web = bytes(Ether(type=0x800 if version == 4 else 0x86DD) / ip / TCP(sport=1, dport=443))
    other = bytes(Ether(type=0x800 if version == 4 else 0x86DD) / ip / UDP(sport=1, dport=443))
    marked, same = send_raw(limiter, "inside", web, other)
    assert same == other
    sent = Ether(marked)[IP if version == 4 else IPv6]
    assert (sent.tos if version == 4 else sent.tc) == 34 << 2 | 0x03
    expected = Ether(web)
    layer = expected[IP if version == 4 else IPv6]
    if version == 4:
        layer.tos = 34 << 2 | 0x03
        del layer.chksum
    else:
        layer.tc = 34 << 2 | 0x03
    assert marked == bytes(expected)


def test_what_is_not_ip_is_of_the_first_class_and_nobodys(make_box):
    limiter = Limiter(
        make_box,
        total="upload 1k burst 4000",
        host="upload unlimited",
        classes=["first keeps 40%", "second"],
    )
    arp = bytes(Ether(type=0x806) / ARP(psrc="10.0.0.1", pdst="10.0.0.2")) + bytes(958)
    assert set(limiter.send(*(Packet(n, "10.0.0.1", size=1000) for n in range(3)))) == {0, 1}
    assert send_raw(limiter, "inside", arp, arp, arp) == [arp, arp]
    assert limiter.drops() == {"total_upload": 2}


def test_odd_frames(make_box):
    box = make_box(
        [("limiter", {"inside": "inside", "outside": "outside", "total": "upload 1M"})],
        ["inside", "outside", "third"],
    )
    whole = bytes(Ether(type=0x800) / IP(src="10.0.0.1", dst="192.0.2.1") / UDP() / bytes(40))
    cut = whole[:30]
    lying = whole[:14] + b"\x46" + whole[15:]  # a longer header than there is room for: still fits
    short = whole[:16] + b"\x00\x10" + whole[18:]  # a total length below the header's
    for one in (cut, short, lying, bytes(14)):
        box.inject("inside", one)
    assert sorted(raw for _, raw in box.run()) == sorted([lying, bytes(14)])
    box.inject("third", whole)
    assert box.run() == []
    assert box.drops() == {"limiter": {"malformed": 2, "other_port": 1}}


def test_commands_for_more_hosts_than_there_are_places_are_counted(make_box):
    limiter = Limiter(make_box, 2, host="upload unlimited", hosts_max=4096)
    for host in range(1030):
        limiter.box.command("limiter", f"host 10.0.{host // 250}.{host % 250 + 1} upload 1M")
        if host % 256 == 255:
            limiter.box.run()
    limiter.box.run()
    rows = rows_of(limiter.box, "hosts")
    own = [row["own"] for row in rows if row["own"]]
    assert len(own) == len(set(own)) == 1024
    (first, *_) = rows_of(limiter.box, "commands")
    assert first["commands_ignored"] == 6
    limiter.box.command("limiter", "host 10.0.0.1 default")
    limiter.box.command("limiter", "host 10.0.9.9 upload 2M")
    limiter.box.run()
    own = [row["own"] for row in rows_of(limiter.box, "hosts") if row["own"]]
    assert len(own) == len(set(own)) == 1024
