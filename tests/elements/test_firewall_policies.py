# SPDX-License-Identifier: BSD-3-Clause
"""The three policies, time-outs, bounds, and steering."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from tests.elements.firewall_frames import (
    INSIDE,
    INSIDE6,
    OUTSIDE,
    OUTSIDE6,
    Firewall,
    answer,
    connect,
    echo,
    error,
    ether,
    tcp,
    udp,
)

POLICIES = ["initiated", "answered", "timed"]
DAY = 86400.0


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("policy", POLICIES)
def test_what_the_trusted_side_began_may_be_answered(make_box, policy, version):
    firewall = Firewall(make_box, policy=policy)
    for packet in (udp(version), tcp("S", version), echo(version)):
        reasons = {TCP: "tcp_no_flow", UDP: "default"}
        reason = reasons.get(type(packet[1]), "icmp_unasked")
        firewall.refused("untrusted", answer(packet), reason)
        firewall.out(packet)
        firewall.back(answer(packet), answer(packet))


@pytest.mark.parametrize("policy", POLICIES)
def test_nobody_else_may_answer(make_box, policy):
    firewall = Firewall(make_box, policy=policy)
    firewall.out(udp())
    reply = answer(udp())
    for field, value in (("src", "198.51.100.8"), ("dst", "10.0.0.6")):
        other = reply.copy()
        setattr(other, field, value)
        firewall.refused("untrusted", other, "default")
    for field in ("sport", "dport"):
        other = reply.copy()
        setattr(other[UDP], field, 54)
        firewall.refused("untrusted", other, "default")


@pytest.mark.parametrize("policy", ["initiated", "answered"])
def test_without_time_outs_a_flow_is_for_good(make_box, policy):
    firewall = Firewall(make_box, policy=policy)
    firewall.out(udp())
    connect(firewall)
    firewall.advance(30 * DAY)
    firewall.back(answer(udp()), answer(tcp("A"), "A"))


@pytest.mark.parametrize(
    ("option", "seconds", "packets", "last"),
    [
        ("udp_timeout", 20, [(udp(), answer(udp()))], answer(udp())),
        ("icmp_timeout", 20, [(echo(), answer(echo()))], answer(echo())),
        ("pending_timeout", 20, [(udp(), None)], answer(udp())),
        ("other_timeout", 20, [(IP(src=INSIDE, dst=OUTSIDE, proto=47) / Raw(b"gre-"),
                                IP(src=OUTSIDE, dst=INSIDE, proto=47) / Raw(b"gre-"))],
         IP(src=OUTSIDE, dst=INSIDE, proto=47) / Raw(b"gre-")),
    ],
)  # fmt: skip
def test_silence_ends_a_flow(make_box, option, seconds, packets, last):
    firewall = Firewall(make_box, **{option: seconds})
    for there, back in packets:
        firewall.out(there)
        if back is not None:
            firewall.back(back)
    firewall.advance(seconds - 1)
    if option != "pending_timeout":
        firewall.back(last)
    firewall.advance(seconds + 0.5)
    reason = "icmp_unasked" if option == "icmp_timeout" else "default"
    firewall.refused("untrusted", last, reason)


def test_flows_of_one_age_end_together_though_ticks_do_bounded_work(make_box):
    firewall = Firewall(make_box, workers=1, pending_timeout=1)
    flows = [udp(sport=sport) for sport in range(1, 1201)]
    errors = [ether(error(flow, 3)) for flow in flows]
    assert len(firewall.send("trusted", *flows)) == 1200
    firewall.advance(0.97)
    alive = []
    for _ in range(8):
        firewall.advance(0.01)
        alive.append(len(firewall.send("untrusted", *errors)))
    assert alive[0] == 1200 and alive[-1] == 0
    assert set(alive) == {0, 1200}


def test_packets_of_either_side_put_off_the_end(make_box):
    firewall = Firewall(make_box, udp_timeout=10)
    firewall.out(udp())
    firewall.back(answer(udp()))
    for _ in range(3):
        firewall.advance(8)
        firewall.out(udp())
        firewall.advance(8)
        firewall.back(answer(udp()))


@pytest.mark.parametrize(
    ("option", "flags"),
    [
        ("tcp_transitory_timeout", [("S", "SA")]),
        ("tcp_established_timeout", [("S", "SA"), ("A", None)]),
        ("tcp_closing_timeout", [("S", "SA"), ("A", None), ("FA", None)]),
        ("tcp_closing_timeout", [("S", "SA"), ("A", "FA")]),
        ("tcp_closing_timeout", [("S", "SA"), ("A", "R")]),
    ],
)
def test_tcp_time_outs(make_box, option, flags):
    times = {"pending_timeout": 500, "tcp_transitory_timeout": 500,
             "tcp_established_timeout": 500, "tcp_closing_timeout": 500}  # fmt: skip
    firewall = Firewall(make_box, **{**times, option: 10})
    for there, back in flags:
        firewall.out(tcp(there))
        if back is not None:
            firewall.back(answer(tcp(there), back))
    firewall.advance(9)
    firewall.back(answer(tcp("A"), "R" if flags[-1][1] == "R" else "A"))
    firewall.advance(11)
    firewall.refused("untrusted", answer(tcp("A"), "A"), "tcp_no_flow")


def test_answered_flows_are_safe_from_those_that_are_not(make_box):
    """A host that sends to everybody takes no place from flows that somebody answered."""
    firewall = Firewall(make_box, workers=1, policy="answered", flows_max=32, pending_max=8)
    for sport in range(1, 11):
        firewall.out(udp(sport=sport))
        firewall.back(answer(udp(sport=sport)))
    flood = [udp(sport=sport) for sport in range(1000, 1100)]
    assert len(firewall.send("trusted", *flood)) == 100
    for sport in range(1, 11):
        firewall.back(answer(udp(sport=sport)))
    firewall.back(*(answer(packet) for packet in flood[-8:]))  # the newest ones wait for theirs
    firewall.refused("untrusted", answer(flood[-9]), "default")


def test_initiated_flows_keep_their_places(make_box):
    firewall = Firewall(make_box, workers=1, policy="initiated", flows_max=16, pending_max=8)
    firewall.out(*(udp(sport=sport) for sport in range(1, 17)))
    firewall.refused("trusted", udp(sport=17), "flows_full")
    firewall.back(*(answer(udp(sport=sport)) for sport in range(1, 17)))


@pytest.mark.parametrize("policy", ["answered", "timed"])
def test_a_table_full_of_answered_flows_takes_no_more(make_box, policy):
    firewall = Firewall(make_box, workers=1, policy=policy, flows_max=16, pending_max=16)
    for sport in range(1, 17):
        firewall.out(udp(sport=sport))
        firewall.back(answer(udp(sport=sport)))
    firewall.refused("trusted", udp(sport=17), "flows_full")
    if policy == "timed":
        firewall.advance(301)
        firewall.out(udp(sport=17))


def test_a_refusal_is_no_answer(make_box):
    firewall = Firewall(make_box, workers=1, policy="answered", flows_max=16, pending_max=1)
    firewall.out(tcp("S", sport=1))
    firewall.back(answer(tcp("S", sport=1), "RA"))
    firewall.out(tcp("S", sport=2))  # takes its place
    firewall.refused("untrusted", answer(tcp("S", sport=1), "RA"), "tcp_no_flow")


def test_flows_of_the_untrusted_side_wait_for_an_answer_too(make_box):
    rules = ["allow from untrusted udp any -> 10.0.0.5 port 5000"]
    firewall = Firewall(make_box, rules, workers=1, policy="answered", pending_max=1)
    knock = [answer(udp(dport=dport)) for dport in (53, 54)]
    firewall.back(knock[0])
    firewall.out(udp(dport=53))
    firewall.back(*knock)
    firewall.refused("trusted", udp(dport=55), "default")
    firewall.out(udp(dport=54), udp(dport=53))


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("version", [4, 6])
def test_both_directions_and_errors_meet_on_one_worker(make_box, version, workers):
    firewall = Firewall(make_box, workers=workers)
    kind = {4: 11, 6: 3}[version]
    makers = (lambda n: udp(version, n), lambda n: tcp("S", version, n), lambda n: echo(version, n))
    causes = [make(number) for number in range(1, 25) for make in makers]
    assert len(firewall.send("trusted", *causes)) == len(causes)
    assert len(firewall.send("untrusted", *(error(one, kind) for one in causes))) == len(causes)
    assert len(firewall.send("untrusted", *map(answer, causes))) == len(causes)
    assert firewall.drops() == {}
    consumed = [firewall.box.logger.queue_counts(worker) for worker in range(workers)]
    assert all(counts["logged"] > 20 for counts in consumed), "flows spread over the workers"


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_extension_headers_do_not_part_a_flow(make_box, workers):
    firewall = Firewall(make_box, workers=workers)
    for sport in range(1, 17):
        firewall.out(udp(6, sport))
        reply = IPv6(src=OUTSIDE6, dst=INSIDE6) / IPv6ExtHdrDestOpt()
        firewall.back(reply / UDP(sport=53, dport=sport) / Raw(b"reply"))


def test_arp_and_groups(make_box):
    rules = ["allow udp any -> 224.0.0.0/4,255.255.255.255", "allow udp any -> ff02::/16"]
    firewall = Firewall(make_box, rules)
    arp = bytes(Ether(src="02:00:00:00:00:01") / ARP(pdst=OUTSIDE))
    firewall.out(arp)
    firewall.back(arp)
    query = IP(src=INSIDE, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / Raw(b"mdns")
    discover = IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / Raw(b"dhcp")
    query6 = IPv6(src="fe80::1", dst="ff02::fb") / UDP(sport=5353, dport=5353) / Raw(b"mdns")
    firewall.out(query, discover, query6)
    firewall.refused("untrusted", query, "default")  # it leaves no flow behind
    firewall.refused("trusted", udp(), "default")


def test_neighbours_may_be_kept_apart(make_box):
    firewall = Firewall(make_box, neighbours=False)
    arp = bytes(Ether(src="02:00:00:00:00:01") / ARP(pdst=OUTSIDE))
    firewall.refused("trusted", arp, "neighbours_off")


def test_flows_live_on_through_many_failovers(make_box):
    firewall = Firewall(make_box, workers=2)
    connect(firewall)
    firewall.out(udp())
    for _ in range(5):
        firewall.box.fail_over()
        firewall.back(answer(tcp("A"), "A"), answer(udp()))
    firewall.refused("untrusted", ether(answer(udp(sport=9))), "default")
