# SPDX-License-Identifier: BSD-3-Clause
"""What a match does: alerts, drops, passes, thresholds; and what happens to packets unseen."""

from __future__ import annotations

import json

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from tests.elements.ids_frames import (  # fmt: skip
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    Conversation,
    Ids,
    ether,
    rule,
    udp,
)

UDP_HEAD = "udp any any -> any any"
WORKERS = pytest.mark.parametrize("workers", [1, 2, 4])


def test_an_alert_says_what_matched(make_box):
    text = (
        'msg:"say \\"hi\\" \\; \\\\ naïve"; category:"Bad \\"Things\\""; priority:2; rev:7; gid:3;'
    )
    ids = Ids(make_box, [rule(text + ' content:"a";', 9, UDP_HEAD, "drop")])
    assert ids.send(udp(b"a", sport=4444, version=6)) == []
    (alert,) = ids.alerts
    assert alert.pop("time_ns") > 0
    assert 0 < alert.pop("flow_id") < 2**53
    assert alert == {
        "event_type": "alert",
        "src_ip": CLIENT6,
        "src_port": 4444,
        "dest_ip": SERVER6,
        "dest_port": 53,
        "proto": "UDP",
        "alert": {
            "action": "blocked",
            "gid": 3,
            "signature_id": 9,
            "rev": 7,
            "signature": 'say "hi" ; \\ naïve',
            "category": 'Bad "Things"',
            "severity": 2,
        },
    }


def test_the_longest_alert_fits(make_box):
    longest = rule('msg:"' + '\\"' * 512 + '"; category:"' + '\\"' * 128 + '"; gid:4294967295; '
                   'rev:4294967295; priority:255; content:"a";', 4294967295, UDP_HEAD)  # fmt: skip
    ids = Ids(make_box, [longest])
    ids.passes(udp(b"a", sport=65535, dport=65534, version=6))
    assert ids.alerts[0]["alert"]["signature"] == '"' * 512
    assert ids.sids() == [4294967295]


def test_alerts_of_one_flow_share_its_number(make_box):
    ids = Ids(make_box, [rule('content:"a";', 1, UDP_HEAD)], 2)
    ids.passes(udp(b"a"), udp(b"a", side=1), udp(b"a", sport=5001))
    numbers = [alert["flow_id"] for alert in ids.alerts]
    assert len(numbers) == 3
    assert len(set(numbers)) == 2


def test_what_matched_in_a_stream_drops_the_rest_of_the_flow(make_box):
    ids = Ids(make_box, [rule('content:"attack";', 1, action="drop"), rule('content:"a";', 2)])
    talk, other = Conversation(), Conversation(sport=40001)
    ids.passes(*talk.open(), *other.open(), talk.client(b"atta"))
    assert ids.sids() == [2]
    assert ids.send(talk.client(b"ck")) == []
    assert ids.send(talk.client(b"a"), talk.server(b"a")) == []
    assert ids.sids() == [1]
    ids.passes(other.client(b"b"))
    assert ids.drops() == {"rule": 1, "flow_dropped": 2}


def test_what_matched_in_a_packet_drops_that_packet(make_box):
    ids = Ids(make_box, [rule('content:"attack";', 1, UDP_HEAD, "drop")])
    assert ids.send(udp(b"attack")) == []
    ids.passes(udp(b"peace"))
    assert ids.send(udp(b"attack")) == []
    assert ids.sids() == [1, 1]
    assert ids.drops() == {"rule": 2}


def test_pass_comes_before_drop_and_drop_before_alert(make_box):
    rules = [
        rule('content:"a";', 1, UDP_HEAD, "alert"),
        rule('content:"a";', 2, UDP_HEAD, "drop"),
        rule('content:"ab";', 3, UDP_HEAD, "pass"),
    ]
    ids = Ids(make_box, rules)
    ids.passes(udp(b"ab"))
    assert ids.sids() == []
    assert ids.send(udp(b"a")) == []
    assert [alert["alert"]["signature_id"] for alert in ids.alerts] == [2, 1]
    assert [alert["alert"]["action"] for alert in ids.alerts] == ["blocked", "allowed"]


def test_a_stream_that_may_pass_is_not_looked_at_any_more(make_box):
    ids = Ids(make_box, [rule('content:"friend";', 1, action="pass"), rule('content:"x";', 2)])
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(b"x fri"))
    assert ids.sids() == [2]
    ids.passes(talk.client(b"end x"), talk.client(b"x"), talk.server(b"x"))
    assert ids.sids() == []


LIMITS = [
    ("threshold:type limit, track by_src, count 2, seconds 10;", [1, 1, 0, 0, 0]),
    ("threshold:type threshold, track by_dst, count 2, seconds 10;", [0, 1, 0, 1, 0]),
    ("threshold:type both, track by_both, count 3, seconds 10;", [0, 0, 1, 0, 0]),
    ("detection_filter:track by_rule, count 3, seconds 10;", [0, 0, 0, 1, 1]),
]


@WORKERS
def test_thresholds_count_on_all_workers_together(make_box, workers):
    rules = [
        rule(f'content:"a"; {option}', sid, UDP_HEAD)
        for sid, (option, _) in enumerate(LIMITS, start=1)
    ]
    ids = Ids(make_box, rules, workers)
    for round_ in range(2):
        for index in range(len(LIMITS[0][1])):
            ids.passes(udp(b"a", sport=6000 + 7 * index))  # other flows, so other workers
            expected = [sid for sid, (_, counts) in enumerate(LIMITS, start=1) if counts[index]]
            assert ids.sids() == expected, (round_, index)
        ids.advance(11)


def test_thresholds_track_who_they_say(make_box):
    limit = "threshold:type limit, track {}, count 1, seconds 60;"
    ids = Ids(make_box, [
        rule('content:"a"; ' + limit.format(track), sid, UDP_HEAD)
        for sid, track in enumerate(("by_src", "by_dst", "by_both", "by_rule"), start=1)
    ])  # fmt: skip
    for sent, expected in (
        (udp(b"a"), [1, 2, 3, 4]),
        (udp(b"a"), []),
        (udp(b"a", side=1), [1, 2, 3]),
        (udp(b"a", version=6), [1, 2, 3]),
    ):
        ids.passes(sent)
        assert ids.sids() == expected


def test_below_its_threshold_a_rule_does_not_drop(make_box):
    counted = "track by_src, count 2, seconds 60;"
    ids = Ids(make_box, [
        rule(f'content:"f"; detection_filter:{counted}', 1, UDP_HEAD, "drop"),
        rule(f'content:"l"; threshold:type limit, {counted}', 2, UDP_HEAD, "drop"),
    ])  # fmt: skip
    ids.passes(udp(b"f"), udp(b"f"))
    assert ids.send(udp(b"f")) == []
    assert ids.sids() == [1]
    for _ in range(4):
        assert ids.send(udp(b"l")) == []
    assert ids.sids() == [2, 2]


@WORKERS
def test_more_alerts_than_a_burst_has_room_for_wait_their_turn(make_box, workers):
    rules = [rule(f'content:"{chr(97 + index)}";', index + 1, UDP_HEAD) for index in range(20)]
    ids = Ids(make_box, rules, workers)
    everything = bytes(range(97, 117))
    ids.passes(*(udp(everything, sport=7000 + index) for index in range(40)))
    ids.drain()
    assert ids.sids() == sorted(list(range(1, 21)) * 40)
    assert "worker" not in ids.box.drops()


def test_alerts_beyond_the_queue_are_counted(make_box):
    rules = [rule(f'content:"{chr(97 + index)}";', index + 1, UDP_HEAD) for index in range(20)]
    ids = Ids(make_box, rules, alerts_max=16)
    ids.passes(udp(bytes(range(97, 117))))
    assert ids.sids() == list(range(1, 17))
    ids.passes(udp(b"t"))
    assert ids.sids() == [20]


def test_alerts_leave_exactly_once_over_many_failovers(make_box):
    ids = Ids(make_box, [rule('content:"mark";', 1, UDP_HEAD)], 4)
    for round_ in range(12):
        for index in range(30):
            ids.box.inject(*udp(b"mark", sport=8000 + 30 * round_ + index))
        ids.box.step()
        ids.box.fail_over()
        ids.take(ids.box.run())
    ids.drain()
    assert sorted(alert["src_port"] for alert in ids.alerts) == list(range(8000, 8360))


# ---- What is not looked into ----


def test_what_is_no_ip_passes(make_box):
    ids = Ids(make_box, [rule("", 1, "ip any any -> any any")])
    ids.passes(
        ("inside", bytes(Ether() / ARP())), ("outside", bytes(Ether(type=0x88CC) / Raw(b"x" * 9)))
    )
    assert ids.sids() == []


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("choice", ["drop", "pass"])
def test_fragments(make_box, choice, version):
    ids = Ids(make_box, [rule('content:"attack";', 1, UDP_HEAD)], fragments=choice)
    if version == 4:
        whole = IP(src=CLIENT, dst=SERVER) / UDP(sport=1, dport=2) / Raw(b"attack" * 20)
        frames = [ether(part) for part in fragment(whole, 40)]
    else:
        header = IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrFragment(m=1, id=7, nh=17)
        frames = [ether(header / UDP(sport=1, dport=2) / Raw(b"attack"))] * 3
    passed = ids.send(*(("inside", frame) for frame in frames))
    assert len(passed) == (0 if choice == "drop" else len(frames))
    assert ids.drops() == ({"fragment": len(frames)} if choice == "drop" else {})
    assert ids.sids() == []


def test_wrong_checksums(make_box):
    right = [
        udp(b"attack")[1],
        udp(b"attack", version=6)[1],
        Conversation().segment(0, "PA", b"attack")[1],
    ]
    ids = Ids(make_box, [rule('content:"attack";', 1, "ip any any -> any any")])
    for frame in right:
        for place in (len(frame) - 1, len(frame) - 7):
            wrong = bytearray(frame)
            wrong[place] ^= 0x40
            assert ids.send(("inside", bytes(wrong))) == []
    bad_header = bytearray(right[0])
    bad_header[14 + 8] ^= 1
    assert ids.send(("inside", bytes(bad_header))) == []
    assert ids.drops() == {"bad_checksum": 7}
    ids.passes(*(("inside", frame) for frame in right))
    assert ids.sids() == [1, 1, 1]
    loose = Ids(make_box, [rule('content:"attack";', 1, "ip any any -> any any")],
                check_checksum=False)  # fmt: skip
    loose.passes(("inside", bytes(bad_header)))
    assert loose.sids() == [1]


def test_malformed_packets_are_dropped(make_box):
    ids = Ids(make_box, [rule("", 1, "ip any any -> any any")])
    frame = udp(b"data")[1]
    bad_length = bytearray(frame)
    bad_length[14 + 20 + 4 : 14 + 20 + 6] = b"\x00\x04"
    short_tcp = ether(IP(src=CLIENT, dst=SERVER) / TCP(dataofs=3))
    for sent, reason in (
        (frame[: 14 + 15], "truncated"),
        (frame[:-2], "truncated"),
        (bytes(bad_length), "malformed"),
        (short_tcp, "malformed"),
    ):
        before = ids.drops().get(reason, 0)
        assert ids.send(("inside", sent)) == []
        assert ids.drops()[reason] == before + 1
    assert ids.send(("eve", frame)) == []
    assert ids.drops()["wrong_port"] == 1


def test_other_protocols_are_looked_into(make_box):
    ids = Ids(make_box, [rule('content:"tunnel";', 1, "ip any any -> any any")])
    ids.passes(("inside", ether(IP(src=CLIENT, dst=SERVER, proto=47) / Raw(b"a tunnel"))))
    assert ids.alerts[0]["proto"] == "047"
    assert json.dumps(ids.alerts[0])
    assert ids.sids() == [1]
