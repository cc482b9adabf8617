# SPDX-License-Identifier: BSD-3-Clause
"""A line that loses, repeats, reorders and damages; boxes that fail over or begin from nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftmb.testing import Box
from tests.elements.wan_pair import (
    KEY,
    OPTIONS,
    PORTS,
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
REQUEST_KIND = 2


def content(seed: int, segments: int = 40) -> bytes:
    return random.Random(seed).randbytes(segments * SEGMENT)


def is_request(raw: bytes) -> bool:
    return is_encoded(raw) and raw[payload_start(raw)] & 15 == REQUEST_KIND


@pytest.mark.parametrize("workers", WORKERS)
def test_what_was_lost_is_asked_for_and_comes_as_it_was(make_box, workers):
    pair = Pair(make_box, workers)
    pair.line = lambda frames: frames[::3]
    pair.send(stream(content(1), flow=1))
    pair.advance(0.1)
    pair.line = lambda frames: frames
    pair.crossed.clear()
    again = stream(content(1), flow=2)
    assert sorted(pair.send(again)) == sorted(again)
    assert all(map(is_request, pair.returned))
    far, near = pair.totals(pair.far), pair.totals(pair.near)
    assert far["missed_packets"] == near["requests"] == near["copies"] == len(pair.returned) > 0
    assert sum(raw in again for raw in pair.crossed) == near["copies"]
    once_more = stream(content(1), flow=3)
    pair.advance(0.1)
    pair.returned.clear()
    assert pair.send(once_more) == once_more
    assert pair.returned == []


def test_what_the_other_box_lacks_is_not_referred_to_again(make_box):
    pair = Pair(make_box)
    known, other = content(1, 1), content(2, 1)
    pair.line = lambda frames: []
    pair.send([frame(known)])
    pair.line = lambda frames: frames
    half = [frame(known[:700] + other[at : at + 700], seq=1 + at) for at in (0, 700)]
    for raw in half:
        assert pair.send([raw]) == [raw]
    assert len(pair.returned) == 1
    assert pair.send([frame(known, seq=9)]) == [frame(known, seq=9)]
    assert len(pair.returned) == 1


def test_a_lost_request_or_answer_is_the_transports_matter(make_box):
    pair = Pair(make_box)
    pair.line = lambda frames: []
    pair.send([frame(content(1, 1), seq=1)])
    pair.line = lambda frames: [raw for raw in frames if not is_request(raw)]
    assert pair.send([frame(content(1, 1), seq=1)]) == []
    pair.line = lambda frames: frames
    assert pair.send([frame(content(1, 1), seq=1)]) == [frame(content(1, 1), seq=1)]


def test_a_request_for_what_is_gone_is_counted(make_box):
    pair = Pair(make_box, cache_kib=128)
    pair.line = lambda frames: []
    pair.send([frame(content(1, 1), seq=1)])
    pair.line = lambda frames: frames
    pair.near.inject("lan", frame(content(1, 1), seq=1))
    ((_, encoded),) = pair.near.run()
    pair.far.inject("wan", encoded)
    ((port, request),) = pair.far.run()
    assert port == "wan" and is_request(request)
    pair.send(stream(content(2, 120), flow=5))
    pair.near.inject("wan", request)
    assert pair.near.run() == []
    assert pair.near.drops() == {"wan_optimizer": {"gone": 1}}


@pytest.mark.parametrize("workers", WORKERS)
def test_repeated_and_reordered(make_box, workers):
    noise = random.Random(3)

    def restless(frames: list[bytes]) -> list[bytes]:
        mixed = frames + [raw for raw in frames if noise.random() < 0.2 and not is_request(raw)]
        noise.shuffle(mixed)
        return mixed

    pair = Pair(make_box, workers)
    pair.line = restless
    for flow in range(1, 5):
        frames = stream(content(flow // 3), flow=flow)
        arrived = Counter(pair.send(frames))
        assert set(arrived) == set(frames)
        pair.advance(0.1)


def test_damage_never_brings_wrong_bytes(make_box):
    pair = Pair(make_box, 2)
    pair.send(stream(content(1), flow=1))
    pair.advance(0.1)
    edited = bytearray(content(1))
    for at in range(300, len(edited), 500):
        edited[at] ^= 1
    for raw in stream(bytes(edited), flow=2):
        pair.near.inject("lan", raw)
    encoded = [raw for _, raw in pair.near.run() if is_encoded(raw)]
    assert len(encoded) == 40
    noise = random.Random(4)
    payloads = {raw[payload_start(raw) :] for raw in stream(bytes(edited), flow=2)}
    delivered = 0
    for raw in encoded * 6:
        damaged = bytearray(raw)
        shim = payload_start(raw)
        for _ in range(noise.randrange(1, 4)):
            damaged[noise.randrange(shim, len(raw))] ^= 1 << noise.randrange(8)
        pair.far.inject("wan", bytes(damaged[: noise.choice([len(raw), len(raw), len(raw) - 1])]))
    for port, raw in pair.far.run():
        if port == "lan":
            delivered += 1
            assert raw[payload_start(raw) :] in payloads
        else:
            assert is_request(raw)
    drops = pair.far.drops()["wan_optimizer"]
    missed = pair.totals(pair.far)["missed_packets"]
    assert set(drops) <= {"malformed", "version"} and drops["malformed"] > 0
    assert delivered + sum(drops.values()) + missed == 240
    assert missed > 50


@pytest.mark.parametrize("workers", [1, 4])
def test_a_far_box_that_lost_all_it_knew(make_box, workers):
    pair = Pair(make_box, workers)
    known = stream(content(1), flow=1)
    for _ in range(2):
        pair.send(known)
    back = stream(content(2), flow=9)
    pair.exchange([], back)
    pair.exchange([], back)
    pair.replace_far()
    pair.near.advance(1.0)
    again = stream(content(1), flow=2)
    assert sorted(pair.send(again)) == sorted(again)
    first = pair.totals(pair.near)
    assert 0 < first["copies"] <= 40
    pair.advance(0.1)
    pair.crossed.clear()
    others = stream(content(1), flow=3)
    assert sorted(pair.send(others)) == sorted(others)
    assert first["peer_restarts"] == 1
    assert pair.totals(pair.near)["copies"] == first["copies"]
    assert sum(map(is_encoded, pair.crossed)) == 40


def test_after_a_restart_of_the_far_box_nothing_older_is_referred_to(make_box):
    pair = Pair(make_box)
    pair.send(stream(content(1), flow=1))
    pair.send(stream(content(1), flow=1))
    back = [frame(content(3, 1), flow=7, seq=at) for at in range(2)]
    pair.exchange([], back)  # the far box tells its generation
    assert pair.totals(pair.near)["peer_restarts"] == 0
    pair.replace_far()
    pair.near.advance(1.0)
    pair.exchange([], back)
    assert pair.totals(pair.near)["peer_restarts"] == 1
    pair.crossed.clear()
    again = stream(content(1), flow=2)
    assert pair.send(again) == again
    assert not any(map(is_encoded, pair.crossed))


@pytest.fixture
def boxes() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize(("near", "far"), [(True, False), (False, True), (True, True)])
def test_failing_over_at_either_end(boxes, near, far, workers):
    def make(*arguments, **options):
        return boxes.enter_context(Box(*arguments, **options))

    pair = Pair(make, workers, near={"fails_over": near}, far={"fails_over": far})
    for flow in range(1, 4):
        frames = stream(content(flow // 2, 64), flow=flow)
        assert pair.send(frames) == frames
        pair.advance(0.1)
    assert pair.totals(pair.near)["encoded_packets"] == 64
    assert pair.returned == []
    assert (pair.near.failovers, pair.far.failovers) == (6 * near, 6 * far)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_the_lan_must_not_send_and_the_wan_may_not_make(make_box, workers):
    pair = Pair(make_box, workers)
    raw = frame(content(1, 1), seq=1)
    pair.send([raw])
    pair.crossed.clear()
    pair.send([raw])
    (encoded,) = pair.crossed
    shim = payload_start(encoded)
    version, kind, short = bytearray(encoded), bytearray(encoded), encoded[: shim + SHIM - 1]
    version[shim] = 0x21
    kind[shim] = 0x15
    fragment = bytearray(encoded)
    fragment[20] = 0x20
    pair.near.inject("lan", encoded)
    assert pair.near.run() == []
    assert pair.near.drops() == {"wan_optimizer": {"foreign": 1}}
    for bad in (version, kind, fragment, fix_length(short)):
        pair.far.inject("wan", bytes(bad))
    assert pair.far.run() == []
    assert pair.far.drops() == {"wan_optimizer": {"version": 1, "malformed": 3}}


def fix_length(raw: bytes) -> bytes:
    fixed = bytearray(raw)
    fixed[16:18] = (len(raw) - 14).to_bytes(2, "big")
    return bytes(fixed)


def test_a_third_port(make_box):
    box = make_box([("wan_optimizer", OPTIONS)], [*PORTS, "third"])
    box.inject("third", frame(content(1, 1)))
    assert box.run() == []
    assert box.drops() == {"wan_optimizer": {"other_port": 1}}


def test_another_key_is_another_pair(make_box):
    pair = Pair(make_box, far={"options": {"key": KEY[::-1]}})
    frames = stream(content(1), flow=1)
    for _ in range(2):
        assert pair.send(frames) == frames  # by copies: slow, and right
    assert pair.totals(pair.near)["copies"] == 40


BLOCKS = [content(number, 1)[: 40 + 90 * number] for number in range(12)]
PAYLOADS = st.lists(st.sampled_from([*BLOCKS, b"", b"\0" * 200, b"ab" * 300]), max_size=4)
PACKETS = st.lists(st.tuples(PAYLOADS, st.integers(0, 2), st.booleans(), st.integers(0, 99)),
                   min_size=1, max_size=40)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds=st.lists(PACKETS, min_size=1, max_size=4), workers=st.sampled_from([1, 2, 4]),
       loss=st.integers(0, 3))  # fmt: skip
def test_any_payloads_arrive_as_they_were(rounds, workers, loss):
    with ExitStack() as stack:

        def make(*arguments, **options):
            return stack.enter_context(Box(*arguments, part_mib=64, **options))

        pair = Pair(make, workers, settle_ms=0, cache_kib=256)
        for number, packets in enumerate(rounds):
            frames = [frame(b"".join(parts)[:1400], flow=flow, seq=1000 * number + place, six=six)
                      for place, (parts, flow, six, _) in enumerate(packets)]  # fmt: skip
            keeps = iter([chance >= 10 * loss for *_, chance in packets])
            pair.line = lambda raws, keeps=keeps: [raw for raw in raws if next(keeps, True)]
            arrived = pair.send(frames)
            assert not Counter(arrived) - Counter(frames)
            if loss == 0:
                assert Counter(arrived) == Counter(frames)
                if not pair.returned:
                    assert by_flow(arrived) == by_flow(frames)
            pair.returned.clear()
