# SPDX-License-Identifier: BSD-3-Clause
"""Two WAN optimizers and the line between them: what arrives is what was sent, and less crosses."""

from __future__ import annotations

import random
import subprocess

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import ARP, Dot1Q, Ether

from tests.elements.wan_pair import (
    KEY,
    SEGMENT,
    SHIM,
    Pair,
    by_flow,
    frame,
    is_encoded,
    payload_start,
    stream,
)

WORKERS = [1, 2, 4]


def content(seed: int, segments: int = 40) -> bytes:
    """Bytes in which nothing comes twice."""
    return random.Random(seed).randbytes(segments * SEGMENT)


def crossed_bytes(pair: Pair) -> int:
    total = sum(len(raw) for raw in pair.crossed)
    pair.crossed.clear()
    return total


@pytest.mark.parametrize(("workers", "kinds"), [
    (1, {}), (2, {}), (4, {}), (1, {"six": True}), (2, {"udp": True}),
    (4, {"udp": True, "six": True})])  # fmt: skip
def test_what_was_sent_before_crosses_as_references(make_box, workers, kinds):
    pair = Pair(make_box, workers)
    first = stream(content(1), flow=1, **kinds)
    assert pair.send(first) == first
    assert crossed_bytes(pair) == sum(map(len, first))
    pair.advance(0.1)
    second = stream(content(1), flow=2, **kinds)
    assert pair.send(second) == second
    assert all(is_encoded(raw) for raw in pair.crossed)
    assert crossed_bytes(pair) < 0.1 * sum(map(len, second))
    assert pair.near.drops() == pair.far.drops() == {}


@pytest.mark.parametrize(("workers", "far_workers"), [(1, 4), (4, 2)])
def test_the_boxes_may_have_other_numbers_of_workers(make_box, workers, far_workers):
    pair = Pair(make_box, workers, far_workers)
    for flow in range(1, 4):
        frames = stream(content(1), flow=flow)
        assert pair.send(frames) == frames
        pair.advance(0.1)
    totals = pair.totals(pair.near)
    assert totals["encoded_packets"] == 80
    assert pair.totals(pair.far)["missed_packets"] == 0


@pytest.mark.parametrize("shift", [1, 37, 700])
def test_the_same_bytes_elsewhere_in_a_packet_are_found(make_box, shift):
    pair = Pair(make_box)
    pair.send(stream(content(1), flow=1))
    pair.advance(0.1)
    crossed_bytes(pair)
    moved = stream(bytes(shift) + content(1), flow=2, size=1300)
    assert pair.send(moved) == moved
    assert crossed_bytes(pair) < 0.25 * sum(map(len, moved))


def test_changed_bytes_cost_little(make_box):
    pair = Pair(make_box, 2)
    pair.send(stream(content(1), flow=1))
    pair.advance(0.1)
    crossed_bytes(pair)
    changed = bytearray(content(1))
    for at in range(100, len(changed), 1000):
        changed[at] ^= 255
    frames = stream(bytes(changed), flow=2)
    assert pair.send(frames) == frames
    assert crossed_bytes(pair) < 0.35 * sum(map(len, frames))


def test_both_ways_at_once(make_box):
    pair = Pair(make_box, 2)
    forth, back = stream(content(1), flow=1), stream(content(2), flow=2)
    for _ in range(2):
        assert pair.exchange(forth, back) == (forth, back)
    assert pair.totals(pair.near)["encoded_packets"] == 40
    assert pair.totals(pair.far)["encoded_packets"] == 40


@pytest.mark.parametrize("workers", WORKERS)
def test_order_within_flows_with_raw_and_encoded_packets_mixed(make_box, workers):
    pair = Pair(make_box, workers)
    noise = random.Random(5)
    known = content(1)
    pair.send(stream(known, flow=0))
    pair.advance(0.1)
    frames = []
    for number in range(240):
        at = noise.randrange(len(known) - 900)
        payload = [known[at : at + 900], noise.randbytes(900), b"short"][noise.randrange(3)]
        frames.append(frame(payload, flow=1 + noise.randrange(8), seq=number))
    assert by_flow(pair.send(frames)) == by_flow(frames)
    assert 20 < sum(is_encoded(raw) for raw in pair.crossed) < 200


def test_what_refers_to_a_packet_of_the_same_burst(make_box):
    pair = Pair(make_box)
    frames = []
    for number in range(12):
        payload = content(number, 1)
        frames += [frame(payload, seq=number), frame(payload[200:] + b"end", seq=number)]
    assert pair.send(frames) == frames
    assert [is_encoded(raw) for raw in pair.crossed] == [False, True] * 12
    assert pair.returned == []


def test_no_packet_grows(make_box):
    pair = Pair(make_box)
    noise = random.Random(8)
    known = content(1, 4)
    pair.send(stream(known, flow=0))
    frames = []
    for length in range(64, 1460, 7):
        at = noise.randrange(len(known) - length)
        cut = noise.randrange(length)
        payload = known[at : at + cut] + noise.randbytes(length - cut)
        frames.append(frame(payload, flow=0, seq=length))
    pair.crossed.clear()
    assert pair.send(frames) == frames
    for sent, line in zip(frames, pair.crossed, strict=True):
        assert len(line) < len(sent) if is_encoded(line) else line == sent
    assert 50 < sum(map(is_encoded, pair.crossed)) < len(frames)


def test_another_flows_packet_is_let_settle_first(make_box):
    pair = Pair(make_box, settle_ms=50)
    pair.send(stream(content(1), flow=1))
    pair.send(stream(content(1), flow=2))
    assert not any(map(is_encoded, pair.crossed))
    pair.send(stream(content(1), flow=2))  # its own have come before it on any line
    assert sum(map(is_encoded, pair.crossed)) == 40
    pair.advance(0.06)
    pair.send(stream(content(1), flow=3))
    assert sum(map(is_encoded, pair.crossed)) == 80


def test_what_is_no_whole_packet_with_a_payload_passes_as_it_is(make_box):
    pair = Pair(make_box, 2)
    payload = b"nothing new under the sun " * 30
    header = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    network = IP(src="10.1.0.1", dst="10.2.0.1")
    wrong = bytearray(frame(payload, flow=3))
    wrong[24] ^= 1  # the IPv4 header's checksum
    extended = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrDestOpt()
    odd = network / UDP(sport=1, dport=2, len=100) / payload
    frames = [
        *(frame(payload[:size], flow=2, seq=size) for size in (0, 1, 63)),
        bytes(header / ARP()),
        bytes(header / Dot1Q(vlan=7) / network / UDP() / payload),
        bytes(header / IP(src="10.1.0.1", dst="10.2.0.1", flags="MF") / UDP() / payload),
        bytes(header / IP(src="10.1.0.1", dst="10.2.0.1", frag=8) / payload),
        bytes(header / IP(src="10.1.0.1", dst="10.2.0.1", proto=47) / payload),
        frame(payload, flow=2)[:200],
        bytes(wrong),
        frame(payload, flow=2) + b"trailer",
        bytes(header / extended / UDP() / payload),
        bytes(header / odd),
        b"\x02" * 14,
    ]
    for _ in range(3):
        assert sorted(pair.send(frames)) == sorted(frames)
    assert not any(map(is_encoded, pair.crossed[len(frames) :]))
    assert int(pair.near.table("wan_optimizer", "caches")["packets"].sum()) == 0


def test_digests_are_siphash_as_openssl_makes_it(make_box):
    pair = Pair(make_box)
    for size in (64, 65, 71, 72, 200, 1448):
        payload = random.Random(size).randbytes(size)
        pair.crossed.clear()
        pair.send([frame(payload, seq=1), frame(payload, seq=2)])
        line = pair.crossed[-1]
        assert is_encoded(line)
        shim = payload_start(line)
        command = ["openssl", "mac", "-macopt", f"hexkey:{KEY}", "-macopt", "size:16", "SipHash"]
        told = subprocess.run(command, input=payload, capture_output=True, check=True)
        assert line[shim + 8 : shim + SHIM].hex() == told.stdout.decode().strip().lower()


def test_a_full_cache_forgets_what_is_oldest(make_box):
    pair = Pair(make_box, 2, cache_kib=256)
    old, young = content(1), content(2, 220)
    pair.send(stream(old, flow=1))
    pair.send(stream(young, flow=2))
    for box in (pair.near, pair.far):
        caches = box.table("wan_optimizer", "caches")
        assert (caches["used"] <= caches["size"]).all()
        assert int(caches["size"].sum()) == 2 << 18
    pair.advance(0.1)
    pair.crossed.clear()
    again = stream(old, flow=3)
    assert pair.send(again) == again
    assert not any(map(is_encoded, pair.crossed))
    again = stream(young[-40 * SEGMENT :], flow=4)
    assert pair.send(again) == again
    assert sum(map(is_encoded, pair.crossed)) == 40
    assert pair.returned == []


def test_one_way(make_box):
    pair = Pair(make_box, near={"options": {"role": "encoder"}},
                far={"options": {"role": "decoder"}})  # fmt: skip
    forth, back = stream(content(1), flow=1), stream(content(2), flow=2)
    for _ in range(2):
        assert pair.exchange(forth, back) == (forth, back)
    assert pair.totals(pair.near)["encoded_packets"] == 40
    assert pair.totals(pair.far)["encoded_packets"] == 0
    (line,) = [raw for raw in pair.crossed if is_encoded(raw)][:1]
    pair.near.inject("wan", line)
    assert pair.near.run() == []
    assert pair.near.drops() == {"wan_optimizer": {"role": 1}}


def test_totals_add_up(make_box):
    pair = Pair(make_box, 2)
    frames = stream(content(1), flow=1)
    for _ in range(3):
        pair.send(frames)
    near, far = pair.totals(pair.near), pair.totals(pair.far)
    assert near["lan_packets"] == far["wan_packets"] == 120
    assert near["lan_bytes"] == 3 * sum(map(len, frames))
    assert near["lan_bytes"] - near["saved_bytes"] == far["wan_bytes"]
    assert far["wan_bytes"] == sum(map(len, pair.crossed))
    assert near["encoded_packets"] == far["decoded_packets"] == 80
    assert near["encoded_bytes"] == far["decoded_bytes"] == 2 * sum(map(len, frames))


def test_configuration(make_box):
    def told(**changes: object) -> str:
        with pytest.raises(Exception) as caught:
            Pair(make_box, **changes)
        return str(caught.value)

    assert "lan and wan are the same port" in told(wan="lan")
    assert "32 digits" in told(key="00")
    assert "32 digits" in told(key="g" * 32)
    assert "cache_kib" in told(cache_kib=63)
    assert "payload_min" in told(payload_min=10)
    assert "role" in told(role="neither")
