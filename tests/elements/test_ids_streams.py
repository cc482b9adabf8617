# SPDX-License-Identifier: BSD-3-Clause
"""TCP: patterns over segments, however these come; every test also with failovers on the way."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.elements.ids_frames import Conversation, Ids, rule

PATTERN = b"attack-in-two-halves"
FINDS = rule(f'msg:"halves"; content:"{PATTERN.decode()}";')
WORKERS = pytest.mark.parametrize("workers", [1, 2, 4])


@WORKERS
@pytest.mark.parametrize("version", [4, 6])
def test_half_before_the_crash_and_half_after_it_alert_once(make_box, workers, version):
    ids = Ids(make_box, [FINDS], workers)
    talks = [Conversation(version, sport=40000 + index) for index in range(8)]
    for cut, talk in enumerate(talks, start=1):
        ids.passes(*talk.open())
        ids.passes(talk.client(b"x" * cut + PATTERN[:cut]))
    assert ids.sids() == []
    ids.box.fail_over()  # whatever the fixture does besides
    for cut, talk in enumerate(talks, start=1):
        ids.passes(talk.client(PATTERN[cut:] + b"y"))
    alerts = {(alert["src_port"], alert["alert"]["signature"]) for alert in ids.alerts}
    assert alerts == {(40000 + index, "halves") for index in range(8)}
    assert ids.sids() == [1] * 8
    ids.passes(*(talk.client(b"nothing") for talk in talks))
    assert ids.sids() == []


@WORKERS
def test_a_byte_a_segment_with_a_failover_after_each(make_box, workers):
    ids = Ids(make_box, [FINDS], workers)
    talk = Conversation()
    ids.passes(*talk.open())
    for round_ in range(3):
        for place in range(len(PATTERN)):
            ids.passes(talk.client(PATTERN[place : place + 1]))
            if place % 4 == round_:
                ids.box.fail_over()
        assert ids.sids() == [1]
    assert ids.box.failovers >= 15


def test_both_directions_have_streams_of_their_own(make_box):
    ids = Ids(make_box, [
        rule('content:"abcdef"; flow:to_server;', 1),
        rule('content:"abcdef"; flow:to_client;', 2),
        rule('content:"abcdef";', 3),
    ])  # fmt: skip
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(b"abc"), talk.server(b"def"), talk.server(b"abc"))
    assert ids.sids() == []
    ids.passes(talk.client(b"def"))
    assert ids.sids() == [1, 3]
    ids.passes(talk.server(b"def"))
    assert ids.sids() == [2, 3]


@pytest.mark.parametrize("start", [1000, 2**32 - 10, 2**32 - 1])
def test_segments_out_of_order_wait_and_numbers_wrap(make_box, start):
    ids = Ids(make_box, [FINDS])
    talk = Conversation(client_sequence=start)
    ids.passes(*talk.open())
    parts = [talk.client(PATTERN[at : at + 4]) for at in range(0, len(PATTERN), 4)]
    ids.passes(*reversed(parts[1:]))
    assert ids.sids() == []
    ids.passes(parts[0])
    assert ids.sids() == [1]
    ids.passes(*parts)  # all of it again brings nothing new
    assert ids.sids() == []


def test_what_came_first_stands(make_box):
    ids = Ids(make_box, [FINDS, rule('content:"innocent";', 2)])
    talk = Conversation()
    ids.passes(*talk.open())
    first = talk.next[0]
    ids.passes(talk.segment(0, "A", PATTERN[8:], first + 8))  # early
    ids.passes(talk.segment(0, "A", b"innocent-xxxxxxxxxxxxxxxxx", first + 8))  # the same place
    ids.passes(talk.segment(0, "A", PATTERN[:8], first))
    assert ids.sids() == [1]
    later = first + 8 + len(b"innocent-xxxxxxxxxxxxxxxxx")
    ids.passes(talk.segment(0, "A", b"innocent", first))  # looked at already
    assert ids.sids() == []
    ids.passes(talk.segment(0, "A", b"x innocent", later))
    assert ids.sids() == [2]


def test_what_the_receiver_has_and_we_never_saw_is_a_gap(make_box):
    ids = Ids(make_box, [FINDS])
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(PATTERN[:5]))
    missing = talk.next[0]
    talk.next[0] += 100
    ids.passes(talk.client(PATTERN[5:]))  # waits: it could be that the 100 bytes come
    ids.passes(talk.segment(1, "A", acknowledged=talk.next[0]))
    ids.passes(talk.client(b"x"))
    assert ids.sids() == []  # the halves around the gap do not count
    ids.passes(talk.client(PATTERN))
    assert ids.sids() == [1]
    ids.passes(talk.segment(0, "A", PATTERN, missing))
    assert ids.sids() == []


def test_behind_a_gap_there_is_no_beginning(make_box):
    ids = Ids(make_box, [rule('content:"start"; startswith; flow:only_stream;', 2)])
    talk = Conversation()
    ids.passes(*talk.open())
    talk.next[0] += 100
    ids.passes(talk.segment(1, "A", acknowledged=talk.next[0]))
    ids.passes(talk.client(b"start"))
    assert ids.sids() == []
    other = Conversation(sport=40001)
    ids.passes(*other.open(), other.client(b"start"))
    assert ids.sids() == [2]


def test_a_connection_without_a_beginning_is_looked_at_packet_by_packet(make_box):
    ids = Ids(make_box, [FINDS, rule('content:"attack"; flow:only_stream;', 2)])
    talk = Conversation()
    ids.passes(talk.client(b"xx" + PATTERN))
    assert ids.sids() == [1]
    ids.passes(talk.client(PATTERN[:9]), talk.client(PATTERN[9:]))
    assert ids.sids() == []


def test_a_connection_is_picked_up(make_box):
    ids = Ids(make_box, [FINDS, rule('content:"attack"; startswith; flow:only_stream;', 2)],
              pick_up=True)  # fmt: skip
    talk = Conversation()
    ids.passes(talk.client(PATTERN[:9]), talk.client(PATTERN[9:]))
    assert ids.sids() == [1]


def test_a_new_connection_between_the_same_ports(make_box):
    ids = Ids(make_box, [FINDS])
    for ending in ("close", "reset"):
        talk = Conversation()
        ids.passes(*talk.open(), talk.client(PATTERN[:9]))
        ids.passes(*(talk.close() if ending == "close" else [talk.segment(1, "RA")]))
        again = Conversation(client_sequence=5_000_000, server_sequence=7_000_000)
        ids.passes(*again.open(), again.client(PATTERN[9:]))
        assert ids.sids() == []
        ids.passes(again.client(PATTERN), again.segment(0, "RA"))
        assert ids.sids() == [1]


def test_behind_the_depth_nothing_is_looked_at(make_box):
    ids = Ids(make_box, [FINDS], stream_depth=100)
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(b"x" * 90), talk.client(PATTERN[:10]))
    ids.passes(talk.client(PATTERN[10:]), talk.client(PATTERN))
    assert ids.sids() == []
    ids.passes(talk.server(PATTERN))
    assert ids.sids() == [1]


def test_no_place_for_early_segments(make_box):
    ids = Ids(make_box, [FINDS], reorder_max=50)
    talk = Conversation()
    ids.passes(*talk.open())
    at = talk.next[0]
    ids.passes(talk.segment(0, "A", PATTERN, at + 40))  # too far: looked at alone
    assert ids.sids() == [1]
    ids.passes(talk.segment(0, "A", PATTERN[10:], at + 10))
    assert ids.sids() == []
    ids.passes(talk.segment(0, "A", PATTERN[:10], at))
    assert ids.sids() == [1]


def test_without_blocks_streams_begin_anew_and_alerts_still_come(make_box):
    ids = Ids(make_box, [FINDS], blocks_max=16)
    talks = [Conversation(sport=41000 + index) for index in range(64)]
    for talk in talks:
        ids.passes(*talk.open(), talk.client(PATTERN[:9]))
    ids.passes(*(talk.client(PATTERN) for talk in talks))
    assert ids.sids() == [1] * 64


def test_more_flows_than_there_is_place_for(make_box):
    ids = Ids(make_box, [FINDS, rule('content:"attack"; flow:established;', 2)], flows_max=16)
    talks = [Conversation(sport=42000 + index) for index in range(40)]
    for talk in talks:
        ids.passes(*talk.open())
    ids.passes(*(talk.client(PATTERN) for talk in talks))
    assert ids.sids() == [1] * 40 + [2] * 16
    ids.advance(700)
    talk = Conversation(sport=43000)
    ids.passes(*talk.open(), talk.client(PATTERN))
    assert ids.sids() == [1, 2]


@pytest.mark.parametrize("seed", range(6))
def test_any_cutting_order_and_repetition_finds_the_same(make_box, seed):
    """The text is sent whole on one connection and torn to pieces on another."""
    chance = random.Random(seed)
    rules = [
        FINDS,
        rule('content:"ab"; content:"cd"; distance:2; within:8;', 2),
        rule('content:"AB"; nocase; content:!"zz"; content:"|0a 0d|";', 3),
        rule('pcre:"/a[bc]+d{2,3}x/i";', 4),
        rule('content:"q"; content:!"|00|"; within:20;', 5),
        rule('content:"b"; offset:3; depth:30; flow:only_stream;', 6),
    ]
    ids = Ids(make_box, rules, reorder_max=100000)
    text = bytearray(chance.choices(b"abcdxzq\x00\n\r", k=300))
    text[100:100] = PATTERN
    whole, torn = Conversation(sport=40001), Conversation(sport=40002)
    ids.passes(*whole.open(), *torn.open())
    ids.passes(whole.client(bytes(text)))
    expected = sorted({alert["alert"]["signature_id"] for alert in ids.alerts})
    assert 1 in expected
    ids.alerts.clear()
    cuts = sorted({0, len(text), *(chance.randrange(len(text)) for _ in range(15))})
    start = torn.next[0]
    pieces = [
        torn.segment(0, "A", bytes(text[a:b]), start + a) for a, b in itertools.pairwise(cuts)
    ]
    pieces += chance.choices(pieces, k=5)
    chance.shuffle(pieces)
    for at in range(0, len(pieces), 3):
        ids.passes(*pieces[at : at + 3])
    found = {alert["alert"]["signature_id"] for alert in ids.alerts}
    assert found - {3} == set(expected) - {3}  # "zz" may come after the rest here
