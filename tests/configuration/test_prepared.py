# SPDX-License-Identifier: BSD-3-Clause
"""Options that are prepared: what C gets, and where what is wrong with what was written stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftmb.configuration import load
from ftmb.errors import ConfigurationError

BOX = """\
name = "edge"
port = [
    { name = "inside", device = "eth0" },
    { name = "outside", device = "eth1" },
    { name = "eve", device = "journal:/var/log/eve.json" },
]

[[element]]
element = "ids"
inside = "inside"
outside = "outside"
alerts = "eve"
rule_files = ["own.rules"]
variables = { OWN = "10.0.0.0/8" }
"""
RULE = "alert tcp $OWN any -> any any ({}; sid:{};)\n"
GOOD = 'content:"a"'
BEYOND_THE_ENGINE = r'pcre:"/(a)\1/"'
OUTSIDE = GOOD + "; ttl:1"


def write(folder: Path, rules: str, changes: str = "") -> Path:
    (folder / "own.rules").write_text(rules)
    path = folder / "box.toml"
    path.write_text(BOX + changes)
    return path


def test_all_processes_see_what_was_prepared(tmp_path: Path) -> None:
    plain = load(write(tmp_path, RULE.format(GOOD, 1))).to_dict()
    assert plain["pipeline"][0]["options"] == {
        "inside": "inside",
        "outside": "outside",
        "alerts": "eve",
        "rules": ['alert tcp 10.0.0.0/8 any -> any any (priority:3; content:"a"; sid:1; gid:1;)'],
    }
    assert plain["notes"] == ["element 1 (ids): 1 rules taken of 1"]


def test_every_problem_has_the_lines_of_both_files(tmp_path: Path) -> None:
    written = (BEYOND_THE_ENGINE, "content:a", GOOD)
    rules = "".join(RULE.format(options, 9 + index) for index, options in enumerate(written))
    path = write(
        tmp_path,
        rules + "\n" * 6 + RULE.format("content:b", 12),
        'rules = ["x", "pass ip any any -> any any (ttl:1; sid:2;)"]\n',
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    own = f"{path}:13: element[1].rule_files: {tmp_path}/own.rules"
    engines, *others = caught.value.problems
    assert engines.startswith(f"{own}:1: rule 9: ") and "Back-references" in engines
    assert others == [
        f"{own}:2: rule 10: column 32: content: text in quotes is needed",
        f"{own}:10: rule 12: column 32: content: text in quotes is needed",
        f"{path}:15: element[1].rules[1]: column 2: it ends where a word is needed",
        f"{path}:15: element[1].rules[2]: rule 2: column 29: ttl: outside the subset",
    ]


def test_what_is_skipped_is_told(tmp_path: Path) -> None:
    written = (BEYOND_THE_ENGINE, GOOD, OUTSIDE)
    rules = "".join(RULE.format(options, 1 + index) for index, options in enumerate(written))
    plain = load(write(tmp_path, rules, 'unsupported = "skip"\n')).to_dict()
    assert len(plain["pipeline"][0]["options"]["rules"]) == 1
    first, second, *reasons = plain["notes"]
    assert first == "element 1 (ids): 1 rules taken of 3"
    assert second == "element 1 (ids): 2 rules left out: they are outside the subset"
    assert "element 1 (ids): left out, keyword ttl: 1" in reasons
    assert any("left out, engine: " in reason for reason in reasons)
    assert any(f"{tmp_path}/own.rules:1: rule 1: " in reason for reason in reasons)
    assert any(f"{tmp_path}/own.rules:3: rule 3: column 45: ttl" in reason for reason in reasons)


def test_a_key_that_nobody_takes_is_told_with_all_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, RULE.format(GOOD, 1), 'rule_file = "x"\n')
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{path}:15: element[1].rule_file: unknown key; allowed: ")
    for key in ("rule_files", "rules", "classification", "unsupported", "variables", "flows_max"):
        assert key in problem
    assert problem.endswith("did you mean 'rule_files'?")
