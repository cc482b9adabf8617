# SPDX-License-Identifier: BSD-3-Clause
"""Texts that are no canonical rules, and configurations that cannot be."""

from __future__ import annotations

import pytest

from ftmb._native.elements import check_options
from tests.elements.ids_frames import rule

OPTIONS = {"inside": "inside", "outside": "outside", "alerts": "eve"}
PORTS = ["inside", "outside", "eve"]


def problems(*rules: str, **options: object) -> list[str]:
    found = check_options("ids", {**OPTIONS, "rules": list(rules), **options}, PORTS, 1)
    return [message for _, message in found]


REFUSED = [
    ("alert tcp any any -> any any (sid:1)", '";"'),
    ("alert tcp any any -> any any (sid:1;) ", "end"),
    ('alert tcp any any -> any any (msg:"x";)', "no sid"),
    ("alert http any any -> any any (sid:1;)", '"tcp"'),
    ("reject tcp any any -> any any (sid:1;)", '"alert"'),
    ("alert tcp $HOME any -> any any (sid:1;)", "address"),
    ("alert tcp 10.0.0.1/8 any -> any any (sid:1;)", "prefix"),
    ("alert tcp 10.0.0.0/33 any -> any any (sid:1;)", "from 0 to 32"),
    ("alert tcp any 70000 -> any any (sid:1;)", "port"),
    ("alert tcp any 80:79 -> any any (sid:1;)", "port"),
    ("alert ip any 80 -> any any (sid:1;)", "tcp and udp"),
    ("alert tcp any any <- any any (sid:1;)", '"->"'),
    ("alert tcp any ![1:2] -> any any (sid:1;)", "port"),
    ("alert tcp any any -> any any (sid:0;)", "from 1"),
    ("alert tcp any any -> any any (sid:01;)", "number"),
    ("alert tcp any any -> any any (sid:1; sid:2;)", "twice"),
    ("alert tcp any any -> any any (sid:1; http_uri;)", "no option"),
    ("alert tcp any any -> any any (nocase; sid:1;)", "behind a content"),
    ('alert tcp any any -> any any (content:"a"; nocase; nocase; sid:1;)', "twice"),
    ('alert tcp any any -> any any (content:""; sid:1;)', "empty"),
    ('alert tcp any any -> any any (content:"a|4|"; sid:1;)', "hexadecimal"),
    ('alert tcp any any -> any any (content:"a\\b"; sid:1;)', "printable"),
    ('alert tcp any any -> any any (content:"abc"; depth:2; sid:1;)', "less than"),
    (
        'alert tcp any any -> any any (content:"a"; content:"b"; distance:1; within:0; sid:1;)',
        "from 1",
    ),
    (
        'alert tcp any any -> any any (content:"a"; content:"b"; distance:1; depth:3; sid:1;)',
        "distance or within",
    ),
    ('alert tcp any any -> any any (content:"a"; content:!"bc"; within:9; sid:1;)', "one byte"),
    ('alert tcp any any -> any any (pcre:"/a/U"; sid:1;)', "flags"),
    ('alert tcp any any -> any any (pcre:"/(a/"; sid:1;)', "Hyperscan"),
    ('alert tcp any any -> any any (pcre:"/a)(b/"; sid:1;)', "Hyperscan"),
    ('alert tcp any any -> any any (pcre:"/a(?=b)/"; sid:1;)', "Hyperscan"),
    ('alert tcp any any -> any any (pcre:"/(a)\\1/"; sid:1;)', "Hyperscan"),
    ('alert tcp any any -> any any (pcre:"/a*/"; sid:1;)', "Hyperscan"),
    ('alert tcp any any -> any any (pcre:"/a/R"; sid:1;)', "nothing before"),
    ("alert tcp any any -> any any (flow:to_server,to_client; sid:1;)", "contradict"),
    ("alert tcp any any -> any any (flow:only_stream; sid:1;)", "only_stream"),
    ("alert tcp any any -> any any (flags:SS; sid:1;)", "once"),
    ("alert udp any any -> any any (flags:S; sid:1;)", "of tcp"),
    ("alert tcp any any -> any any (itype:8; sid:1;)", "of icmp"),
    ("alert tcp any any -> any any (dsize:5<>6; sid:1;)", "number"),
    ("alert tcp any any -> any any (dsize:<0; sid:1;)", "less than 0"),
    ("alert tcp any any -> any any (flowbits:set,a b; sid:1;)", '";"'),
    ("alert tcp any any -> any any (flowbits:set,a|b; sid:1;)", '";"'),
    (
        "alert tcp any any -> any any (threshold:type limit, track by_src, count 0; sid:1;)",
        "from 1",
    ),
    (
        "alert tcp any any -> any any (threshold:type limit, track by_src, count 1, seconds 1; "
        "detection_filter:track by_src, count 1, seconds 1; sid:1;)",
        "exclude",
    ),
    ('alert tcp any any -> any any (msg:"a\\x"; sid:1;)', "\\"),
    ('alert tcp any any -> any any (msg:"a\x01"; sid:1;)', "control"),
    (
        "alert tcp any any -> any any (sid:1; " + 'content:"abcdefg"; ' * 33 + "rev:1;)",
        "more than 32",
    ),
    ('alert tcp any any -> any any (sid:1; msg:"' + "x" * 513 + '";)', "longer"),
    ("alert tcp any any -> any any (sid:1; classtype:" + "x" * 9000 + ";)", "8192"),
    ("", "ends"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_refused(text, message):
    found = problems(text)
    assert len(found) == 1
    assert message in found[0]


def test_all_mistakes_are_told_and_leave_nothing_behind():
    bad = [text for text, _ in REFUSED]
    good = rule('content:"good";', 7, "udp any any -> any any")
    found = check_options("ids", {**OPTIONS, "rules": [*bad, good, *bad, good]}, PORTS, 1)
    assert [place for place, _ in found] == [
        ("rules", index) for index in range(2 * len(bad) + 2) if index != len(bad)
    ]
    assert "another rule has sid 7" in found[-1][1]


def test_the_configuration_as_a_whole():
    good = rule('content:"good";')
    assert problems(good) == []
    assert "empty" in problems()[0]
    assert "same port" in problems(good, outside="inside")[0]
    assert "of its own" in problems(good, alerts="inside")[0]
