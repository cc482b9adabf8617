# SPDX-License-Identifier: BSD-3-Clause
"""What an operator writes about rules, in an element's table or on the command line, and all that
is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftmb.rules.canonical import Context
from ftmb.rules.classification import Classes, parse, usual
from ftmb.rules.files import NotRead, Origin, RuleText, matching, read_text, rules_of
from ftmb.rules.head import DEFAULT_VARIABLES, Variables

# Where in the element's table, such as ("rule_files", 0), and what is wrong there.
Problem = tuple[tuple[str | int, ...], str]

REFUSE, SKIP = "refuse", "skip"
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Settings:
    """`rules`: those of the files, then those that stand in the table itself."""

    rules: list[RuleText] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    classes: Classes = field(default_factory=usual)
    skips: bool = False
    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def context(self) -> Context:
        return Context(Variables({**DEFAULT_VARIABLES, **self.variables}), self.classes)


def gather(options: Mapping[str, Any], folder: Path) -> Settings:
    """From an element's table; files are looked for from `folder` on."""
    settings = Settings()
    _take_files(settings, options.get("rule_files", []), folder)
    _take_inline(settings, options.get("rules", []))
    _take_variables(settings, options.get("variables", {}))
    _take_classes(settings, options.get("classification"), folder)
    unsupported = options.get("unsupported", REFUSE)
    if unsupported not in (REFUSE, SKIP):
        settings.problems.append((("unsupported",), f'must be one of: "{REFUSE}", "{SKIP}"'))
    settings.skips = unsupported == SKIP
    return settings


def _texts(settings: Settings, key: str, value: Any) -> list[tuple[int, str]]:
    """The entries of a list of texts; what is none is a problem."""
    if not isinstance(value, list | tuple):
        settings.problems.append(((key,), "must be a list of texts"))
        return []
    wrong = [index for index, entry in enumerate(value) if not isinstance(entry, str)]
    settings.problems += [((key, index), "must be text in quotes") for index in wrong]
    return [(index, entry) for index, entry in enumerate(value) if isinstance(entry, str)]


def _take_files(settings: Settings, value: Any, folder: Path) -> None:
    for index, pattern in _texts(settings, "rule_files", value):
        try:
            for path in matching(pattern, folder):
                settings.rules += rules_of(read_text(path), str(path))
                settings.files.append(path)
        except (NotRead, ValueError) as error:
            settings.problems.append((("rule_files", index), str(error)))


def _take_inline(settings: Settings, value: Any) -> None:
    for index, text in _texts(settings, "rules", value):
        settings.rules.append(RuleText(Origin("", index), " ".join(text.split("\n")).strip()))


def _take_variables(settings: Settings, value: Any) -> None:
    if not isinstance(value, dict):
        settings.problems.append((("variables",), "must be a table of texts"))
        return
    for name, text in value.items():
        if not isinstance(text, str):
            settings.problems.append((("variables", name), "must be text in quotes"))
        elif not _VARIABLE_NAME.fullmatch(name):
            allowed = "a variable's name has letters, digits and '_', without '$'"
            settings.problems.append((("variables", name), allowed))
    settings.variables = {name: text for name, text in value.items() if isinstance(text, str)}


def _take_classes(settings: Settings, value: Any, folder: Path) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        settings.problems.append((("classification",), "must be text in quotes"))
        return
    path = folder / Path(value).expanduser()
    try:
        settings.classes, wrong = parse(read_text(path))
    except NotRead as error:
        settings.problems.append((("classification",), str(error)))
        return
    settings.problems += [
        (("classification",), f"{path}:{line}: {message}") for line, message in wrong
    ]
