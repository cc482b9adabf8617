# SPDX-License-Identifier: BSD-3-Clause
"""ICMP and ICMPv6, type by type: the tables of elements/firewall/README.md."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.packet import Raw

from tests.elements.firewall_frames import (
    INSIDE,
    INSIDE6,
    OUTSIDE,
    OUTSIDE6,
    Firewall,
    answer,
    echo,
    error,
    icmpv6,
    tcp,
    udp,
)

# RFC 792, 1122, 1812, 6633, 6918: what a router passes on, and what was given up.
ERRORS4 = {3, 11, 12}
QUERIES4 = {8: 0, 13: 14}
# RFC 4890, 4.3 (transit) and 4.4 (local): what must not, what should not normally be dropped.
ERRORS6 = {1, 2, 3, 4}
QUERIES6 = {128: 129, 144: 145, 146: 147}
NEIGHBOURS6 = {133, 134, 135, 136, 141, 142, 148, 149}
LISTENERS6 = {130, 131, 132, 143, 151, 152, 153}
EVERYTHING = ["allow from any any"]


def raw4(kind: int, body: bytes = bytes(8)) -> IP:
    """A message of any type with a right checksum."""
    return IP(src=INSIDE, dst=OUTSIDE) / ICMP(bytes(ICMP(type=kind) / Raw(body))[:8] + body)


def raw6(kind: int, source: str = INSIDE6, hop_limit: int = 64, to: str = OUTSIDE6) -> IPv6:
    header = IPv6(src=source, dst=to, hlim=hop_limit)
    return header / icmpv6(kind, 0, bytes(28), header)


def test_every_type_of_icmp_that_is_not_in_the_table_is_dropped(make_box):
    firewall = Firewall(make_box, EVERYTHING)
    known = {*ERRORS4, *QUERIES4, *QUERIES4.values()}
    assert firewall.send("trusted", *(raw4(kind) for kind in range(256) if kind not in known)) == []
    assert firewall.drops() == {"icmp_unsupported": 256 - len(known)}


def test_every_type_of_icmpv6_that_is_not_in_the_table_is_dropped(make_box):
    firewall = Firewall(make_box, EVERYTHING)
    known = {*ERRORS6, *QUERIES6, *QUERIES6.values(), *NEIGHBOURS6, *LISTENERS6}
    assert firewall.send("trusted", *(raw6(kind) for kind in range(256) if kind not in known)) == []
    assert firewall.drops() == {"icmp_unsupported": 256 - len(known)}


def test_icmp_of_the_other_version_is_dropped(make_box):
    firewall = Firewall(make_box, EVERYTHING)
    firewall.refused("trusted", IP(src=INSIDE, dst=OUTSIDE, proto=58) / raw6(128)[Raw],
                     "icmp_unsupported")  # fmt: skip
    firewall.refused("trusted", IPv6(src=INSIDE6, dst=OUTSIDE6, nh=1) / Raw(bytes(raw4(8)[ICMP])),
                     "icmp_unsupported")  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
def test_queries_are_flows_by_identifier_and_question(make_box, version):
    firewall = Firewall(make_box)
    for question, reply in (QUERIES4 if version == 4 else QUERIES6).items():
        if version == 4:
            there = IP(src=INSIDE, dst=OUTSIDE) / ICMP(type=question, id=7)
            back = IP(src=OUTSIDE, dst=INSIDE) / ICMP(type=reply, id=7)
            other = IP(src=OUTSIDE, dst=INSIDE) / ICMP(type=reply, id=8)
            asked = IP(src=OUTSIDE, dst=INSIDE) / ICMP(type=question, id=7)
        else:
            header = IPv6(src=INSIDE6, dst=OUTSIDE6)
            away = IPv6(src=OUTSIDE6, dst=INSIDE6)
            there = header / icmpv6(question, 0, b"\0\7\0\0" + bytes(16), header)
            back = away / icmpv6(reply, 0, b"\0\7\0\0" + bytes(16), away)
            other = away / icmpv6(reply, 0, b"\0\x08\0\0" + bytes(16), away)
            asked = away / icmpv6(question, 0, b"\0\7\0\0" + bytes(16), away)
        firewall.refused("untrusted", back, "icmp_unasked")
        firewall.out(there)
        firewall.back(back)
        firewall.refused("untrusted", other, "icmp_unasked")
        firewall.refused("untrusted", asked, "default")  # a question of theirs is another flow
        firewall.refused("trusted", turned_reply(back), "icmp_unasked")


def turned_reply(packet):
    turned = packet.copy()
    turned.src, turned.dst = packet.dst, packet.src
    return turned


@pytest.mark.parametrize("version", [4, 6])
def test_errors_pass_where_their_flow_is_known(make_box, version):
    firewall = Firewall(make_box)
    for cause in (udp(version), tcp("S", version), echo(version)):
        for kind in ERRORS4 if version == 4 else ERRORS6:
            firewall.refused("untrusted", error(cause, kind), "icmp_no_flow")
        firewall.out(cause)
        for kind in ERRORS4 if version == 4 else ERRORS6:
            firewall.back(error(cause, kind), error(cause, kind, code=1))
            firewall.back(error(cause, kind, keep=28 if version == 4 else 48))


@pytest.mark.parametrize("version", [4, 6])
def test_errors_of_the_trusted_side_about_answers(make_box, version):
    firewall = Firewall(make_box)
    firewall.out(udp(version))
    firewall.back(answer(udp(version)))
    kind = {4: 3, 6: 1}[version]
    firewall.out(error(answer(udp(version)), kind, 3))
    firewall.refused("trusted", error(answer(udp(version, 9)), kind, 3), "icmp_no_flow")


@pytest.mark.parametrize("version", [4, 6])
def test_an_error_is_judged_before_it_is_believed(make_box, version):
    firewall = Firewall(make_box)
    firewall.out(udp(version))
    kind = {4: 11, 6: 3}[version]
    right = error(udp(version), kind)
    wrong = bytearray(bytes(right))
    wrong[-1] ^= 1  # the checksum is of what was
    firewall.refused("untrusted", type(right)(bytes(wrong)), "bad_checksum")
    elsewhere = type(right)(**{**right.fields, "dst": {4: "10.0.0.6", 6: "2001:db8:1::6"}[version]})
    payload = right.payload
    if version == 6:
        payload = icmpv6(kind, 0, bytes(4) + bytes(udp(6)), elsewhere)
    firewall.refused("untrusted", elsewhere / payload, "icmp_malformed")
    for keep in (0, 12, 20, 27) if version == 4 else (0, 39, 40, 47):
        firewall.refused("untrusted", error(udp(version), kind, keep=keep), "icmp_malformed")
    about = error(right, kind)
    firewall.refused("trusted", about, "icmp_unsupported")  # never about an error
    firewall.back(right)


@pytest.mark.parametrize(("checked", "reason"), [(True, "bad_checksum"), (False, None)])
def test_rfc5508_an_error_that_quotes_a_damaged_header(make_box, checked, reason):
    firewall = Firewall(make_box, check_checksum=checked)
    firewall.out(udp())
    damaged = IP(bytes(udp()))
    damaged.chksum ^= 1
    if reason:
        firewall.refused("untrusted", error(damaged, 3), reason)
    else:
        firewall.back(error(damaged, 3))


def test_errors_that_quote_fragments(make_box):
    """The first part has ports; a later one says nothing of whose it was."""
    firewall = Firewall(make_box)
    firewall.out(udp(), udp(6))
    first = udp(flags="MF")
    firewall.back(error(first, 11, 1))
    later = IP(src=INSIDE, dst=OUTSIDE, frag=4, proto=17) / Raw(bytes(16))
    firewall.refused("untrusted", error(later, 11, 1), "icmp_malformed")
    header = IPv6(src=INSIDE6, dst=OUTSIDE6)
    first6 = header / IPv6ExtHdrFragment(m=1, nh=17) / bytes(udp(6)[UDP])
    firewall.back(error(first6, 3, 1))
    later6 = IPv6(src=INSIDE6, dst=OUTSIDE6) / IPv6ExtHdrFragment(offset=2, nh=17) / bytes(16)
    firewall.refused("untrusted", error(later6, 3, 1), "icmp_malformed")


@pytest.mark.parametrize("version", [4, 6])
def test_rfc5508_errors_neither_refresh_nor_answer_nor_end(make_box, version):
    firewall = Firewall(make_box, udp_timeout=20, pending_timeout=20)
    kind = {4: 3, 6: 1}[version]
    firewall.out(udp(version))
    firewall.advance(15)
    firewall.back(error(udp(version), kind))
    firewall.back(answer(udp(version)))  # not ended
    firewall.advance(15)
    firewall.back(error(udp(version), kind))
    firewall.advance(6)
    firewall.refused("untrusted", answer(udp(version)), "default")  # not refreshed


def test_neighbour_discovery_passes_from_its_own_link_alone(make_box):
    firewall = Firewall(make_box, ["drop any"])  # no rule speaks of it
    local = IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    for message in (
        local / ICMPv6ND_RS(), local / ICMPv6ND_RA(),
        IPv6(src="::", dst="ff02::1:ff00:7", hlim=255) / ICMPv6ND_NS(tgt=OUTSIDE6),
        IPv6(src="fe80::1", dst="fe80::2", hlim=255) / ICMPv6ND_NA(tgt=OUTSIDE6),
        *(raw6(kind, hop_limit=255) for kind in NEIGHBOURS6),
    ):  # fmt: skip
        firewall.out(message)
        firewall.back(message)
    for kind in NEIGHBOURS6:
        firewall.refused("untrusted", raw6(kind, hop_limit=254), "bad_neighbour")


def test_multicast_listeners_are_heard_from_their_own_link_alone(make_box):
    firewall = Firewall(make_box, ["drop any"])
    for kind in LISTENERS6:
        firewall.out(raw6(kind, "fe80::1", 1), raw6(kind, "::", 1, "ff02::16"))
        firewall.refused("untrusted", raw6(kind, "fe80::1", 2), "bad_neighbour")
        firewall.refused("untrusted", raw6(kind, INSIDE6, 1), "bad_neighbour")
    header = IPv6(src="fe80::1", dst="ff02::16", hlim=1)
    report = icmpv6(143, 0, bytes(4), header)
    header.nh = 0  # as hosts send it, behind a router alert
    firewall.out(header / IPv6ExtHdrHopByHop(nh=58, options=RouterAlert()) / report)
