# SPDX-License-Identifier: BSD-3-Clause
"""Options that are prepared: what C gets, and where what is wrong with what was written stands."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftmb.configuration import load
from ftmb.errors import ConfigurationError

BOX = """\
name = "edge"

[[port]]
name = "inside"
device = "eth0"

[[element]]
element = "ids"
inside = "inside"
rule_files = [
    "own.rules",
]
variables = { OWN = "10.0.0.0/8" }
"""
RULE = "alert tcp $OWN any -> any any (content:{}; sid:{};)\n"


@pytest.fixture(autouse=True)
def ids(monkeypatch: pytest.MonkeyPatch, native_elements: None) -> None:
    """An engine that cannot do the letter z."""

    def check_options(
        element: str, options: dict[str, Any], ports: list[str], workers: int
    ) -> list[tuple[tuple[str | int, ...], str]]:
        return [
            (("rules", index), f'"{text}": no z')
            for index, text in enumerate(options["rules"])
            if '"z' in text
        ]

    module = sys.modules["ftmb._native.elements"]
    options = [SimpleNamespace(name=name) for name in ("inside", "rules")]
    known = {"ids": SimpleNamespace(options=options, steers=False, steering="flow", rewrites=False)}
    monkeypatch.setattr(module, "element_classes", lambda: known)
    monkeypatch.setattr(module, "check_options", check_options)


def write(folder: Path, rules: str, changes: str = "") -> Path:
    (folder / "own.rules").write_text(rules)
    path = folder / "box.toml"
    path.write_text(BOX + changes)
    return path


def test_all_processes_see_what_was_prepared(tmp_path: Path) -> None:
    plain = load(write(tmp_path, RULE.format('"a"', 1))).to_dict()
    assert plain["pipeline"] == [
        {
            "element": "ids",
            "options": {
                "inside": "inside",
                "rules": [
                    'alert tcp 10.0.0.0/8 any -> any any (priority:3; content:"a"; sid:1; gid:1;)'
                ],
            },
        }
    ]
    assert plain["notes"] == ["element 1 (ids): 1 rules taken of 1"]


def test_every_problem_has_the_lines_of_both_files(tmp_path: Path) -> None:
    rules = "".join(
        RULE.format(content, sid) for sid, content in enumerate(('"z"', "a", '"a"'), 9)
    ) + "\n" * 6 + RULE.format("b", 12)  # fmt: skip
    path = write(tmp_path, rules, 'rules = ["x", "pass ip any any -> any any (ttl:1; sid:2;)"]\n')
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    own = f"{path}:10: element[1].rule_files: {tmp_path}/own.rules"
    assert caught.value.problems == [
        f"{own}:1: rule 9: no z",
        f"{own}:2: rule 10: column 32: content: text in quotes is needed",
        f"{own}:10: rule 12: column 32: content: text in quotes is needed",
        f"{path}:14: element[1].rules[1]: column 2: it ends where a word is needed",
        f"{path}:14: element[1].rules[2]: rule 2: column 29: ttl: outside the subset",
    ]


def test_what_is_skipped_is_told(tmp_path: Path) -> None:
    rules = RULE.format('"z"', 1) + RULE.format('"a"', 2) + RULE.format('"a"; ttl:1', 3)
    plain = load(write(tmp_path, rules, 'unsupported = "skip"\n')).to_dict()
    assert len(plain["pipeline"][0]["options"]["rules"]) == 1
    assert plain["notes"] == [
        "element 1 (ids): 1 rules taken of 3",
        "element 1 (ids): 2 rules left out: they are outside the subset",
        "element 1 (ids): left out, keyword ttl: 1",
        "element 1 (ids): left out, engine: no z: 1",
        f"element 1 (ids): left out: {tmp_path}/own.rules:1: rule 1: no z",
        f"element 1 (ids): left out: {tmp_path}/own.rules:3: rule 3: column 45: ttl: "
        "outside the subset",
    ]


def test_a_key_that_nobody_takes_is_told_with_all_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, RULE.format('"a"', 1), 'rule_file = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert caught.value.problems == [
        f"{path}:14: element[1].rule_file: unknown key; allowed: classification, inside, "
        "rule_files, rules, unsupported, variables; did you mean 'rule_files'?"
    ]
