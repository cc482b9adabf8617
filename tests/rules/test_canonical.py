# SPDX-License-Identifier: BSD-3-Clause
"""From a rule to its canonical text, or to everything that is in its way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftmb.rules.canonical import CanonicalRule, Context, read_rule

HEADS = {"icmp": "alert icmp any any -> any any", "tcp": "alert tcp any any -> any any"}


def rule_of(options: str, protocol: str = "tcp") -> str:
    return f"alert {protocol} any any -> any any ({options} sid:1;)"


def options_of(rule: CanonicalRule) -> str:
    """Without what every rule has."""
    text = rule.text.partition(" (")[2].removesuffix(" sid:1; gid:1;)")
    return text.removeprefix("priority:3;").strip()


def taken(text: str, context: Context) -> CanonicalRule:
    rule, problems, _ = read_rule(text, context)
    assert rule is not None, problems
    return rule


def test_a_whole_rule(context: Context) -> None:
    rule = taken(
        r"""drop tcp $HOME_NET any -> !10.1.2.3 $HTTP_PORTS (msg:"a \"b\"\; c"; """
        r"""content:"GET /x"; nocase; reference:url,x.org; flow: established,from_client ; """
        r"""depth:9; classtype:trojan-activity; metadata:a b, c d; sid:7; gid:2; rev:3;)""",
        context,
    )
    assert rule.text == (
        r"drop tcp [10.0.0.0/8,172.16.0.0/12,192.168.0.0/16] any -> !10.1.2.3 80 "
        r'(msg:"a \"b\"\; c"; category:"trojan-activity"; priority:1; '
        r'flow:established,to_server; content:"GET|20|/x"; nocase; depth:9; sid:7; gid:2; rev:3;)'
    )
    assert (rule.gid, rule.sid, rule.rev) == (2, 7, 3)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('content:"a"; rawbytes; nocase;', 'content:"a"; nocase;'),
        ('content:!"a"; content:"b"; distance:1; within:4;',
         'content:!"a"; content:"b"; distance:1; within:4;'),
        ('content:"abc"; fast_pattern:1,2; offset:3; depth:4;',
         'content:"abc"; fast_pattern; offset:3; depth:4;'),
        ('content:"a"; pcre:"/b/R"; nocase;', 'content:"a"; nocase; pcre:"/b/R";'),
        ('content:"a"; content:!"|0a|"; within:10;', 'content:"a"; content:!"|0a|"; within:10;'),
        ('content:"a"; startswith; content:"b"; endswith;',
         'content:"a"; startswith; content:"b"; endswith;'),
        ('pcre:"!/a/";', 'pcre:!"/a/";'),
        ("flow:stateless;", "flow:stateless;"),
        ("flow:from_server, only_stream;", "flow:to_client,only_stream;"),
        ("flowbits:isset, a | b; flowbits:unset,a; flowbits:noalert;",
         "flowbits:isset,a|b; flowbits:unset,a; flowbits:noalert;"),
        ("threshold: type limit, seconds 60, track by_src, count 1;",
         "threshold:type limit, track by_src, count 1, seconds 60;"),
        ("detection_filter: seconds 60,track by_dst,count 5;",
         "detection_filter:track by_dst, count 5, seconds 60;"),
        ("dsize:5 <> 10;", "dsize:5<>10;"),
        ("dsize:5-10;", "dsize:5<>10;"),
        ("dsize:!007;", "dsize:!7;"),
        ("dsize:>= 5;", "dsize:>=5;"),
        ("flags:AS;", "flags:SA;"),
        ("flags:S,12;", "flags:S,EC;"),
        ("flags:S+;", "flags:+S;"),
        ("flags:0;", "flags:0;"),
        ("noalert;", "noalert;"),
        ("classtype:made-up;", ""),
        ('classtype:bad-unknown; category:"Odd";', 'category:"Odd"; priority:2;'),
        ("priority:7; classtype:trojan-activity;", 'category:"trojan-activity"; priority:7;'),
    ],
)  # fmt: skip
def test_options(written: str, wanted: str, context: Context) -> None:
    assert options_of(taken(rule_of(written), context)) == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("itype:8; icode:<3;", "itype:8; icode:<3;"), ("itype:!0;", "itype:!0;")],
)
def test_options_of_icmp(written: str, wanted: str, context: Context) -> None:
    assert options_of(taken(rule_of(written, "icmp"), context)) == wanted


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("byte_test:1,>,2,3; isdataat:5;", ["keyword byte_test", "keyword isdataat"]),
        ('http.uri; content:"a";', ["keyword http.uri"]),
        ("nocase;", ["malformed"]),
        ('content:"a"; nocase; nocase;', ["malformed"]),
        ('content:"a"; nocase:1;', ["malformed"]),
        ('content:"ab"; depth:1;', ["malformed"]),
        ('content:"ab"; within:1;', ["malformed"]),
        ('content:"a"; depth:0;', ["depth out of range"]),
        ('content:"a"; offset:1; distance:1;', ["malformed"]),
        ('content:"a"; startswith; offset:1;', ["malformed"]),
        ('content:"a"; offset:1; offset:2;', ["malformed"]),
        ('content:"a"; distance:-1;', ["negative distance"]),
        ('content:"a"; offset:size;', ["offset by a variable"]),
        ('content:"a"; offset:99999;', ["offset out of range"]),
        ('content:"a"; content:!"bc"; within:5;', ["negated relative content"]),
        ('content:"a"; content:!"b"; distance:0;', ["negated relative content"]),
        ('content:"a"; content:!"b"; nocase; within:1;', ["negated relative content"]),
        ('content:"a"; content:!"b"; within:1; content:"c"; distance:0;',
         ["negated relative content"]),
        ('content:"a"; pcre:!"/b/R";', ["negated relative expression"]),
        ('pcre:"/b/R";', ["malformed"]),
        ('content:"a"; ' * 33, ["more than 32 contents and expressions"]),
        ("flow:to_server,from_client;", ["malformed"]),
        ("flow:established,stateless;", ["malformed"]),
        ("flow:no_frag;", ["flow: no_frag"]),
        ("flow:to_server; flow:established;", ["flow more than once"]),
        ("flowbits:set,a|b;", ["flowbits: set of several names"]),
        ("flowbits:set,a b;", ["flowbits: name with other characters"]),
        ("flowbits:isset,a|b|c|d|e;", ["more than 4 names in one flowbits"]),
        ("flowbits:set;", ["malformed"]),
        ("flowbits:set,a; " * 9, ["more than 8 flowbits options"]),
        ("threshold:type limit, track by_src, count 1;", ["malformed"]),
        ("threshold:type limit, track by_flow, count 1, seconds 1;", ["threshold: track by_flow"]),
        ("threshold:type backoff, track by_src, count 1, seconds 1;", ["threshold: type backoff"]),
        ("threshold:type limit, track by_src, count 0, seconds 1;",
         ["threshold count out of range"]),
        ("detection_filter:track by_src, count 1, seconds 99999;",
         ["detection_filter seconds out of range"]),
        ("threshold:type limit, track by_src, count 1, seconds 1; "
         "detection_filter:track by_src, count 1, seconds 1;", ["malformed"]),
        ("dsize:5<>6;", ["malformed"]),
        ("dsize:65536;", ["malformed"]),
        ("dsize:>1; dsize:<5;", ["dsize more than once"]),
        ("itype:8;", ["itype with protocol tcp"]),
        ("flags:s;", ["malformed"]),
        ("flags:S0;", ["flags: 0 with others"]),
        ("noalert:1;", ["malformed"]),
        ("rev:0;", ["rev out of range"]),
        ("priority:0;", ["priority out of range"]),
        ("sid:2;", ["malformed"]),
        ('msg:"' + "a" * 513 + '";', ["text of none or more than 512 bytes"]),
    ],
)  # fmt: skip
def test_what_is_refused(written: str, kinds: list[str], context: Context) -> None:
    rule, problems, sid = read_rule(rule_of(written), context)
    assert rule is None
    assert [problem.kind for problem in problems] == kinds
    assert sid in (1, 2)


def test_all_that_is_wrong_with_a_rule_is_told_at_once(context: Context) -> None:
    _, problems, sid = read_rule(
        'reject http $NOBODY 80 <> 10.0.0 any (msg:"x"; byte_test:1; content:"|4|"; sid:77;)',
        context,
    )
    assert sid == 77
    assert [problem.kind for problem in problems] == [
        "action reject", "protocol http", "variable $NOBODY", "malformed", "keyword byte_test",
        "malformed",
    ]  # fmt: skip
    assert [problem.column for problem in problems] == [1, 0, 0, 0, 48, 61]


@pytest.mark.parametrize("protocol", ["ip", "icmp"])
def test_ports_need_a_protocol_that_has_them(protocol: str, context: Context) -> None:
    _, problems, _ = read_rule(f"alert {protocol} any any -> any 80 (sid:1;)", context)
    assert [problem.kind for problem in problems] == [f"ports with protocol {protocol}"]


def test_a_rule_may_be_too_long(context: Context) -> None:
    long = " ".join(f'content:"{chr(97 + index) * 255}";' for index in range(26))
    assert read_rule(rule_of(long), context)[0] is not None
    _, problems, _ = read_rule(rule_of(long + f' content:"{"|00|" * 250}";' * 2), context)
    assert [problem.kind for problem in problems] == ["rule of more than 8,192 bytes"]


def test_an_unknown_classtype_is_told(context: Context) -> None:
    assert taken(rule_of("classtype:made-up;"), context).unknown_class == "made-up"
    assert taken(rule_of("classtype:bad-unknown;"), context).unknown_class is None


# ---- Any rule ----

CONTENT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6).map(
    lambda text: 'content:"' + "".join(c if c.isalnum() else f"|{ord(c):02x}|" for c in text) + '";'
)
MODIFIER = st.sampled_from(
    ["nocase;", "offset:3;", "depth:99;", "distance:2;", "within:77;", "startswith;", "rawbytes;",
     "fast_pattern;", "endswith;"]
)  # fmt: skip
OTHER = st.sampled_from(
    ['pcre:"/a.c/iR";', "flow:established;", "flowbits:isset,a|b;", "flowbits:set,c;", "dsize:>9;",
     "flags:SA,CE;", "threshold:type both, track by_src, count 2, seconds 3;", "noalert;",
     'msg:"x\\;y";', "rev:4;", "classtype:bad-unknown;", "bogus:1;", "itype:8;"]
)  # fmt: skip
OPTIONS = st.lists(st.one_of(CONTENT, MODIFIER, OTHER), max_size=12).map(" ".join)
ANY_HEAD = st.sampled_from(
    ["alert tcp any any -> any any", "drop udp ![10.0.0.0/8,::1] 1: <> $HOME_NET !80,!81",
     "pass ip 1.2.3.4 any -> any any", "alert icmp any any -> !10.0.0.1 any", "log tcp a b -> c d"]
)  # fmt: skip


@settings(max_examples=400)
@given(ANY_HEAD, OPTIONS)
def test_a_canonical_rule_is_its_own_canonical_form(context: Context, head: str, body: str) -> None:
    rule, problems, _ = read_rule(f"{head} ({body} sid:5;)", context)
    assert (rule is None) == bool(problems)
    if rule is not None:
        assert taken(rule.text, context) == rule


@settings(max_examples=400)
@given(ANY_HEAD, OPTIONS, st.data())
def test_no_text_raises_anything(
    context: Context, head: str, body: str, data: st.DataObject
) -> None:
    text = f"{head} ({body} sid:5;)"
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 4))
    put = data.draw(st.text(alphabet=';:"|\\![](),$ 0aé\udcff\x00', max_size=4))
    rule, problems, _ = read_rule(text[:at] + put + text[at + cut :], context)
    assert (rule is None) == bool(problems)
