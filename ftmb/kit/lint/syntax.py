# SPDX-License-Identifier: BSD-3-Clause
"""An element's sources as syntax trees, and what the rules ask of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from clang.cindex import (
    Cursor,
    CursorKind,
    Diagnostic,
    Index,
    TranslationUnit,
    TranslationUnitLoadError,
    Type,
    TypeKind,
)

from ftmb.kit.lint.breach import Breach
from ftmb.kit.lint.compiled import compiler, include_flags

# Instructions that the compiler's headers write in gcc's words are left out.
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-DHASH_TABLE_SCALAR"]
CLASS = "struct ftmb_element_class"
# What runs with the box, for which init_shared and init_worker lay out the state; the table's
# functions read a copy of it.
ENTRIES_OF_RECORDS = ("process", "tick", "command")
ENTRIES_OF_STATE = ("init_shared", "init_worker")
TRANSPARENT = {CursorKind.UNEXPOSED_EXPR, CursorKind.PAREN_EXPR}
INTEGERS = {
    TypeKind.CHAR_S, TypeKind.CHAR_U, TypeKind.SCHAR, TypeKind.UCHAR, TypeKind.SHORT,
    TypeKind.USHORT, TypeKind.INT, TypeKind.UINT, TypeKind.LONG, TypeKind.ULONG,
    TypeKind.LONGLONG, TypeKind.ULONGLONG, TypeKind.INT128, TypeKind.UINT128,
}  # fmt: skip


@cache
def _compiler_headers() -> str:
    command = [compiler(), "-print-file-name=include"]
    return subprocess.check_output(command, text=True).strip()


@dataclass
class Function:
    """One that the element's own files define."""

    name: str
    cursor: Cursor
    refers_to: set[str] = field(default_factory=set)  # functions: called, or given to others
    calls: list[tuple[str, Cursor]] = field(default_factory=list)


@dataclass
class Sources:
    """All of one element's files."""

    units: list[TranslationUnit]
    folders: set[Path]
    functions: dict[str, Function] = field(default_factory=dict)
    entries: dict[str, set[str]] = field(default_factory=dict)  # member of the class: functions

    def own(self, cursor: Cursor) -> bool:
        """Whether this stands in the element's files, not in a header of somebody else's."""
        file = cursor.location.file
        return file is not None and Path(file.name).resolve().parent in self.folders

    def reachable(self, members: tuple[str, ...]) -> set[str]:
        """Functions that run when one of these members of the class is called."""
        found: set[str] = set()
        left = [name for member in members for name in self.entries.get(member, ())]
        while left:
            name = left.pop()
            if name not in found and name in self.functions:
                found.add(name)
                left += self.functions[name].refers_to
        return found

    def top_level(self) -> Iterator[Cursor]:
        for unit in self.units:
            yield from (cursor for cursor in unit.cursor.get_children() if self.own(cursor))


def parse(paths: list[Path], include: list[Path]) -> tuple[Sources, list[Breach]]:
    """The trees, and what keeps them from being trees."""
    arguments = [*FLAGS, *include_flags(include), "-isystem", _compiler_headers()]
    index, units, problems = Index.create(), [], []
    for path in paths:
        try:
            unit = index.parse(str(path), args=arguments)
        except TranslationUnitLoadError:
            problems.append(Breach(str(path), 0, "source", "", "it cannot be read"))
            continue
        units.append(unit)
        problems += [
            Breach(str(path), told.location.line, "source", told.spelling, told.spelling)
            for told in unit.diagnostics
            if told.severity >= Diagnostic.Error
        ]
    sources = Sources(units, {path.resolve().parent for path in paths})
    for unit in units:
        for cursor in unit.cursor.get_children():
            if cursor.kind == CursorKind.FUNCTION_DECL and cursor.is_definition():
                _note_function(sources, cursor)
            elif cursor.kind == CursorKind.VAR_DECL and CLASS in cursor.type.spelling:
                _note_entries(sources, cursor)
    return sources, problems


def _is_function(cursor: Cursor) -> bool:
    return (
        cursor.kind == CursorKind.DECL_REF_EXPR
        and cursor.referenced is not None
        and cursor.referenced.kind == CursorKind.FUNCTION_DECL
    )


def _note_function(sources: Sources, cursor: Cursor) -> None:
    function = Function(cursor.spelling, cursor)
    for inner in cursor.walk_preorder():
        if _is_function(inner):
            function.refers_to.add(inner.spelling)
            function.calls.append((inner.spelling, inner))
    if sources.own(cursor) or function.name not in sources.functions:
        sources.functions[function.name] = function


def _note_entries(sources: Sources, cursor: Cursor) -> None:
    for inner in cursor.walk_preorder():
        children = list(inner.get_children())
        if len(children) == 2 and children[0].kind == CursorKind.MEMBER_REF:
            value = children[1]
            names = {one.spelling for one in value.walk_preorder() if _is_function(one)}
            if names:
                sources.entries.setdefault(children[0].spelling, set()).update(names)


def stripped(cursor: Cursor) -> Cursor:
    """Without parentheses and implicit conversions round it."""
    while cursor.kind in TRANSPARENT:
        children = list(cursor.get_children())
        if len(children) != 1:
            break
        cursor = children[0]
    return cursor


def is_pointer(kind: Type) -> bool:
    return kind.get_canonical().kind in (TypeKind.POINTER, TypeKind.INCOMPLETEARRAY)


def is_integer(kind: Type) -> bool:
    return kind.get_canonical().kind in INTEGERS


def operator_of(cursor: Cursor) -> str:
    """Of a binary operator: what stands between its sides; "" within a macro."""
    left, right = list(cursor.get_children())[:2]
    after, before = left.extent.end.offset, right.extent.start.offset
    for token in cursor.get_tokens():
        if after <= token.extent.start.offset < before and token.spelling not in "()":
            return str(token.spelling)
    return ""


def at(cursor: Cursor, kind: str, what: str, message: str) -> Breach:
    """A breach where this stands."""
    return Breach(str(cursor.location.file), cursor.location.line, kind, what, message)
