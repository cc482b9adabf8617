# SPDX-License-Identifier: BSD-3-Clause
"""What an element may do all the same, one by one, each with the reason why it does no harm.

    [[allow]]
    kind = "unknown"              # as the lint calls it
    what = "hs_*"                 # the name that the lint says; * and ? stand for anything
    reason = "a scan's result depends on its arguments alone; its scratch is in init_scratch"

An entry that allows nothing any more is itself a breach: the list stays what it was reviewed as.
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ftmb.kit.lint.breach import KINDS, Breach, LintError

FILE = "contract.toml"
KEYS = {"kind", "what", "reason"}


def read(path: Path) -> list[dict[str, str]]:
    """The entries of one file. LintError: it cannot be read, or is not such a list."""
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LintError(f"{path}: {error}") from None
    entries = data.get("allow", [])
    if data.keys() - {"allow"} or not isinstance(entries, list):
        raise LintError(f"{path}: only [[allow]] tables belong there")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or entry.keys() != KEYS or not all(entry.values()):
            raise LintError(f"{path}: allow[{number}] needs all of kind, what and reason")
        if entry["kind"] not in KINDS:
            raise LintError(f"{path}: allow[{number}]: kinds are {', '.join(KINDS)}")
    return entries


def without_allowed(found: list[Breach], path: Path | None) -> list[Breach]:
    """What is left, and those entries that allow nothing."""
    if path is None:
        return found
    entries = read(path)
    used: set[int] = set()
    left = []
    for breach in found:
        matching = [
            number
            for number, entry in enumerate(entries)
            if entry["kind"] == breach.kind and fnmatchcase(breach.what, entry["what"])
        ]
        used.update(matching)
        if not matching:
            left.append(breach)
    for number, entry in enumerate(entries):
        if number not in used:
            message = f"{entry['kind']} {entry['what']} is allowed, but is not there"
            left.append(Breach(str(path), 0, "exception", entry["what"], message))
    return left
