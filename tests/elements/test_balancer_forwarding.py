# SPDX-License-Identifier: BSD-3-Clause
"""Connections go to one backend and come back from it, whatever happens in between."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests.elements.balancer_frames import (
    SERVERS,
    VIPS,
    Balancer,
    answer,
    client,
    ether,
    header,
    line,
    tcp,
    udp,
)

ALGORITHMS = ["maglev", "least_connections"]


@pytest.mark.parametrize(
    ("workers", "algorithm"),
    [(1, "maglev"), (2, "least_connections"), (4, "maglev"), (4, "least_connections")],
)
@pytest.mark.parametrize("version", [4, 6])
def test_a_connection_there_and_back(make_box, workers, algorithm, version):
    balancer = Balancer(make_box, workers, algorithm=algorithm)
    chosen = balancer.chosen(20, version)
    assert set(chosen.values()) == set(SERVERS[version])
    sent = [tcp("A", number, version) for number in range(20)]
    there = {packet.src: packet for packet in balancer.to(*sent)}
    for number in range(20):
        one = there[client(number, version)]
        assert (one.sport, one.dst, one.dport) == (4000, chosen[number], 8080)
    for back in balancer.back(*(answer(packet) for packet in there.values())):
        assert (back.src, back.sport, back.dport) == (VIPS[version], 80, 4000)
        assert back.dst in there
    assert balancer.drops() == {}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("version", [4, 6])
def test_datagrams(make_box, algorithm, version):
    balancer = Balancer(make_box, 4, algorithm=algorithm)
    there = balancer.to(*(udp(number, version) for number in range(12)))
    again = balancer.to(*(udp(number, version) for number in range(12)))
    assert {(p.src, p.dst) for p in there} == {(p.src, p.dst) for p in again}
    assert {p.dport for p in there} == {5353}
    for back in balancer.back(*(answer(packet) for packet in there)):
        assert (back.src, back.sport) == (VIPS[version], 53)


@pytest.mark.parametrize("version", [4, 6])
def test_only_what_must_changes(make_box, version):
    """All bytes of both ways, with options, traffic class and padding behind the datagram."""
    balancer = Balancer(make_box)
    fields = {"tos": 0xB8, "id": 77} if version == 4 else {"tc": 0xB8, "fl": 77}
    hops = {4: "ttl", 6: "hlim"}[version]
    sent = header(version, client(0, version), VIPS[version], **fields)
    sent /= TCP(sport=4000, dport=80, flags="S", options=[("MSS", 1400)], urgptr=3) / Raw(b"odd")
    ((port, frame),) = balancer.frames("clients", [ether(sent) + bytes(9)])
    assert port == "servers"
    got = Ether(frame).payload
    wanted = sent.copy()
    wanted.dst, wanted[TCP].dport = got.dst, 8080
    setattr(wanted, hops, 63)
    assert frame == ether(wanted) + bytes(9)
    back = answer(got)
    ((_, frame),) = balancer.frames("servers", [back])
    wanted = back.copy()
    wanted.src, wanted[TCP].sport = VIPS[version], 80
    setattr(wanted, hops, 63)
    assert frame == ether(wanted)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_what_was_damaged_stays_damaged(make_box, version, protocol):
    """Checksums are changed by what changes (RFC 1624), not computed anew."""
    balancer = Balancer(make_box)
    sent = tcp("S", 0, version) if protocol == "tcp" else udp(0, version)
    layer = TCP if protocol == "tcp" else UDP
    right = type(sent)(bytes(sent))[layer].chksum
    sent[layer].chksum = right ^ 0x0100
    (got,) = balancer.send("clients", sent)
    wrong = got[layer].chksum
    del got[layer].chksum
    good = type(got)(bytes(got))[layer].chksum
    difference = ((wrong - good) % 0xFFFF, (good - wrong) % 0xFFFF)
    assert 0x0100 in difference


def test_a_datagram_without_a_checksum_stays_without(make_box):
    balancer = Balancer(make_box)
    (there,) = balancer.send("clients", udp(chksum=0))
    assert there[UDP].chksum == 0
    reply = answer(there)
    reply[UDP].chksum = 0
    (back,) = balancer.send("servers", reply)
    assert back[UDP].chksum == 0


def test_hops(make_box):
    balancer = Balancer(make_box)
    for version in (4, 6):
        field = {4: "ttl", 6: "hlim"}[version]
        last = tcp("S", 0, version)
        setattr(last, field, 1)
        balancer.refused("clients", last, "hops_expired")
        setattr(last, field, 2)
        (there,) = balancer.to(last)
        assert getattr(there, field) == 1
        back = answer(there)
        setattr(back, field, 1)
        balancer.refused("servers", back, "hops_expired")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_who_is_asked_and_who_answers(make_box, algorithm):
    balancer = Balancer(make_box, algorithm=algorithm)
    other = tcp("S")
    other[TCP].dport = 81
    balancer.refused("clients", other, "no_service")
    other = udp()
    other[UDP].dport = 80
    balancer.refused("clients", other, "no_service")
    (there,) = balancer.to(tcp("S"))
    reply = answer(there)
    stranger = reply.copy()
    stranger.src = "10.0.0.99"
    balancer.refused("servers", stranger, "not_a_backend")
    stranger = reply.copy()
    stranger.src = next(server for server in SERVERS[4] if server != there.dst)
    balancer.refused("servers", stranger, "wrong_backend")
    begun = reply.copy()
    begun[TCP].dport = 4001
    begun[TCP].flags = "S"
    balancer.refused("servers", begun, "no_connection")  # a backend begins nothing from there
    balancer.back(reply)


def test_a_service_without_backends(make_box):
    balancer = Balancer(make_box, backends=[])
    balancer.refused("clients", tcp("S"), "no_backend")
    balancer.refused("clients", udp(), "no_backend")


# ---- Ends ----


def opened(balancer, sport):
    (there,) = balancer.to(tcp("S", sport=sport))
    (_,) = balancer.back(answer(there))
    balancer.to(tcp("A", sport=sport))
    return there


def test_silence_ends_connections(make_box):
    balancer = Balancer(make_box, algorithm="least_connections", udp_timeout=30,
                        tcp_transitory_timeout=10, tcp_established_timeout=100,
                        tcp_closing_timeout=20)  # fmt: skip
    balancer.to(tcp("S", sport=1))
    opened(balancer, 2)
    closing = opened(balancer, 3)
    balancer.to(tcp("FA", sport=3))
    balancer.back(answer(closing, "FA"))
    reset = opened(balancer, 4)
    balancer.back(answer(reset, "RA"))
    asked = balancer.to(udp(sport=5))[0]
    for seconds, left in ((11, {2, 3, 4, 5}), (10, {2, 5}), (10, {2}), (70, set())):
        balancer.advance(seconds)
        ports = {int(row["client_port"]) for row in balancer.tables()["connections"]}
        assert ports == left
        assert balancer.tables()["load"]["connections"].sum() == len(left)
    balancer.refused("clients", tcp("A", sport=2), "no_connection")
    balancer.refused("servers", answer(asked), "no_connection")


def test_traffic_keeps_a_connection(make_box):
    balancer = Balancer(make_box, algorithm="least_connections", udp_timeout=30)
    (there,) = balancer.to(udp())
    for _ in range(3):
        balancer.advance(20)
        balancer.back(answer(there))
    balancer.advance(31)
    balancer.refused("servers", answer(there), "no_connection")


def test_a_reset_that_was_forged_ends_nothing(make_box):
    balancer = Balancer(make_box, algorithm="least_connections", tcp_closing_timeout=20)
    there = opened(balancer, 7)
    balancer.to(tcp("R", sport=7))
    balancer.to(tcp("A", sport=7))
    balancer.advance(25)
    balancer.back(answer(there, "A"))


@pytest.mark.parametrize("end", ["FA", "RA"])
def test_the_same_client_port_again_after_the_end(make_box, end):
    """A SYN that is repeated belongs to its connection; one after the end is chosen anew."""
    balancer = Balancer(make_box, 1, algorithm="least_connections")
    there = opened(balancer, 9)
    balancer.command("drain " + line("tcp", 4, SERVERS[4].index(there.dst)))
    (repeated,) = balancer.to(tcp("S", sport=9))
    assert repeated.dst == there.dst
    if end == "FA":
        balancer.to(tcp("FA", sport=9))
        (half_closed,) = balancer.to(tcp("S", sport=9))
        assert half_closed.dst == there.dst
    balancer.back(answer(there, end))
    (anew,) = balancer.to(tcp("S", sport=9))
    assert anew.dst != there.dst
    tables = balancer.tables()
    assert len(tables["connections"]) == tables["load"]["connections"].sum() == 1
    assert tables["load"]["connections_ever"].sum() == 2


# ---- Without a connection ----


def test_with_maglev_a_full_table_forwards_by_hash(make_box):
    balancer = Balancer(make_box, 1, connections_max=16)
    first = balancer.chosen(40)
    again = balancer.to(*(tcp("A", number) for number in range(40)))
    assert {packet.src: packet.dst for packet in again} == {
        client(number): server for number, server in first.items()
    }
    backs = balancer.back(*(answer(packet) for packet in again))
    assert {packet.src for packet in backs} == {VIPS[4]}
    tables = balancer.tables()
    assert len(tables["connections"]) == 16
    assert tables["services"]["stateless"].sum() == 3 * 24
    elsewhere = answer(next(p for p in again if p.src == client(39)))
    elsewhere.src = next(server for server in SERVERS[4] if server != elsewhere.src)
    balancer.refused("servers", elsewhere, "no_connection")


def test_counting_a_full_table_begins_nothing(make_box):
    balancer = Balancer(make_box, 1, algorithm="least_connections", connections_max=16)
    assert len(balancer.send("clients", *(tcp("S", number) for number in range(40)))) == 16
    assert balancer.drops() == {"connections_full": 24}
    assert balancer.tables()["load"]["connections"].sum() == 16


def test_the_middle_of_a_connection(make_box):
    """With Maglev any box knows where it went; counting does not."""
    balancer = Balancer(make_box)
    chosen = balancer.chosen(10)
    other = Balancer(make_box)
    found = other.to(*(tcp("PA", number) for number in range(10)))
    assert {p.src: p.dst for p in found} == {client(n): chosen[n] for n in range(10)}
    counting = Balancer(make_box, algorithm="least_connections")
    counting.refused("clients", tcp("PA"), "no_connection")


# ---- In a pipeline ----


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_behind_a_firewall(make_box, workers, algorithm):
    """It stands on the clients' side: it lets in what asks the service, and its answers out."""
    rules = [f"allow from untrusted tcp any -> {VIPS[4]} port 80"]
    sides = {"untrusted": "clients", "trusted": "servers"}

    def with_firewall(pipeline, ports, workers):
        paths = [
            {"from": [port], "through": through, "match": None, "program": None}
            for port, through in (
                ("clients", ["firewall", "load_balancer"]),
                ("servers", ["load_balancer", "firewall"]),
            )
        ]
        firewall = ("firewall", {**sides, "rules": rules})
        return make_box([firewall, *pipeline], ports, workers, paths=paths)

    balancer = Balancer(with_firewall, workers, algorithm=algorithm)
    assert balancer.send("clients", *(udp(number) for number in range(20))) == []
    chosen = balancer.chosen(20)
    assert set(chosen.values()) == set(SERVERS[4])
    asked = [tcp("S", number, sport=5000) for number in range(20)]
    backs = balancer.back(*(answer(packet) for packet in balancer.to(*asked)))
    assert {(back.src, back.sport, back.dport) for back in backs} == {(VIPS[4], 80, 5000)}
    there = balancer.to(*(tcp("A", number, sport=5000) for number in range(20)))
    assert {packet.dst for packet in there} == set(SERVERS[4])
    assert balancer.box.drops() == {"firewall": {"default": 20}}
