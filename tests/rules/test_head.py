# SPDX-License-Identifier: BSD-3-Clause
"""Addresses, ports and variables of a rule's head."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftmb.rules.head import ADDRESS, DEFAULT_VARIABLES, PORT, Kind, Variables
from ftmb.rules.problems import Refused
from ftmb.rules.syntax import Entry, parse_entry

VARIABLES = Variables(
    {**DEFAULT_VARIABLES, "A": "10.0.0.0/8", "LOOP": "[1.1.1.1,$LOOP]", "BROKEN": "[1.1.1.1"}
)


def canonical(text: str, kind: Kind) -> str:
    return VARIABLES.canonical(parse_entry(text), kind)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("any", "any"),
        ("ANY", "any"),
        ("[any]", "any"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.0.0.1/255.255.0.0", "10.0.0.0/16"),
        ("10.0.0.0-10.0.0.3", "10.0.0.0/30"),
        ("[10.0.0.1,::1,10.0.0.1]", "[10.0.0.1,::1]"),
        ("[10.0.0.0/9,10.128.0.0/9]", "10.0.0.0/8"),
        ("!10.0.0.0/8", "!10.0.0.0/8"),
        ("!!".replace("!!", "![!$A]"), "10.0.0.0/8"),
        ("[$A,!10.1.0.0/16]", "[10.0.0.0/8,!10.1.0.0/16]"),
        ("[[$A,!10.1.0.0/16],::1]", "[10.0.0.0/8,::1,!10.1.0.0/16]"),
        ("$HOME_NET", "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]"),
        ("$EXTERNAL_NET", "[!10.0.0.0/8,!172.16.0.0/12,!192.168.0.0/16]"),
        ("!$EXTERNAL_NET", "[10.0.0.0/8,172.16.0.0/12,192.168.0.0/16]"),
        ("[any,!::/0]", "!::/0"),
    ],
)
def test_addresses(written: str, wanted: str) -> None:
    assert canonical(written, ADDRESS) == wanted


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("any", "any"),
        ("080", "80"),
        ("[80,443:445,444:500]", "[80,443:500]"),
        ("1024:", "1024:65535"),
        (":1024", "0:1024"),
        (":", "any"),
        ("!5800,!445", "[!445,!5800]"),
        ("$FILE_DATA_PORTS", "[80,110,143]"),
        ("!$SHELLCODE_PORTS", "80"),
        ("[1:100,!50]", "[1:100,!50]"),
    ],
)
def test_ports(written: str, wanted: str) -> None:
    assert canonical(written, PORT) == wanted


@pytest.mark.parametrize(
    ("written", "kind", "words"),
    [
        ("10.0.0", ADDRESS, "no address, network or range"),
        ("10.0.0.9-10.0.0.1", ADDRESS, "no range of addresses"),
        ("10.0.0.1-::1", ADDRESS, "no range of addresses"),
        ("!any", ADDRESS, "no address is left"),
        ("[$A,!$A]", ADDRESS, "no address is left"),
        ("![$A,!10.1.0.0/16]", ADDRESS, "without the outer '!'"),
        ("$NOBODY", ADDRESS, "$NOBODY is not defined"),
        ("$LOOP", ADDRESS, "$LOOP is made of itself"),
        ("$BROKEN", ADDRESS, "in the variable $BROKEN: column 9: it ends where"),
        ("$HTTP_PORTS", ADDRESS, "'80' is no address"),
        ("65536", PORT, "no range of ports"),
        ("80:79", PORT, "no range of ports"),
        ("http", PORT, "no port or range"),
        ("[80,!80]", PORT, "no port is left"),
        ("$HOME_NET", PORT, "no port or range"),
    ],
)
def test_what_is_refused(written: str, kind: Kind, words: str) -> None:
    with pytest.raises(Refused, match=words.replace("$", r"\$")):
        canonical(written, kind)


def matches(entry: Entry, is_in: Callable[[str], bool]) -> bool:
    """By the words of the language: in one of the plain ones, or there are none; in no negated."""
    plain, negated = flat(entry)
    return (not plain or any(map(is_in, plain))) and not any(map(is_in, negated))


def flat(entry: Entry) -> tuple[list[str], list[str]]:
    plain, negated = ([entry.word], []) if not entry.members else ([], [])
    for member in entry.members:
        more_plain, more_negated = flat(member)
        plain += more_plain
        negated += more_negated
    return (negated, plain) if entry.negated else (plain, negated)


def lists(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signed = st.tuples(st.sampled_from(["", "!"]), words).map("".join)
    inner = st.lists(words, min_size=1, max_size=3).map(lambda many: f"[{','.join(many)}]")
    nested = st.tuples(st.sampled_from(["", "!"]), inner).map("".join)
    return st.lists(signed | nested, min_size=1, max_size=5).map(lambda many: f"[{','.join(many)}]")


PORT_WORDS = st.one_of(
    st.integers(0, 30).map(str),
    st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda p: f"{min(p)}:{max(p)}"),
)


@given(lists(PORT_WORDS))
def test_ports_mean_what_was_written(text: str) -> None:
    def is_in(port: int) -> Callable[[str], bool]:
        def of(word: str) -> bool:
            first, _, last = word.partition(":")
            return word == "any" or int(first) <= port <= int(last or first)

        return of

    entry = parse_entry(text)
    wanted = [port for port in range(33) if matches(entry, is_in(port))]
    try:
        found = VARIABLES.canonical(entry, PORT)
    except Refused:
        assert not wanted or wanted == list(range(33))
        return
    again = parse_entry(found)
    assert [port for port in range(33) if matches(again, is_in(port))] == wanted
    assert VARIABLES.canonical(again, PORT) == found


ADDRESS_WORDS = st.one_of(
    st.tuples(st.integers(0, 255), st.integers(24, 32)).map(lambda p: f"10.0.0.{p[0]}/{p[1]}"),
    st.tuples(st.integers(0, 255), st.integers(120, 128)).map(lambda p: f"fd00::{p[0]:x}/{p[1]}"),
)


@given(lists(ADDRESS_WORDS), st.integers(0, 255))
def test_addresses_mean_what_was_written(text: str, last: int) -> None:
    def is_in(address: str) -> Callable[[str], bool]:
        one = ipaddress.ip_address(address)
        return lambda word: word == "any" or one in ipaddress.ip_network(word, strict=False)

    entry = parse_entry(text)
    try:
        again = parse_entry(VARIABLES.canonical(entry, ADDRESS))
    except Refused:
        return
    for address in (f"10.0.0.{last}", f"fd00::{last:x}", "192.0.2.1", "2001:db8::1"):
        assert matches(again, is_in(address)) == matches(entry, is_in(address))
