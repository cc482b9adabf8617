# SPDX-License-Identifier: BSD-3-Clause
"""Quoted values: bytes, messages, expressions."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftmb.rules import texts
from ftmb.rules.problems import Refused

PRINTABLE = st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('"GET "', b"GET "),
        ('"|47 45 54|/|0D0a|"', b"GET/\r\n"),
        ('"|47,45|"', b"GE"),
        (r'"a\:b\"c\\d\;"', b'a:b"c\\d;'),
        ('"é"', "é".encode()),
        ('"\udcff"', b"\xff"),
        ('"||a"', b"a"),
    ],
)
def test_contents(written: str, wanted: bytes) -> None:
    assert texts.content_bytes(written) == wanted


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (None, "text in quotes"),
        ("GET", "text in quotes"),
        ('"', "text in quotes"),
        ('""', "without bytes"),
        ('"||"', "without bytes"),
        ('"|4|"', "pairs of hex digits"),
        ('"|4 1|b|zz|"', "pairs of hex digits"),
        ('"|41"', "that no other ends"),
        (r'"\x41"', r"'\\x' is no escape"),
        (r'"abc\"', "'\\\\' is no escape"),
        ('"a"b"', "write"),
        ('"' + "a" * 256 + '"', "256 bytes"),
    ],
)
def test_contents_that_are_none(written: str | None, words: str) -> None:
    with pytest.raises(Refused, match=words):
        texts.content_bytes(written)


@given(st.binary(min_size=1, max_size=255))
@example(bytes(range(255)))
def test_bytes_come_back(content: bytes) -> None:
    text = texts.content_text(content)
    assert texts.content_bytes(text) == content
    assert re.fullmatch(r'"(?:[!#-:<-\[\]-{}~]|\|[0-9a-f]{2}( [0-9a-f]{2})*\|)+"', text)


@given(st.text(PRINTABLE, min_size=1, max_size=100))
def test_messages_come_back(plain: str) -> None:
    text = texts.quoted(plain, 512)
    assert re.sub(r"\\(.)", r"\1", text[1:-1]) == plain
    assert not re.search(r'(?<!\\)[";]', text[1:-1].replace("\\\\", ""))
    assert texts.message(text) == text


def test_messages_that_are_none() -> None:
    for value in (None, "x", '""', '"a\nb"', '"' + "é" * 257 + '"', '"\udcff"'):
        with pytest.raises(Refused):
            texts.message(value)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('"/a/"', ("a", "")),
        ('"/a.b/smiBO"', ("a.b", "ism")),
        ("/a/R", ("a", "R")),
        (r'"/a\;b"c\"d\\;/"', (r"a\x3bb\x22c\x22d\\\x3b", "")),
        ('"/a/b/c/"', ("a/b/c", "")),
    ],
)
def test_expressions(written: str, wanted: tuple[str, str]) -> None:
    assert texts.expression(written) == wanted


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ('"abc"', "malformed"),
        ('"//"', "malformed"),
        ('"/a/U"', "pcre: flag U"),
        ('"/a/iG"', "pcre: flag G"),
        ('"/é/"', "pcre: characters that are not ASCII"),
    ],
)
def test_expressions_that_are_refused(written: str, kind: str) -> None:
    with pytest.raises(Refused) as caught:
        texts.expression(written)
    assert caught.value.kind == kind


PIECES = [r"a", r"\;", ";", '"', r"\"", r"\\", r"\x41", "[;]", r"\d", "."]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), st.text('a;"\\A1'))
def test_an_expression_still_means_the_same(written: str, subject: str) -> None:
    found, _ = texts.expression(f'"/{written}/"')
    assert '"' not in found and ";" not in found
    assert bool(re.search(found, subject)) == bool(re.search(written, subject))
