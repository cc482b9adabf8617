# SPDX-License-Identifier: BSD-3-Clause
"""The options of an `ids` element: rules as operators have them become the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftmb.configuration.prepared import CheckOptions, Prepared
from ftmb.rules import rule_set
from ftmb.rules.rule_set import Check, Refusal, RuleSet
from ftmb.rules.settings import Problem, Settings, gather

TAKES = ("rules", "rule_files", "variables", "classification", "unsupported")
SKIPPED_SHOWN_MAX = 20


def prepare(options: Mapping[str, Any], folder: Path, check_options: CheckOptions) -> Prepared:
    settings = gather(options, folder)
    rules = rule_set.read(settings.rules, settings.context(), engine_check(check_options))
    problems = [*settings.problems]
    if not settings.skips:
        problems += [
            _problem(refusal, line) for refusal in rules.refused for line in refusal.lines()
        ]
    if not problems and not rules.taken:
        problems.append(((), "has no rules: name files in `rule_files`, or write some in `rules`"))
    rest = {key: value for key, value in options.items() if key not in TAKES}
    return Prepared({**rest, "rules": rules.texts()}, problems, notes(settings, rules))


def _problem(refusal: Refusal, line: str) -> Problem:
    """Under `rule_files`, or under the rule itself where that stands in the table."""
    if refusal.origin.file:
        return ("rule_files",), line
    return ("rules", refusal.origin.line), line.partition(": ")[2]


def engine_check(check_options: CheckOptions) -> Check:
    """What the engine says of rules that it gets as the option `rules`."""

    def check(texts: list[str]) -> list[tuple[int, str]]:
        found = []
        for place, message in check_options({"rules": texts}):
            if len(place) == 2 and place[0] == "rules" and isinstance(place[1], int):
                found.append((place[1], message.removeprefix(f'"{texts[place[1]]}": ')))
        return found

    return check


def notes(settings: Settings, rules: RuleSet) -> list[str]:
    """What was read, and everything that was left out, for whoever runs the box."""
    found = [f"{len(rules.taken):,} rules taken of {len(rules.taken) + len(rules.refused):,}"]
    if rules.refused:
        found.append(f"{len(rules.refused):,} rules left out: they are outside the subset")
        found += [f"left out, {kind}: {count:,}" for kind, count in rules.reasons()]
    shown = rules.refused[:SKIPPED_SHOWN_MAX]
    found += [f"left out: {refusal.lines()[0]}" for refusal in shown]
    if len(rules.refused) > len(shown):
        command = "`ftmb rules check --unsupported skip --verbose` of the files tells of all"
        found.append(f"left out: {len(rules.refused) - len(shown):,} more; {command}")
    return found + rules.remarks()
