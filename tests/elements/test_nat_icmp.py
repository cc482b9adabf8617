# SPDX-License-Identifier: BSD-3-Clause
"""ICMP: queries and errors of RFC 5508, and what the NAT says itself."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPerror, TCPerror, UDPerror, in4_chksum
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.elements.nat_frames import (
    EXTERNAL,
    HOST,
    NAT_INSIDE,
    OTHER_HOST,
    OTHER_REMOTE,
    REMOTE,
    Nat,
    answer,
    connect,
    echo,
    error,
    quoted,
    tcp,
    udp,
)

ROUTER = "192.0.2.33"
INSIDE_ROUTER = "10.0.0.77"


def test_rfc5508_req1_query_mapping_is_endpoint_independent(make_box):
    nat = Nat(make_box)
    out = nat.out(echo(HOST, REMOTE, 77))
    assert nat.out(echo(HOST, OTHER_REMOTE, 77))[ICMP].id == out[ICMP].id
    back = nat.back(answer(out))
    assert (back.dst, back[ICMP].id, bytes(back[ICMP].payload)) == (HOST, 77, b"ping")


def test_rfc5508_req2_query_lives_sixty_seconds(make_box):
    nat = Nat(make_box)
    out = nat.out(echo(HOST, REMOTE, 77))
    nat.advance(59)
    nat.back(answer(out))
    nat.advance(2)
    nat.refused("outside", answer(out), "no_mapping")


def test_timestamp_query(make_box):
    nat = Nat(make_box)
    out = nat.out(IP(src=HOST, dst=REMOTE) / ICMP(type=13, id=9))
    back = nat.back(IP(src=REMOTE, dst=EXTERNAL) / ICMP(type=14, id=out[ICMP].id))
    assert (back.dst, back[ICMP].id) == (HOST, 9)


def test_rfc5508_req3_error_with_wrong_checksum_is_dropped(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    packet = error(ROUTER, out)
    packet[ICMP].chksum = 1
    nat.refused("outside", packet, "bad_checksum")


@pytest.mark.parametrize(("checked", "passes"), [(True, False), (False, True)])
def test_rfc5508_req3a_error_that_quotes_a_damaged_header(make_box, checked, passes):
    nat = Nat(make_box, check_checksum=checked)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    out.chksum ^= 1
    nat.box.inject("outside", bytes(Ether() / error(ROUTER, out)))
    assert len(nat.box.run()) == passes
    assert nat.drops("bad_checksum") == (not passes)


@pytest.mark.parametrize("kind", [3, 4, 11, 12])
def test_rfc5508_req4_error_from_outside(make_box, kind):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    back = nat.back(error(ROUTER, out, kind))
    assert (back.src, back.dst) == (ROUTER, HOST)
    assert (quoted(back).src, quoted(back).dst) == (HOST, REMOTE)
    assert (back[UDPerror].sport, back[UDPerror].dport) == (5000, 53)


def test_rfc5508_req4_error_about_tcp_and_query(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    back = nat.back(error(ROUTER, syn))
    assert (quoted(back).src, back[TCPerror].sport) == (HOST, 5000)
    query = nat.out(echo(HOST, REMOTE, 77))
    back = nat.back(error(ROUTER, query))
    assert (quoted(back).src, back.getlayer(IPerror).payload.id) == (HOST, 77)


@pytest.mark.parametrize(
    "make",
    [
        lambda: udp(HOST, 5000, REMOTE, 53),
        lambda: tcp(HOST, 5000, REMOTE, 53, "S"),
        lambda: echo(HOST, REMOTE, 5000),
    ],
)
def test_quoted_checksum_is_translated_where_it_is_quoted(make_box, make):
    nat = Nat(make_box)
    out = nat.out(make())
    back = nat.back(error(ROUTER, out, keep=1000))
    inner = IP(bytes(back[ICMP])[8:])
    payload = bytes(inner)[20 : inner.len]
    if inner.proto == 1:
        assert bytes(ICMP(payload))[2:4] == bytes(ICMP(bytes(make()[ICMP])))[2:4]
    else:
        assert in4_chksum(inner.proto, inner, payload) == 0


def test_rfc5508_req4_error_without_a_session_is_dropped(make_box):
    nat = Nat(make_box)
    cause = udp(EXTERNAL, 5000, REMOTE, 53)
    nat.refused("outside", error(ROUTER, cause), "no_mapping")


def test_rfc5508_req5_error_from_inside(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    back = nat.back(answer(out))
    away = nat.out(error(HOST, back, 3, 3))
    assert (away.src, away.dst) == (EXTERNAL, REMOTE)
    assert (quoted(away).src, quoted(away).dst) == (REMOTE, EXTERNAL)
    assert (away[UDPerror].sport, away[UDPerror].dport) == (53, out.sport)


def test_rfc5508_req5_error_of_a_router_inside_hides_its_address(make_box):
    nat = Nat(make_box)
    back = nat.back(answer(nat.out(udp(HOST, 5000, REMOTE, 53))))
    assert nat.out(error(INSIDE_ROUTER, back, 11, 0)).src == EXTERNAL


def test_rfc5508_req6_errors_do_not_refresh(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    nat.advance(200)
    nat.back(error(ROUTER, out))
    nat.advance(101)
    nat.refused("outside", error(ROUTER, out), "no_mapping")


def test_rfc5508_req6_errors_do_not_end_a_session(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    nat.back(error(ROUTER, syn))
    nat.advance(7000)
    nat.back(answer(syn, flags="A"))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_rfc5508_req7_errors_are_hairpinned(make_box, workers):
    nat = Nat(make_box, workers=workers, filtering="endpoint-independent")
    target = nat.out(udp(OTHER_HOST, 6000, REMOTE, 53))
    ((_, inward),) = nat.send("inside", udp(HOST, 5000, target.src, target.sport))
    ((port, frame),) = nat.send("inside", error(OTHER_HOST, inward[IP], 3, 3))
    assert port == "inside"
    assert (frame[IP].src, frame[IP].dst) == (EXTERNAL, HOST)
    assert (quoted(frame).src, quoted(frame).dst) == (HOST, EXTERNAL)
    assert (frame[UDPerror].sport, frame[UDPerror].dport) == (5000, target.sport)


@pytest.mark.parametrize("kind", [5, 9, 17, 30])
def test_rfc5508_req11_other_icmp_is_dropped(make_box, kind):
    nat = Nat(make_box)
    nat.refused("inside", IP(src=HOST, dst=REMOTE) / ICMP(type=kind), "icmp_unsupported")


@pytest.mark.parametrize("keep", [0, 10, 20, 27])
def test_error_that_quotes_too_little_is_dropped(make_box, keep):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    nat.refused("outside", error(ROUTER, out, keep=keep), "icmp_malformed")


def test_error_to_another_than_who_sent_is_dropped(make_box):
    nat = Nat(make_box, external=["203.0.113.0/30"])
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    packet = error(ROUTER, out)
    packet.dst = "203.0.113.2" if out.src != "203.0.113.2" else "203.0.113.3"
    nat.refused("outside", packet, "icmp_malformed")


def test_error_about_an_error_is_dropped(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    about = error(EXTERNAL, IP(src=REMOTE, dst=EXTERNAL) / Raw(bytes(out)[20:28]))
    nat.refused("outside", error(ROUTER, IP(bytes(about))), "icmp_unsupported")


def test_reply_to_nothing_is_dropped(make_box):
    Nat(make_box).refused("inside", echo(HOST, REMOTE, 5, kind=0), "no_mapping")


def test_rfc5508_req8_sender_is_told_when_there_is_no_room(make_box):
    nat = Nat(make_box, inside_address=NAT_INSIDE, port_first=2000, port_last=2000, workers=1)
    nat.out(udp(HOST, 5000, REMOTE, 53))
    ((port, frame),) = nat.send("inside", udp(HOST, 5001, REMOTE, 53))
    assert (port, frame[IP].src, frame[IP].dst) == ("inside", NAT_INSIDE, HOST)
    assert (frame[ICMP].type, frame[ICMP].code) == (3, 13)
    assert frame[UDPerror].sport == 5001
    assert nat.drops("ports_exhausted") == 1


def test_time_exceeded_inside(make_box):
    nat = Nat(make_box, inside_address=NAT_INSIDE)
    packet = udp(HOST, 33434, REMOTE, 33435, ttl=1)
    ((port, frame),) = nat.send("inside", packet)
    assert (port, frame[IP].src, frame[IP].dst) == ("inside", NAT_INSIDE, HOST)
    assert (frame[ICMP].type, frame[ICMP].code) == (11, 0)
    assert frame[UDPerror].sport == 33434
    assert nat.drops("ttl_expired") == 1
    nat.refused("outside", udp(REMOTE, 33435, EXTERNAL, 2000), "no_mapping")


def test_time_exceeded_outside_comes_from_the_external_address(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    ((port, frame),) = nat.send("outside", udp(REMOTE, 53, out.src, out.sport, ttl=1))
    assert (port, frame[IP].src, frame[IP].dst) == ("outside", EXTERNAL, REMOTE)


def test_time_exceeded_needs_an_address(make_box):
    Nat(make_box).refused("inside", udp(HOST, 5000, REMOTE, 53, ttl=1), "ttl_expired")


def test_no_time_exceeded_about_an_error(make_box):
    nat = Nat(make_box, inside_address=NAT_INSIDE)
    back = nat.back(answer(nat.out(udp(HOST, 5000, REMOTE, 53))))
    packet = error(HOST, back)
    packet.ttl = 1
    nat.refused("inside", packet, "ttl_expired")


def test_time_exceeded_is_limited(make_box):
    nat = Nat(make_box, inside_address=NAT_INSIDE, icmp_errors_max=3, workers=1)
    packets = [udp(HOST, 5000 + i, REMOTE, 53, ttl=1) for i in range(8)]
    assert len(nat.send("inside", *packets)) == 3
    nat.advance(1.1)
    assert len(nat.send("inside", *packets)) == 3


@pytest.mark.parametrize("address", [NAT_INSIDE, EXTERNAL])
def test_ping_of_the_nat_from_inside(make_box, address):
    nat = Nat(make_box, inside_address=NAT_INSIDE)
    ((port, frame),) = nat.send("inside", echo(HOST, address, 5))
    assert (port, frame[IP].src, frame[IP].dst) == ("inside", address, HOST)
    assert (frame[ICMP].type, frame[ICMP].id, frame[ICMP].seq) == (0, 5, 1)


def test_other_packets_to_the_nat_are_dropped(make_box):
    nat = Nat(make_box, inside_address=NAT_INSIDE)
    nat.refused("inside", IP(src=HOST, dst=NAT_INSIDE) / UDP(sport=1, dport=2), "to_self")
