# SPDX-License-Identifier: BSD-3-Clause
"""Whatever comes in: dropped for a told reason, nothing lost, nothing wrong let out."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from tests.elements.nat_frames import EXTERNAL, HOST, REMOTE, Nat, echo, error, tcp, udp, verify

GOOD = [
    udp(HOST, 5000, REMOTE, 53),
    udp(REMOTE, 53, EXTERNAL, 2000),
    tcp(HOST, 5000, REMOTE, 80, "S"),
    tcp(REMOTE, 80, EXTERNAL, 2001, "SA"),
    echo(HOST, REMOTE, 7),
    error(REMOTE, udp(EXTERNAL, 2000, REMOTE, 53)),
    error(HOST, udp(REMOTE, 53, HOST, 5000), keep=60),
    error(HOST, echo(REMOTE, HOST, 7, kind=0)),
]

CASES = [
    ("truncated", bytes(Ether() / GOOD[0])[:20]),
    ("truncated", bytes(Ether() / GOOD[0])[:40]),
    ("truncated", b""),
    ("not_ipv4", bytes(Ether() / IPv6() / UDP())),
    ("not_ipv4", bytes(Ether() / ARP())),
    ("not_ipv4", bytes(Ether() / Dot1Q(vlan=5) / GOOD[0])),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE, ihl=4) / UDP())),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE, len=10) / UDP())),
    ("truncated", bytes(Ether() / IP(src=HOST, dst=REMOTE, len=500) / UDP())),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE, proto=17) / Raw(b"1234567"))),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE) / UDP(len=7))),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE) / UDP(len=900))),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE) / TCP(dataofs=4))),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE) / TCP(dataofs=15))),
    ("malformed", bytes(Ether() / IP(src=HOST, dst=REMOTE, proto=1) / Raw(b"\x08\0\0\0\0\0"))),
    ("bad_checksum", bytes(Ether() / IP(src=HOST, dst=REMOTE, chksum=1) / UDP())),
    ("fragment", bytes(Ether() / IP(src=HOST, dst=REMOTE, flags="MF") / UDP())),
    ("fragment", bytes(Ether() / IP(src=HOST, dst=REMOTE, frag=9, proto=17) / Raw(b"x" * 9))),
    ("bad_address", bytes(Ether() / udp(HOST, 1, "224.0.0.5", 2))),
    ("bad_address", bytes(Ether() / udp(HOST, 1, "255.255.255.255", 2))),
    ("bad_address", bytes(Ether() / udp("127.0.0.1", 1, REMOTE, 2))),
    ("bad_address", bytes(Ether() / udp("0.0.0.0", 1, REMOTE, 2))),
    ("bad_address", bytes(Ether() / udp(EXTERNAL, 1, REMOTE, 2))),
    ("land", bytes(Ether() / udp(HOST, 7, HOST, 7))),
    ("land", bytes(Ether() / echo(HOST, HOST, 7))),
    ("bad_port", bytes(Ether() / udp(HOST, 0, REMOTE, 7))),
    ("bad_port", bytes(Ether() / udp(HOST, 7, REMOTE, 0))),
    ("bad_tcp_flags", bytes(Ether() / tcp(HOST, 7, REMOTE, 8, "SF"))),
    ("bad_tcp_flags", bytes(Ether() / tcp(HOST, 7, REMOTE, 8, "SR"))),
    ("bad_tcp_flags", bytes(Ether() / tcp(HOST, 7, REMOTE, 8, ""))),
    ("protocol_unsupported", bytes(Ether() / IP(src=HOST, dst=REMOTE, proto=47) / Raw(b"gre"))),
]


@pytest.mark.parametrize(("reason", "frame"), CASES)
def test_reason_is_counted(make_box, reason, frame):
    nat = Nat(make_box)
    nat.box.inject("inside", frame)
    assert nat.box.run() == []
    assert nat.box.drops() == {"nat": {reason: 1}}


def test_not_ours(make_box):
    Nat(make_box).refused("outside", udp(REMOTE, 53, "203.0.113.77", 2000), "not_external")


def test_checksum_check_is_an_option(make_box):
    nat = Nat(make_box, check_checksum=False)
    nat.box.inject(
        "inside", bytes(Ether() / IP(src=HOST, dst=REMOTE, chksum=1) / UDP(sport=5000, dport=53))
    )
    ((_, raw),) = nat.box.run()
    with pytest.raises(AssertionError):
        verify(raw)  # wrong before, wrong after: nothing is hidden


def with_right_checksum(raw: bytes) -> bytes:
    """So that a changed header gets further than the first check."""
    if len(raw) < 34:
        return raw
    header = bytearray(raw)
    header[24:26] = b"\0\0"
    size = 14 + (header[14] & 15) * 4
    words = header[14:size] + b"\0" * ((size - 14) % 2)
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words) & ~1, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header[24:26] = (total ^ 0xFFFF).to_bytes(2, "big")
    return bytes(header)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    raw = bytearray(bytes(Ether() / draw(st.sampled_from(GOOD))))
    for _ in range(draw(st.integers(0, 4))):
        raw[draw(st.integers(12, len(raw) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.one_of(st.just(len(raw)), st.integers(0, len(raw))))
    changed = bytes(raw[:cut])
    return with_right_checksum(changed) if draw(st.booleans()) else changed


FRAMES = st.lists(
    st.tuples(
        st.sampled_from(["inside", "outside"]), st.one_of(st.binary(max_size=120), mutated())
    ),
    min_size=1,
    max_size=40,
)


def is_answer(raw: bytes) -> bool:
    """A time exceeded made by the NAT, beside the drop of what caused it."""
    packet = Ether(raw)
    return ICMP in packet and packet[ICMP].type == 11 and packet[IP].tos == 0xC0


def test_packets_are_conserved_whatever_they_are(make_box):
    nat = Nat(make_box, filtering="endpoint-independent", sessions_max=64)
    totals = {"in": 0, "out": 0}

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(FRAMES)
    def run(frames: list[tuple[str, bytes]]) -> None:
        for port, raw in frames:
            nat.box.inject(port, raw)
        released = nat.box.run()
        totals["in"] += len(frames)
        totals["out"] += sum(not is_answer(raw) for _, raw in released)
        assert totals["out"] + sum(nat.box.drops().get("nat", {}).values()) == totals["in"]

    run()
