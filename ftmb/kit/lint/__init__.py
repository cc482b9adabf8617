# SPDX-License-Identifier: BSD-3-Clause
"""Elements looked at without running them: would a standby become what its master is?

Of sources, the compiler's warnings, the compiled objects and the syntax trees are looked at; of a
shared object, itself. `ftmb lint-element` tells it; elements/README.md says what of the contract
this finds, and what only a run does.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

from ftmb.kit.lint import exceptions
from ftmb.kit.lint.breach import KINDS, Breach, LintError
from ftmb.kit.lint.compiled import compile_source
from ftmb.kit.lint.objects import Object, object_breaches
from ftmb.kit.lint.shared import shared_breaches
from ftmb.kit.lint.source import source_breaches
from ftmb.kit.lint.syntax import parse

__all__ = ["KINDS", "Breach", "LintError", "lint"]


def lint(
    paths: list[Path], allow: Path | None = None, include: list[Path] | None = None
) -> list[Breach]:
    """Every breach in one element: its C sources, its shared object, or a folder with sources.

    `allow`: its list of exceptions (exceptions.py); left out, contract.toml beside the first path
    if it is there. `include`: more folders with headers. LintError: nothing could be looked at.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise LintError(f"{path}: there is no such file")
        found += sorted(path.glob("*.c")) if path.is_dir() else [path]
    sources = [path for path in found if path.suffix == ".c"]
    objects = [path for path in found if path.suffix != ".c"]
    if not found:
        raise LintError(f"{paths[0]}: there are no C sources in it")
    breaches = _of_sources(sources, list(include or [])) if sources else []
    for path in objects:
        breaches += _of_objects([(path, str(path))], knows_memory=bool(sources))
    breaches = _told_once(breaches)
    first = paths[0] if paths[0].is_dir() else paths[0].parent
    beside = first / exceptions.FILE
    return exceptions.without_allowed(breaches, allow or (beside if beside.exists() else None))


def _of_sources(paths: list[Path], include: list[Path]) -> list[Breach]:
    with TemporaryDirectory(prefix="ftmb-lint-") as folder:
        compiled = []
        breaches: list[Breach] = []
        for number, path in enumerate(paths):
            target = Path(folder) / f"{number}.o"
            breaches += compile_source(path, target, include)
            if target.exists():
                compiled.append((target, str(path)))
        breaches += _of_objects(compiled, knows_memory=True)
    sources, problems = parse(paths, include)
    if any(breach.kind == "source" for breach in breaches):
        return breaches
    return [*breaches, *problems, *source_breaches(sources), *shared_breaches(sources)]


def _of_objects(paths: list[tuple[Path, str]], knows_memory: bool) -> list[Breach]:
    with contextlib.ExitStack() as exits:
        objects = []
        for path, shown in paths:
            objects.append(Object(path, shown))
            exits.callback(objects[-1].close)
        provided = set().union(*(one.provided() for one in objects)) if objects else set()
        return [
            breach for one in objects for breach in object_breaches(one, provided, knows_memory)
        ]


def _told_once(found: list[Breach]) -> list[Breach]:
    """What the source tells with its line, an object need not tell again."""
    with_line = {(breach.kind, breach.what) for breach in found if breach.line}
    return sorted(
        {breach for breach in found if breach.line or (breach.kind, breach.what) not in with_line}
    )
