# SPDX-License-Identifier: BSD-3-Clause
"""The default steering: both directions of a flow on one worker, any bytes survived."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Ether

from ftmb._native.check import lib

addresses = st.ip_addresses(v=4).map(str)
addresses6 = st.ip_addresses(v=6).map(str)
ports = st.integers(0, 65535)


def hash_of(frame: bytes) -> int:
    return int(lib.steering_hash(frame, len(frame)))


def ethernet(packet: object, kind: int) -> bytes:
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=kind) / packet)


@settings(max_examples=200, deadline=None)
@given(addresses, addresses, ports, ports, st.sampled_from([TCP, UDP]))
def test_ipv4_is_symmetric(a: str, b: str, p: int, q: int, kind: type) -> None:
    there = ethernet(IP(src=a, dst=b) / kind(sport=p, dport=q), 0x0800)
    back = ethernet(IP(src=b, dst=a) / kind(sport=q, dport=p), 0x0800)
    assert hash_of(there) == hash_of(back) != 0


@settings(max_examples=100, deadline=None)
@given(addresses6, addresses6, ports, ports)
def test_ipv6_is_symmetric(a: str, b: str, p: int, q: int) -> None:
    there = ethernet(IPv6(src=a, dst=b) / UDP(sport=p, dport=q), 0x86DD)
    back = ethernet(IPv6(src=b, dst=a) / UDP(sport=q, dport=p), 0x86DD)
    assert hash_of(there) == hash_of(back) != 0


def test_what_a_wan_optimizer_encoded_stays_with_its_flow() -> None:
    four, six = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")
    for network, kind, place in ((four, 0x0800, 23), (six, 0x86DD, 20)):
        for transport, number in ((TCP, 253), (UDP, 254)):
            raw = ethernet(network / transport(sport=5, dport=6), kind)
            encoded = raw[:place] + bytes([number]) + raw[place + 1 :]
            assert hash_of(encoded) == hash_of(raw)


def test_fragments_of_a_packet_stay_together() -> None:
    first = ethernet(IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / UDP(sport=1, dport=2), 0x0800)
    later = ethernet(IP(src="10.0.0.1", dst="10.0.0.2", frag=8, proto=17) / (b"x" * 64), 0x0800)
    assert hash_of(first) == hash_of(later)


@pytest.mark.parametrize("kind", [3, 4, 5, 11, 12])
def test_an_error_goes_where_its_flow_goes(kind: int) -> None:
    flow = IP(src="10.0.0.1", dst="198.51.100.7") / TCP(sport=5000, dport=80)
    error = IP(src="192.0.2.1", dst="10.0.0.1") / ICMP(type=kind) / bytes(flow)[:28]
    assert hash_of(ethernet(error, 0x0800)) == hash_of(ethernet(flow, 0x0800))


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_so_does_one_of_ipv6(kind: int) -> None:
    flow = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5000, dport=53)
    message = bytes([kind, 0, 0, 0, 0, 0, 0, 0]) + bytes(flow)
    error = IPv6(src="2001:db8::9", dst="2001:db8::1", nh=58) / message
    assert hash_of(ethernet(error, 0x86DD)) == hash_of(ethernet(flow, 0x86DD))


def test_answers_to_pings_are_no_errors() -> None:
    ping = IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8) / (b"x" * 40)
    answer = IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=0) / (b"y" * 40)
    assert hash_of(ethernet(ping, 0x0800)) == hash_of(ethernet(answer, 0x0800))


def test_extension_headers_are_stepped_over() -> None:
    plain = IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5000, dport=53)
    extended = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrHopByHop()
    extended = extended / IPv6ExtHdrDestOpt() / UDP(sport=5000, dport=53)
    assert hash_of(ethernet(plain, 0x86DD)) == hash_of(ethernet(extended, 0x86DD))


def test_a_quoted_first_part_has_ports_and_a_later_one_has_not() -> None:
    flow = IP(src="10.0.0.1", dst="198.51.100.7") / UDP(sport=5000, dport=53) / b"data"
    first = IP(src="10.0.0.1", dst="198.51.100.7", flags="MF") / UDP(sport=5000, dport=53)
    error = IP(src="192.0.2.1", dst="10.0.0.1") / ICMP(type=11, code=1) / bytes(first)
    assert hash_of(ethernet(error, 0x0800)) == hash_of(ethernet(flow, 0x0800))
    assert hash_of(ethernet(first, 0x0800)) != hash_of(ethernet(flow, 0x0800))


def test_flows_spread() -> None:
    hashes = [
        hash_of(ethernet(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=p, dport=53), 0x0800))
        for p in range(1, 1001)
    ]
    shares = [0] * 4
    for value in hashes:
        shares[value * 4 >> 32] += 1
    assert min(shares) > 150


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_survived(frame: bytes) -> None:
    hash_of(frame)


def test_what_is_no_ip_has_no_hash() -> None:
    assert hash_of(ethernet(b"x" * 50, 0x0806)) == 0
    assert hash_of(b"short") == 0
