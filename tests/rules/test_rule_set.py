# SPDX-License-Identifier: BSD-3-Clause
"""Rules of files and tables together: what is taken, what is not, and that all of it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftmb.rules import rule_set
from ftmb.rules.canonical import Context
from ftmb.rules.classification import parse
from ftmb.rules.files import Origin, RuleText, rules_of
from ftmb.rules.preparation import prepare
from ftmb.rules.rule_set import FLOWBITS_MAX, RULES_MAX
from ftmb.rules.settings import gather

HEAD = "alert tcp any any -> any any"


def texts(*rules: str) -> list[RuleText]:
    return [RuleText(Origin("x.rules", line), rule) for line, rule in enumerate(rules, 1)]


def rule(sid: int, options: str = "") -> str:
    return f"{HEAD} ({options} sid:{sid};)"


def test_rules_of_a_file() -> None:
    text = "\ufeff# comment\n\n alert a \\\n  b \\\n# not a comment\nlast\r\n#x\nend \\"
    found = list(rules_of(text.lstrip("\ufeff"), "f"))
    assert [(one.origin.line, one.text) for one in found] == [
        (3, "alert a  b  # not a comment"),
        (6, "last"),
        (8, "end"),
    ]


def test_of_one_sid_the_newest_is_taken(context: Context) -> None:
    rules = texts(rule(1, "rev:1;"), rule(1, "rev:3;"), rule(1, "rev:3;"), rule(1, "gid:2;"))
    found = rule_set.read(rules, context)
    assert [taken.origin.line for taken in found.taken] == [2, 4]
    assert [refusal.lines() for refusal in found.refused] == [
        ["x.rules:1: rule 1: revision 3 of it stands in x.rules:2"],
        ["x.rules:3: rule 1: revision 3 of it stands in x.rules:2"],
    ]
    assert found.reasons() == [("sid more than once", 2)]


def test_the_engines_word_is_the_last(context: Context) -> None:
    found = rule_set.read(
        texts(rule(1), rule(2), rule(3)), context, lambda all_of_them: [(1, "too hard")]
    )
    assert [taken.rule.sid for taken in found.taken] == [1, 3]
    assert [refusal.lines() for refusal in found.refused] == [["x.rules:2: rule 2: too hard"]]


def test_bounds(context: Context) -> None:
    found = rule_set.read(texts(*(rule(sid) for sid in range(1, RULES_MAX + 3))), context)
    assert len(found.taken) == RULES_MAX
    assert found.reasons() == [(f"beyond {RULES_MAX:,} rules", 2)]
    many = [rule(sid, f"flowbits:set,b{sid};") for sid in range(1, FLOWBITS_MAX + 4)]
    found = rule_set.read(texts(*many, rule(9999, "flowbits:set,b1;")), context)
    assert len(found.taken) == FLOWBITS_MAX + 1
    assert found.reasons() == [(f"beyond {FLOWBITS_MAX} flowbits", 3)]


def test_reasons_add_up(context: Context) -> None:
    found = rule_set.read(
        texts(rule(1), rule(2, "ttl:1;"), rule(3, "ttl:1; tos:2;"), rule(4, "tos:2;"), "x"), context
    )
    assert found.reasons() == [("keyword ttl", 2), ("keyword tos", 1), ("malformed", 1)]
    assert sum(count for _, count in found.reasons()) + len(found.taken) == 5


def test_flowbits_that_nobody_sets_are_remarked(context: Context) -> None:
    found = rule_set.read(
        texts(rule(1, "flowbits:isset,a;"), rule(2, "flowbits:set,b;"),
              rule(3, "flowbits:isset,b; classtype:odd;")),
        context,
    )  # fmt: skip
    assert found.remarks() == [
        "1 rules test flowbits that no rule taken sets: a",
        "unknown classtypes, taken as priority 3: odd",
    ]


def test_classes_of_a_file() -> None:
    classes, wrong = parse(
        "# x\nconfig classification: a-b,What it is, 2\nconfig classification: c,d\n"
        "config classification:e,f,300\n"
    )
    assert {name: (one.category, one.priority) for name, one in classes.items()} == {
        "a-b": ("What it is", 2)
    }
    assert [line for line, _ in wrong] == [3, 4]


def no_problems(options: Any) -> list[Any]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/b.rules").write_text(rule(2) + "\n" + rule(3, "ttl:1;") + "\n")
    (tmp_path / "rules/a.rules").write_bytes(b"\n# \xff\n" + rule(1, "classtype:x;").encode())
    (tmp_path / "classes").write_text("config classification: x,In words,1\n")
    return tmp_path


def test_what_an_operator_writes_is_prepared(folder: Path) -> None:
    written = {
        "element": "ids",
        "other": 5,
        "rule_files": ["rules/*.rules"],
        "rules": ["alert tcp $MINE any ->\n any any (sid:4;)"],
        "variables": {"MINE": "10.0.0.1"},
        "classification": "classes",
        "unsupported": "skip",
    }
    prepared = prepare(written, folder, no_problems)
    assert prepared.problems == []
    assert prepared.options == {
        "element": "ids",
        "other": 5,
        "rules": [
            f'{HEAD} (category:"In words"; priority:1; sid:1; gid:1;)',
            f"{HEAD} (priority:3; sid:2; gid:1;)",
            "alert tcp 10.0.0.1 any -> any any (priority:3; sid:4; gid:1;)",
        ],
    }
    path = folder / "rules/b.rules"
    assert prepared.notes == [
        "3 rules taken of 4",
        "1 rules left out: they are outside the subset",
        "left out, keyword ttl: 1",
        f"left out: {path}:2: rule 3: column 31: ttl: outside the subset",
    ]


def test_without_being_told_to_skip_every_rule_is_a_problem(folder: Path) -> None:
    written = {"rule_files": ["rules/*.rules"], "rules": [rule(5), rule(6, "ttl:1; tos:1;")]}
    prepared = prepare(written, folder, no_problems)
    assert prepared.problems == [
        (("rules", 1), "rule 6: column 31: ttl: outside the subset"),
        (("rules", 1), "rule 6: column 38: tos: outside the subset"),
        (("rule_files",), f"{folder}/rules/b.rules:2: rule 3: column 31: ttl: outside the subset"),
    ]


def test_the_engines_refusals_name_the_rule_of_the_file(folder: Path) -> None:
    def check(options: Any) -> list[Any]:
        return [(("rules", 1), f'"{options["rules"][1]}": not possible'), (("inside",), "missing")]

    prepared = prepare({"rule_files": ["rules/a.rules"], "rules": [rule(5)]}, folder, check)
    assert prepared.problems == [(("rules", 0), "rule 5: not possible")]
    skipping = prepare(
        {"rule_files": ["rules/a.rules"], "rules": [rule(5)], "unsupported": "skip"}, folder, check
    )
    assert skipping.problems == []
    assert len(skipping.options["rules"]) == 1
    assert "left out: rules[1]: rule 5: not possible" in skipping.notes


def test_all_that_is_wrong_with_the_table_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "classes").write_text("nonsense\n")
    settings = gather(
        {
            "rule_files": ["none/*.rules", 5],
            "rules": "text",
            "variables": {"$A": "x", "B": 5},
            "classification": "classes",
            "unsupported": "ignore",
        },
        tmp_path,
    )
    assert [place for place, _ in settings.problems] == [
        ("rule_files", 1), ("rule_files", 0), ("rules",), ("variables", "$A"), ("variables", "B"),
        ("classification",), ("unsupported",),
    ]  # fmt: skip
    assert "there is no such file" in settings.problems[1][1]
    assert "classes:1: needed is" in settings.problems[5][1]


def test_an_element_needs_a_rule(tmp_path: Path) -> None:
    assert "has no rules" in prepare({}, tmp_path, no_problems).problems[0][1]
