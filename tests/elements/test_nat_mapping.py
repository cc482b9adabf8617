# SPDX-License-Identifier: BSD-3-Clause
"""Mappings: RFC 4787 REQ-1 to REQ-7, external ports, exhaustion, steering."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP

from tests.elements.nat_frames import (
    EXTERNAL,
    HOST,
    OTHER_REMOTE,
    REMOTE,
    Nat,
    answer,
    echo,
    tcp,
    udp,
)


def test_round_trip_restores_the_inside_endpoint(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53, ttl=64))
    assert (out.src, out.dst, out.dport, out.ttl) == (EXTERNAL, REMOTE, 53, 63)
    assert bytes(out[UDP].payload) == b"data!"
    back = nat.back(answer(out))
    assert (back.src, back.dst, back.sport, back.dport) == (REMOTE, HOST, 53, 5000)
    assert bytes(back[UDP].payload) == b"reply"


def test_rfc4787_req1_endpoint_independent_mapping(make_box):
    nat = Nat(make_box)
    packets = [
        udp(HOST, 5000, REMOTE, 53),
        udp(HOST, 5000, REMOTE, 54),
        udp(HOST, 5000, OTHER_REMOTE, 53),
    ]
    assert len({(out.src, out.sport) for out in map(nat.out, packets)}) == 1


@pytest.mark.parametrize("flags", ["S"])
def test_rfc5382_req1_endpoint_independent_mapping(make_box, flags):
    nat = Nat(make_box)
    outs = [nat.out(tcp(HOST, 5000, remote, 80, flags)) for remote in (REMOTE, OTHER_REMOTE)]
    assert outs[0].sport == outs[1].sport


def test_rfc4787_req2_paired_pooling(make_box):
    nat = Nat(make_box, external=["203.0.113.0/28", "192.0.2.9"])
    of_host: dict[str, set[str]] = {}
    for host in range(40):
        source = f"10.0.1.{host}"
        for sport in (1000, 2000, 3001):
            of_host.setdefault(source, set()).add(nat.out(udp(source, sport, REMOTE, 53)).src)
        of_host[source].add(nat.out(echo(source, REMOTE, 7)).src)
    assert all(len(addresses) == 1 for addresses in of_host.values())
    assert len(set.union(*of_host.values())) > 5, "hosts spread over the addresses"


def test_rfc4787_req3_no_port_overloading(make_box):
    nat = Nat(make_box, port_first=2000, port_last=2031, workers=2)
    ports = []
    for sport in range(3000, 3100):
        ports += [frame[UDP].sport for _, frame in nat.send("inside", udp(HOST, sport, REMOTE, 53))]
    assert len(ports) == len(set(ports)) == 32, "all ports of both workers, each once"
    assert set(ports) == set(range(2000, 2032))
    assert nat.drops("ports_exhausted") == 100 - 32


def test_protocols_have_ports_of_their_own(make_box):
    nat = Nat(make_box, port_first=2000, port_last=2000, workers=1)
    assert nat.out(udp(HOST, 3000, REMOTE, 53)).sport == 2000
    assert nat.out(tcp(HOST, 3000, REMOTE, 53, "S")).sport == 2000
    assert nat.out(echo(HOST, REMOTE, 3000))[ICMP].id == 2000


def test_rfc4787_req4_port_parity(make_box):
    nat = Nat(make_box)
    for sport in (4000, 4001, 4002, 4003, 6661):
        assert nat.out(udp(HOST, sport, REMOTE, 5004)).sport % 2 == sport % 2


def test_rfc4787_req4_parity_yields_when_ports_run_out(make_box):
    nat = Nat(make_box, port_first=2000, port_last=2003, workers=1)
    ports = [nat.out(udp(HOST, sport, REMOTE, 53)).sport for sport in (4000, 4002, 4004, 4006)]
    assert sorted(ports) == [2000, 2001, 2002, 2003]


def test_rfc4787_req5_udp_mapping_lives_five_minutes(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    nat.advance(299)
    nat.back(answer(out))
    nat.advance(2)
    nat.refused("outside", answer(out), "no_mapping")


def test_rfc4787_req6_outbound_refresh(make_box):
    nat = Nat(make_box)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    for _ in range(3):
        nat.advance(200)
        assert nat.out(udp(HOST, 5000, REMOTE, 53)).sport == out.sport
    nat.back(answer(out))


@pytest.mark.parametrize("refresh", [False, True])
def test_rfc4787_req6_inbound_refresh_is_an_option(make_box, refresh):
    nat = Nat(make_box, inbound_refresh=refresh)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    nat.advance(200)
    nat.back(answer(out))
    nat.advance(200)
    if refresh:
        nat.back(answer(out))
    else:
        nat.refused("outside", answer(out), "no_mapping")


def test_a_mapping_lives_as_long_as_its_last_session(make_box):
    nat = Nat(make_box, filtering="address-and-port-dependent")
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    nat.advance(200)
    assert nat.out(udp(HOST, 5000, OTHER_REMOTE, 53)).sport == out.sport
    nat.advance(200)
    nat.refused("outside", answer(out), "filtered")
    assert nat.out(udp(HOST, 5000, REMOTE, 53)).sport == out.sport


def test_ports_and_sessions_are_used_again(make_box):
    nat = Nat(make_box, port_first=2000, port_last=2003, workers=1, udp_timeout=10)
    for round_number in range(4):
        for sport in range(4):
            nat.out(udp(HOST, 4000 + 10 * round_number + sport, REMOTE, 53))
        nat.refused("inside", udp(HOST, 9000, REMOTE, 53), "ports_exhausted")
        nat.advance(11)


def test_full_table_drops_and_counts(make_box):
    nat = Nat(make_box, sessions_max=16, workers=1)
    for sport in range(16):
        nat.out(udp(HOST, 4000 + sport, REMOTE, 53))
    nat.refused("inside", udp(HOST, 9000, REMOTE, 53), "sessions_full")
    nat.out(udp(HOST, 4003, REMOTE, 53))
    nat.advance(301)
    nat.out(udp(HOST, 9000, REMOTE, 53))


def test_many_sessions_expire_though_ticks_do_bounded_work(make_box):
    nat = Nat(make_box, workers=1, udp_timeout=5, filtering="endpoint-independent")
    count = 3000
    for first in range(0, count, 500):
        sports = range(10000 + first, 10000 + first + 500)
        assert len(nat.send("inside", *(udp(HOST, sport, REMOTE, 53) for sport in sports))) == 500
    nat.advance(6)
    nat.refused("outside", udp(REMOTE, 53, EXTERNAL, 30000), "no_mapping")
    for first in range(0, count, 500):
        sports = range(20000 + first, 20000 + first + 500)
        assert len(nat.send("inside", *(udp(HOST, sport, REMOTE, 53) for sport in sports))) == 500


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_both_directions_meet_on_one_worker(make_box, workers):
    nat = Nat(make_box, workers=workers, external=["203.0.113.0/29"], port_first=1, port_last=65535)
    for host in range(1, 30):
        source = f"10.0.2.{host}"
        assert nat.back(answer(nat.out(udp(source, 999 + host, REMOTE, 53)))).dst == source
        syn = nat.out(tcp(source, 999 + host, REMOTE, 80, "S"))
        assert nat.back(answer(syn, flags="SA")).dport == 999 + host
        assert nat.back(answer(nat.out(echo(source, REMOTE, host))))[ICMP].id == host


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_static_mapping(make_box, workers):
    nat = Nat(
        make_box,
        workers=workers,
        static=[f"tcp {EXTERNAL}:80 -> {HOST}:8080", f"udp {EXTERNAL}:5353 -> {HOST}:53"],
    )
    inward = nat.back(tcp(REMOTE, 3333, EXTERNAL, 80, "S"))
    assert (inward.dst, inward.dport, inward.sport) == (HOST, 8080, 3333)
    outward = nat.out(answer(inward, flags="SA"))
    assert (outward.src, outward.sport, outward.dport) == (EXTERNAL, 80, 3333)
    assert nat.back(udp(OTHER_REMOTE, 4444, EXTERNAL, 5353)).dport == 53
    own = nat.out(udp(HOST, 53, REMOTE, 9))
    assert (own.src, own.sport) == (EXTERNAL, 5353), "also for what it begins itself"
    nat.advance(10000)
    assert nat.back(udp(OTHER_REMOTE, 4444, EXTERNAL, 5353)).dport == 53


def test_static_port_is_given_to_nobody_else(make_box):
    nat = Nat(
        make_box,
        workers=1,
        port_first=2000,
        port_last=2001,
        static=[f"udp {EXTERNAL}:2000 -> 10.0.0.99:53"],
    )
    assert nat.out(udp(HOST, 4000, REMOTE, 53)).sport == 2001
    nat.refused("inside", udp(HOST, 4002, REMOTE, 53), "ports_exhausted")


def test_udp_without_checksum_stays_without(make_box):
    packet = IP(src=HOST, dst=REMOTE) / UDP(sport=5000, dport=53, chksum=0)
    assert Nat(make_box).out(packet)[UDP].chksum == 0


def test_ip_options_and_padding_are_kept(make_box):
    nat = Nat(make_box)
    packet = udp(HOST, 5000, REMOTE, 53)
    packet.options = [b"\x94\x04\x00\x00"]  # router alert
    assert nat.out(packet).ihl == 6
    ((_, frame),) = nat.send("inside", tcp(HOST, 5000, REMOTE, 80, "S") / (b"\0" * 6))
    assert len(frame) == 60
    assert TCP in frame


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"external": []}, "external"),
        ({"external": ["203.0.113.300"]}, "203.0.113.300"),
        ({"external": ["203.0.113.1/28"]}, "203.0.113.1/28"),
        ({"external": ["203.0.113.0/28", "203.0.113.9"]}, "overlaps"),
        ({"static": ["tcp 203.0.113.1:80 > 10.0.0.5:80"]}, "is not like"),
        ({"static": ["tcp 192.0.2.1:80 -> 10.0.0.5:80"]}, "static"),
        ({"port_first": 3000, "port_last": 2000}, "port_first"),
        ({"outside": "inside"}, "same port"),
        ({"inside_address": "10.0.0"}, "10.0.0"),
        ({"filtering": "none"}, "filtering"),
        ({"sessions_max": 4}, "sessions_max"),
    ],
)
def test_wrong_configuration_is_told(make_box, options, message):
    with pytest.raises(Exception, match=message):
        Nat(make_box, **options)
