# SPDX-License-Identifier: BSD-3-Clause
"""What rules say, option by option."""

from __future__ import annotations

import pytest

from tests.elements.ids_frames import CLIENT, SERVER, Conversation, Ids, icmp, rule, udp


def found_in(make_box, rules: list[str], datagrams: list[bytes]) -> list[set[int]]:
    """Which of the rules find something in each of the datagrams, all in one box."""
    ids = Ids(make_box, rules)
    ids.passes(*(udp(data, sport=10000 + place) for place, data in enumerate(datagrams)))
    ids.drain()
    found: list[set[int]] = [set() for _ in datagrams]
    for alert in ids.alerts:
        place, sid = alert["src_port"] - 10000, alert["alert"]["signature_id"]
        assert sid not in found[place], "twice"
        found[place].add(sid)
    return found


CONTENTS = [
    ('content:"abc";', b"xabcx", b"xABCx"),
    ('content:"abc"; nocase;', b"xABCx", b"xAB"),
    ('content:"a|62 63|d|20|e";', b"abcd e", b"abc de"),
    ('content:".*"; ', b"a.*b", b"aab"),
    ('content:"abc"; offset:2;', b"xxabc", b"xabc"),
    ('content:"abc"; depth:5;', b"xxabc", b"xxxabc"),
    ('content:"abc"; offset:1; depth:4;', b"xxabc", b"abcabc"[:5]),
    ('content:"abc"; startswith;', b"abcx", b"xabc"),
    ('content:"abc"; endswith;', b"xabc", b"abcx"),
    ('content:"abc"; startswith; endswith;', b"abc", b"abcabc"),
    ('content:"ab"; content:"cd"; distance:0;', b"ab__cd", b"cdab"),
    ('content:"ab"; content:"cd"; distance:2;', b"ab__cd", b"ab_cd"),
    ('content:"ab"; content:"cd"; within:3;', b"ab_cd", b"ab__cd"),
    ('content:"ab"; content:"cd"; distance:1; within:3;', b"ab__cd", b"ab___cd"),
    ('content:"ab"; content:"cd"; distance:1; within:2;', b"ab_cd", b"abcd"),
    ('content:"ab"; content:"cd"; within:2;', b"ab ab abcd", b"ab cd"),
    ('content:"ab"; content:"cd";', b"cd_ab", b"cd_ba"),
    ('content:"ab"; content:!"cd";', b"ab", b"ab cd"),
    ('content:"ab"; content:!"cd"; depth:4;', b"abx cd", b"cd ab"),
    ('content:"ab"; content:!"|0a|"; within:5;', b"ab12345\n", b"ab1234\n"),
    ('content:"ab"; content:!"|0a|"; within:5;', b"ab123", b"ab1\n"),
    ('content:!"ab";', b"cd", b"cdab"),
    ('content:"ab"; within:4;', b"__ab", b"___ab"),
    ('content:"ab"; distance:2;', b"__ab", b"_ab"),
    ('pcre:"/a.c/";', b"abc", b"a\nc"),
    ('pcre:"/a.c/s";', b"a\nc", b"ac"),
    ('pcre:"/ABC/i";', b"abc", b"ab"),
    ('pcre:"/^b$/m";', b"a\nb\nc", b"abc"),
    ('pcre:"/a b # c/x";', b"ab", b"a b"),
    ('pcre:"/^ab/";', b"abc", b"cab"),
    ('pcre:"/a\\/b/";', b"a/b", b"ab"),
    ('pcre:"/a\\"b/";', b'a"b', b"ab"),
    ('content:"ab"; pcre:"/cd/R";', b"ab__cd", b"cdab"),
    ('content:"ab"; pcre:"/^cd/R";', b"abcd", b"ab_cd"),
    ('content:"ab"; pcre:"/c+/R"; content:"d"; within:1;', b"ab_ccd", b"ab_cc_d"),
    ('content:"ab"; pcre:!"/c[0-9]/";', b"ab cx", b"ab c1"),
    ('content:"ab"; content:!"x"; content:"cd"; distance:1;', b"ab_cd", b"ab_cd x"),
    ('content:"ab"; content:"xy"; content:"cd"; distance:0;', b"xycd ab", b"cdxy ab"),
    ("dsize:4;", b"1234", b"123"),
    ("dsize:!4;", b"123", b"1234"),
    ("dsize:<4;", b"123", b"1234"),
    ("dsize:<=4;", b"1234", b"12345"),
    ("dsize:>4;", b"12345", b"1234"),
    ("dsize:>=4;", b"1234", b"123"),
    ("dsize:2<>5;", b"1234", b"12345"),
    ("dsize:2<>5;", b"123", b"12"),
]


def test_contents_and_expressions(make_box):
    head = "udp any any -> any any"
    rules = [rule(text.strip(), sid, head) for sid, (text, _, _) in enumerate(CONTENTS, start=1)]
    matching = found_in(make_box, rules, [data for _, data, _ in CONTENTS])
    other = found_in(make_box, rules, [data for _, _, data in CONTENTS])
    for sid, (options, data, without) in enumerate(CONTENTS, start=1):
        assert sid in matching[sid - 1], f"{options} in {data!r}"
        assert sid not in other[sid - 1], f"{options} in {without!r}"


HEADS = [
    ("udp any any -> any any", True),
    ("ip any any -> any any", True),
    ("tcp any any -> any any", False),
    ("icmp any any -> any any", False),
    ("udp any any -> any 53", True),
    ("udp any 53 -> any any", False),
    ("udp any 53 <> any any", True),
    ("udp any any -> any [50:60,!53]", False),
    ("udp any any -> any [!54:60]", True),
    ("udp any any -> any [:53,80]", True),
    ("udp any any -> any [54:,:52]", False),
    (f"udp {CLIENT} any -> {SERVER} any", True),
    (f"udp {SERVER} any -> {CLIENT} any", False),
    (f"udp {SERVER} any <> {CLIENT} any", True),
    ("udp 10.0.0.0/8 any -> !10.0.0.0/8 any", True),
    ("udp [10.0.0.0/8,!10.0.0.5] any -> any any", False),
    ("udp [!10.0.0.6,!10.0.0.7] any -> any any", True),
    ("udp ::/0 any -> any any", False),
]


def test_heads(make_box):
    rules = [rule('content:"data";', sid, head) for sid, (head, _) in enumerate(HEADS, start=1)]
    ids = Ids(make_box, rules)
    ids.passes(udp(b"data"))
    found = set(ids.sids())
    for sid, (head, matches) in enumerate(HEADS, start=1):
        assert (sid in found) is matches, head


def test_flags(make_box):
    ids = Ids(make_box, [
        rule("flags:S;", 1), rule("flags:SA;", 2), rule("flags:+A;", 3), rule("flags:*FR;", 4),
        rule("flags:!S;", 5), rule("flags:S,A;", 6), rule("flags:0;", 7),
    ])  # fmt: skip
    talk = Conversation()
    for flags, expected in (
        ("S", [1, 6]),
        ("SA", [2, 3, 6]),
        ("A", [3, 5]),
        ("FA", [3, 4, 5]),
        ("R", [4, 5]),
        ("", [5, 7]),
    ):
        ids.passes(talk.segment(0, flags))
        assert ids.sids() == expected, flags


def test_types_and_codes(make_box):
    head = "icmp any any -> any any"
    ids = Ids(make_box, [
        rule("itype:8;", 1, head), rule("itype:8; icode:>0;", 2, head), rule("itype:!8;", 3, head),
        rule('itype:8; content:"data";', 4, head),
    ])  # fmt: skip
    ids.passes(icmp(8))
    assert (ids.alerts[0]["icmp_type"], ids.alerts[0]["icmp_code"]) == (8, 0)
    assert ids.sids() == [1, 4]
    ids.passes(icmp(8, 1, b"dat"))
    assert ids.sids() == [1, 2]
    ids.passes(icmp(13))
    assert 3 in ids.sids()


def test_flow(make_box):
    content = 'content:"hello"; '
    ids = Ids(make_box, [
        rule(content + "flow:to_server;", 1), rule(content + "flow:to_client,established;", 2),
        rule(content + "flow:not_established;", 3), rule(content + "flow:stateless;", 4),
        rule(content + "flow:no_stream;", 5), rule(content + "flow:established,to_server;", 6),
    ])  # fmt: skip
    talk = Conversation()
    ids.passes(talk.segment(0, "S", acknowledged=0))
    talk.next[0] += 1
    ids.passes(talk.client(b"hello"))
    assert ids.sids() == [1, 3, 4, 5]
    talk = Conversation(sport=40001)
    ids.passes(*talk.open())
    ids.passes(talk.client(b"hello"))
    assert ids.sids() == [1, 4, 5, 6]
    ids.passes(talk.server(b"hello"))
    assert ids.sids() == [2, 4, 5]
    ids.passes(talk.server(b"hel"), talk.server(b"lo"))
    assert ids.sids() == [2, 4]


def test_flow_of_datagrams(make_box):
    head = "udp any any -> any any"
    ids = Ids(make_box, [
        rule('content:"a"; flow:to_server;', 1, head),
        rule('content:"a"; flow:to_client;', 2, head),
        rule('content:"a"; flow:established;', 3, head),
    ])  # fmt: skip
    ids.passes(udp(b"a"))
    assert ids.sids() == [1]
    ids.passes(udp(b"a", side=1))
    assert ids.sids() == [2, 3]
    ids.passes(udp(b"a"))
    assert ids.sids() == [1, 3]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_flowbits(make_box, workers):
    ids = Ids(make_box, [
        rule('content:"login"; flowbits:set,in; flowbits:noalert;', 1),
        rule('content:"secret"; flowbits:isset,in;', 2),
        rule('content:"secret"; flowbits:isnotset,in;', 3),
        rule('content:"logout"; flowbits:unset,in; noalert;', 4),
        rule('content:"switch"; flowbits:toggle,other; noalert;', 5),
        rule('content:"either"; flowbits:isset,in|other;', 6),
        rule('content:"neither"; flowbits:isnotset,in|other;', 7),
    ], workers)  # fmt: skip
    talk = Conversation()
    ids.passes(*talk.open())
    for words, expected in (
        (b"secret neither either", [3, 7]),
        (b"login", []),
        (b"secret either neither", [2, 6]),
        (b"log", []),
        (b"out", []),
        (b"secret", [3]),
        (b"switch", []),
        (b"either", [6]),
        (b"switch", []),
        (b"either", []),
        (b"login secret", [2]),  # who sets comes before who asks
    ):
        ids.passes(talk.client(words))
        assert ids.sids() == expected, words


def test_rules_of_addresses_and_ports_alone_are_asked_once_each_way(make_box):
    ids = Ids(make_box, [
        rule("", 1, "ip any any -> any any"), rule("", 2, f"ip {SERVER} any -> any any"),
        rule("", 3, "udp any any -> any 53"), rule("dsize:1;", 4, "udp any any -> any 53"),
    ])  # fmt: skip
    for sent, expected in (
        (udp(b"a"), [1, 3, 4]),
        (udp(b"a"), [4]),
        (udp(b"a", side=1), [1, 2]),
        (udp(b"a", side=1), []),
    ):
        ids.passes(sent)
        assert ids.sids() == expected


def test_the_end_of_a_payload_is_that_of_a_packet(make_box):
    ids = Ids(make_box, [rule('content:"end"; endswith;', 1), rule('pcre:"/end$/";', 2)])
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(b"the end"))
    assert ids.sids() == [1]
    ids.passes(talk.client(b"of this end", "FPA"))
    assert ids.sids() == [1, 2]  # the stream ends here


def test_a_connection_is_established_behind_its_handshake(make_box):
    ids = Ids(make_box, [rule("flow:established;", 1)])
    talk = Conversation()
    ids.passes(*talk.open())
    assert ids.sids() == []
    ids.passes(talk.client(b"a"), talk.segment(1, "A"))
    assert ids.sids() == [1, 1]


def test_a_rule_begins_anew_after_it_matched(make_box):
    ids = Ids(make_box, [rule('content:"one"; content:"two";', 1), rule('content:"one";', 2)])
    talk = Conversation()
    ids.passes(*talk.open())
    for words, expected in (
        (b"one", [2]),
        (b"two", [1]),
        (b"two", []),
        (b"one one", [1, 2]),
        (b"two one", [1, 2]),
    ):
        ids.passes(talk.client(words))
        assert ids.sids() == expected, words
