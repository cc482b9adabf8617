# SPDX-License-Identifier: BSD-3-Clause
"""What comes in from outside: RFC 4787 REQ-8 and REQ-9, and connections of RFC 5382."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP

from tests.elements.nat_frames import (
    EXTERNAL,
    HOST,
    OTHER_HOST,
    OTHER_REMOTE,
    REMOTE,
    Nat,
    answer,
    connect,
    tcp,
    udp,
)

INDEPENDENT = "endpoint-independent"
ADDRESS = "address-dependent"
PORT = "address-and-port-dependent"


@pytest.mark.parametrize(
    ("filtering", "source", "sport", "passes"),
    [
        (INDEPENDENT, OTHER_REMOTE, 9, True),
        (ADDRESS, OTHER_REMOTE, 53, False),
        (ADDRESS, REMOTE, 9, True),
        (PORT, REMOTE, 9, False),
        (PORT, REMOTE, 53, True),
    ],
)
def test_rfc4787_req8_filtering(make_box, filtering, source, sport, passes):
    nat = Nat(make_box, filtering=filtering)
    out = nat.out(udp(HOST, 5000, REMOTE, 53))
    packet = udp(source, sport, EXTERNAL, out.sport)
    if passes:
        assert nat.back(packet).dport == 5000
    else:
        nat.refused("outside", packet, "filtered")


@pytest.mark.parametrize(
    ("filtering", "source", "sport", "passes"),
    [
        (INDEPENDENT, OTHER_REMOTE, 9, True),
        (ADDRESS, OTHER_REMOTE, 80, False),
        (ADDRESS, REMOTE, 9, True),
        (PORT, REMOTE, 9, False),
    ],
)
def test_rfc5382_req3_filtering(make_box, filtering, source, sport, passes):
    nat = Nat(make_box, filtering=filtering)
    out = connect(nat)
    packet = tcp(source, sport, EXTERNAL, out.sport, "S")
    if passes:
        inward = nat.back(packet)
        assert inward.dport == 5000
        assert nat.out(answer(inward, flags="SA")).dport == sport
    else:
        nat.refused("outside", packet, "tcp_unsolicited")


def test_filter_forgets_an_address_with_its_last_session(make_box):
    nat = Nat(make_box, filtering=ADDRESS)
    out = nat.out(tcp(HOST, 5000, REMOTE, 80, "S"))
    nat.advance(200)
    nat.out(tcp(HOST, 5000, OTHER_REMOTE, 80, "S"))
    nat.advance(100)
    nat.refused("outside", tcp(REMOTE, 9, EXTERNAL, out.sport, "S"), "tcp_unsolicited")
    nat.back(tcp(OTHER_REMOTE, 9, EXTERNAL, out.sport, "S"))


def hairpin(nat: Nat, protocol: type) -> None:
    target = nat.out(
        udp(OTHER_HOST, 6000, REMOTE, 53)
        if protocol is UDP
        else tcp(OTHER_HOST, 6000, REMOTE, 53, "S")
    )
    packet = IP(src=HOST, dst=target.src, ttl=64) / protocol(sport=5000, dport=target.sport)
    ((port, frame),) = nat.send("inside", packet)
    assert port == "inside"
    assert (frame[IP].dst, frame.dport) == (OTHER_HOST, 6000)
    assert frame[IP].src == EXTERNAL, "the external address, not the inside one"
    assert frame.sport != 5000
    assert frame[IP].ttl == 63, "once through the NAT"
    reply = answer(frame[IP], **({"flags": "SA"} if protocol is TCP else {}))
    ((port, frame),) = nat.send("inside", reply)
    assert port == "inside"
    assert (frame[IP].dst, frame.dport, frame.sport) == (HOST, 5000, target.sport)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_rfc4787_req9_hairpinning(make_box, workers):
    hairpin(Nat(make_box, workers=workers, filtering=INDEPENDENT), UDP)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_rfc5382_req8_hairpinning(make_box, workers):
    hairpin(Nat(make_box, workers=workers, filtering=INDEPENDENT), TCP)


def test_hairpinning_is_filtered_as_from_outside(make_box):
    nat = Nat(make_box, filtering=ADDRESS)
    target = nat.out(udp(OTHER_HOST, 6000, REMOTE, 53))
    nat.refused("inside", udp(HOST, 5000, EXTERNAL, target.sport), "filtered")


def test_hairpinning_to_a_static_mapping(make_box):
    nat = Nat(make_box, static=[f"tcp {EXTERNAL}:80 -> {OTHER_HOST}:8080"])
    ((port, frame),) = nat.send("inside", tcp(HOST, 5000, EXTERNAL, 80, "S"))
    assert (port, frame[IP].dst, frame.dport) == ("inside", OTHER_HOST, 8080)


def test_rfc5382_req2_three_way_handshake_and_simultaneous_open(make_box):
    nat = Nat(make_box, filtering=PORT)
    connect(nat)
    syn = nat.out(tcp(HOST, 5001, REMOTE, 81, "S"))
    nat.back(tcp(REMOTE, 81, EXTERNAL, syn.sport, "S"))
    nat.out(tcp(HOST, 5001, REMOTE, 81, "SA"))
    nat.back(tcp(REMOTE, 81, EXTERNAL, syn.sport, "SA"))
    nat.out(tcp(HOST, 5001, REMOTE, 81, "A"))
    nat.advance(7000)
    nat.back(tcp(REMOTE, 81, EXTERNAL, syn.sport, "A"))


def test_rfc5382_req4_unsolicited_syn_is_dropped_silently(make_box):
    nat = Nat(make_box)
    nat.refused("outside", tcp(REMOTE, 80, EXTERNAL, 2000, "S"), "tcp_unsolicited")
    nat.refused("outside", tcp(REMOTE, 80, EXTERNAL, 2000, "A"), "no_mapping")


def test_rfc5382_req5_established_lives_two_hours_and_four_minutes(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    nat.advance(7439)
    nat.back(answer(syn, flags="A"))
    nat.advance(7439)
    nat.out(tcp(HOST, 5000, REMOTE, 80, "A"))
    nat.advance(7441)
    nat.refused("outside", answer(syn, flags="A"), "no_mapping")


def test_rfc5382_req5_half_open_lives_four_minutes(make_box):
    nat = Nat(make_box)
    syn = nat.out(tcp(HOST, 5000, REMOTE, 80, "S"))
    nat.advance(239)
    nat.back(answer(syn, flags="SA"))
    nat.advance(241)
    nat.refused("outside", answer(syn, flags="SA"), "no_mapping")


def test_rfc5382_req5_closed_lives_four_minutes(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    nat.out(tcp(HOST, 5000, REMOTE, 80, "FA"))
    nat.advance(1000)
    nat.back(answer(syn, flags="FA"))
    nat.out(tcp(HOST, 5000, REMOTE, 80, "A"))
    nat.advance(239)
    nat.back(answer(syn, flags="A"))
    nat.advance(241)
    nat.refused("outside", answer(syn, flags="A"), "no_mapping")


def test_closed_session_can_begin_again(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    nat.back(answer(syn, flags="RA"))
    assert connect(nat).sport == syn.sport
    nat.advance(7000)
    nat.back(answer(syn, flags="A"))


def test_a_reset_shortens_and_traffic_restores(make_box):
    nat = Nat(make_box)
    syn = connect(nat)
    nat.back(answer(syn, flags="RA"))
    nat.advance(100)
    nat.out(tcp(HOST, 5000, REMOTE, 80, "A"))
    nat.advance(1000)
    nat.back(answer(syn, flags="R"))
    nat.advance(241)
    nat.refused("outside", answer(syn, flags="A"), "no_mapping")


def test_a_forged_syn_costs_only_the_short_time(make_box):
    nat = Nat(make_box, static=[f"tcp {EXTERNAL}:80 -> {HOST}:8080"], sessions_max=16, workers=1)
    for sport in range(1000, 1016):
        inward = nat.back(tcp(REMOTE, sport, EXTERNAL, 80, "S"))
        nat.out(answer(inward, flags="SA"))
    nat.refused("outside", tcp(REMOTE, 999, EXTERNAL, 80, "S"), "sessions_full")
    nat.advance(241)
    nat.back(tcp(REMOTE, 999, EXTERNAL, 80, "S"))


def test_middle_of_an_unknown_connection_is_refused(make_box):
    nat = Nat(make_box)
    nat.refused("inside", tcp(HOST, 5000, REMOTE, 80, "A"), "tcp_no_session")
    nat.refused("inside", tcp(HOST, 5000, REMOTE, 80, "SA"), "tcp_no_session")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_external_source_from_the_wire_is_spoofed(make_box, workers):
    """It would pass for a packet of an inside host that came in again."""
    nat = Nat(make_box, workers=workers, filtering=INDEPENDENT)
    target = nat.out(udp(OTHER_HOST, 6000, REMOTE, 53))
    nat.refused("outside", udp(EXTERNAL, 5000, EXTERNAL, target.sport), "bad_address")
