# SPDX-License-Identifier: BSD-3-Clause
"""Elements whose options are prepared: what is written is not what the element takes.

A preparation turns an element's table, as the TOML has it, into the options that its C code
declares. It runs once, where the configuration is loaded, so all processes of a box see the same,
and files that it reads may change later without effect on a box that runs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from ftmb.configuration.positions import Path

Problem = tuple[Path, str]
CheckOptions = Callable[[Mapping[str, Any]], list[Problem]]

# The element's name, and the module with its `prepare(options, folder, check_options) -> Prepared`
# and with TAKES, the keys that it reads; `folder` is where relative names of files begin.
PREPARATIONS = {"ids": "ftmb.rules.preparation"}


@dataclass(frozen=True)
class Prepared:
    """`options` for C; `problems` by their place in the element's table; `notes`: lines that
    whoever runs the box should see, though it may run."""

    options: dict[str, Any]
    problems: list[Problem]
    notes: list[str]


def prepare_elements(data: dict[str, Any], folder: FilePath) -> Iterator[Problem]:
    """Puts the options for C in the place of those that are written, and `notes` beside the tables;
    changes `data`, which must be the caller's own. What is malformed is stepped over."""
    if "notes" in data:
        yield ("notes",), "unknown key; it is what ftmb itself has to say"
    data["notes"] = notes = list[str]()
    found = data.get("element")
    tables: list[Any] = found if isinstance(found, list) else []
    for index, table in enumerate(tables):
        name = table.get("element") if isinstance(table, dict) else None
        if not isinstance(name, str) or name not in PREPARATIONS:
            continue
        done = _prepare(name, table, folder)
        tables[index] = done.options
        notes += [f"element {index + 1} ({name}): {note}" for note in done.notes]
        for place, message in done.problems:
            yield ("element", index, *place), message


def _prepare(name: str, table: dict[str, Any], folder: FilePath) -> Prepared:
    module = importlib.import_module(PREPARATIONS[name])
    elements = importlib.import_module("ftmb._native.elements")  # only a build provides it
    prepared: Prepared = module.prepare(table, folder, partial(_check, elements, name))
    return prepared


def _check(elements: Any, name: str, options: Mapping[str, Any]) -> list[Problem]:
    if name not in elements.element_classes():
        return []
    found: list[Problem] = elements.check_options(name, dict(options), [], 1)
    return found


def keys_of(name: str) -> tuple[str, ...]:
    """What may stand in an element's table beside the options of C."""
    if name not in PREPARATIONS:
        return ()
    return tuple(importlib.import_module(PREPARATIONS[name]).TAKES)
