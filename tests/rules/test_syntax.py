# SPDX-License-Identifier: BSD-3-Clause
"""The form of a rule, whatever it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftmb.rules.syntax import LENGTH_MAX, Entry, Option, SyntaxProblem, parse_entry, parse_rule

HEAD = "alert tcp any any -> any any"


def test_a_rule_in_its_parts() -> None:
    rule = parse_rule(r'Alert TCP !$A [1,!2:3] <> [[a,b],!c] any ( msg : "x\;)" ; nocase;sid:1; )')
    assert (rule.action, rule.protocol, rule.direction) == ("alert", "tcp", "<>")
    assert rule.source[0] == Entry("$A", (), True, 0)
    assert [(entry.word, entry.negated) for entry in rule.source[1].members] == [
        ("1", False),
        ("2:3", True),
    ]
    assert [len(entry.members) for entry in rule.destination[0].members] == [2, 0]
    assert rule.options == (
        Option("msg", r'"x\;)"', 44),
        Option("nocase", None, 59),
        Option("sid", "1", 66),
    )


def test_a_list_may_go_without_brackets() -> None:
    assert parse_entry("!1,!2") == parse_entry("[!1,!2]")


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "a word is needed"),
        ("alert", 6, "it ends where a word is needed"),
        ("alert tcp any any any -> any (sid:1;)", 19, "'->' or '<>' is needed"),
        (HEAD + " (sid:1;", 37, "it ends where ')' or an option is needed"),
        (HEAD + " (sid:1)", 37, "it ends where ';' is needed"),
        (HEAD + " (sid:1;;)", 37, "found ';)' where ')' or an option"),
        (HEAD + " (sid:;)", 35, "a value is needed"),
        (HEAD + " ()", 31, "found ')' where an option is needed"),
        (HEAD + " (sid:1;) x", 39, "found 'x' where the end is needed"),
        ("alert tcp [a,] any -> any any (sid:1;)", 14, "found '] any -> any' where"),
        ("x" * (LENGTH_MAX + 1), 0, "at most 65,536 are read"),
        ("alert tcp " + "[" * 17 + "a" + "]" * 17 + " any -> any any (sid:1;)", 0, "in more than"),
    ],
)
def test_what_is_no_rule_is_told_with_its_place(text: str, column: int, words: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse_rule(text)
    assert caught.value.problem.column == column
    assert words in caught.value.problem.detail
    assert caught.value.problem.kind == "malformed"


@given(st.one_of(st.text(), st.text(alphabet='altcp ny->()[]!,:;\\"|$0189<\n', max_size=60)))
def test_any_text_is_a_rule_or_a_problem(text: str) -> None:
    for parse in (parse_rule, parse_entry):
        try:
            parse(text)
        except SyntaxProblem as error:
            assert str(error.problem)
