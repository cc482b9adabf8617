# SPDX-License-Identifier: BSD-3-Clause
"""Elements of a user's own: `element = "./mything.so"` names a file, beside the TOML text's.

Such a table is given the element's name instead, and what to load in each process: the file and
the digest of its bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Problem = tuple[tuple[str | int, ...], str]


def is_file(element: object) -> bool:
    """Whether this is no name of an element but where one lies."""
    return isinstance(element, str) and ("/" in element or element.endswith(".so"))


def resolve_modules(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """Loads the files that the elements name; changes `data`, which must be the caller's own."""
    tables = data.get("element")
    files: dict[str, str] = {}
    for index, table in enumerate(tables if isinstance(tables, list) else []):
        if not isinstance(table, dict):
            continue
        if "module" in table:
            del table["module"]
            yield ("element", index, "module"), 'unknown key; a file is named by element = "./..."'
        if is_file(table.get("element")):
            problem = _resolve(table, folder, files)
            if problem is not None:
                yield ("element", index, "element"), problem


def _resolve(table: dict[str, Any], folder: Path, files: dict[str, str]) -> str | None:
    elements = importlib.import_module("ftmb._native.elements")  # only a build provides it
    path = folder.absolute() / table["element"]
    if "\0" in table["element"]:
        return "a file's name holds no character of value zero"
    try:
        module = elements.load_module(str(path))
    except ValueError as error:  # modules.ModuleError
        return str(error)
    if files.setdefault(module.name, module.digest) != module.digest:
        return f"{path} holds an element '{module.name}', as another file before it does"
    table["element"] = module.name
    table["module"] = {"path": str(path), "digest": module.digest}
    return None
