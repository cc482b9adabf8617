# SPDX-License-Identifier: BSD-3-Clause
"""Shared state that is touched without its variable.

What is written while the box runs, in a struct that lies in the shared part, may be touched between
an acquire and the last release of the same function, or in a function whose callers all hold a
variable. A function that ends with one held acquires for its caller. Which variable guards what
only the element's author knows, and is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clang.cindex import Cursor, CursorKind

from ftmb.kit.lint.breach import Breach
from ftmb.kit.lint.syntax import ENTRIES_OF_RECORDS, Sources, at, operator_of, stripped

ACQUIRE, RELEASE = "ftmb_shared_acquire", "ftmb_shared_release"
ALLOCATORS = {"ftmb_allocate_shared", "ftmb_allocate_guarded"}
CHANGES = {"++", "--"}
FILE_END = 1 << 31

Member = tuple[str, str]  # the struct's name, its own


def shared_breaches(sources: Sources) -> Iterator[Breach]:
    """Places where a variable should be held, and none is."""
    structs = _shared_structs(sources)
    running = sources.reachable(ENTRIES_OF_RECORDS)
    accesses = {
        name: list(_accesses(sources.functions[name].cursor, structs))
        for name in running
        if sources.own(sources.functions[name].cursor)
    }
    written = {member for found in accesses.values() for member, _, is_write in found if is_write}
    taking = _taking(sources)
    held = _called_with_one_held(sources, running, taking)
    for name, found in accesses.items():
        if name in held:
            continue
        begin, end = _held_between(sources, name, taking)
        for member, cursor, _ in found:
            if member in written and not begin <= cursor.extent.start.offset < end:
                what = ".".join(member)
                yield at(cursor, "shared state", what, f"{what} is touched with nothing acquired")


def _shared_structs(sources: Sources) -> set[str]:
    """Names of structs that are allocated in the shared part or that context->shared is taken
    for."""
    found = set()
    for function in sources.functions.values():
        for cursor in function.cursor.walk_preorder():
            if cursor.kind == CursorKind.CALL_EXPR and cursor.spelling in ALLOCATORS:
                found |= {
                    inner.type.get_canonical().get_declaration().spelling
                    for inner in cursor.walk_preorder()
                    if inner.kind == CursorKind.TYPE_REF
                }
            elif cursor.kind == CursorKind.VAR_DECL and _is_shared(cursor):
                pointee = cursor.type.get_canonical().get_pointee()
                found.add(pointee.get_declaration().spelling)
    return found - {""}


def _is_shared(variable: Cursor) -> bool:
    for child in variable.get_children():
        plain = stripped(child)
        if plain.kind == CursorKind.MEMBER_REF_EXPR and plain.spelling == "shared":
            return True
        if plain.kind == CursorKind.CALL_EXPR and plain.spelling in ALLOCATORS:
            return True
    return False


def _accesses(function: Cursor, structs: set[str]) -> Iterator[tuple[Member, Cursor, bool]]:
    """(member, where, whether it is written) of all that touch such a struct."""
    written = {found.hash for found in _written(function)}
    for cursor in function.walk_preorder():
        if cursor.kind == CursorKind.MEMBER_REF_EXPR and cursor.referenced is not None:
            struct = cursor.referenced.semantic_parent.spelling
            if struct in structs:
                yield (struct, cursor.spelling), cursor, cursor.hash in written


def _written(function: Cursor) -> Iterator[Cursor]:
    for cursor in function.walk_preorder():
        children = list(cursor.get_children())
        is_changed = (
            cursor.kind == CursorKind.COMPOUND_ASSIGNMENT_OPERATOR
            or (cursor.kind == CursorKind.BINARY_OPERATOR and operator_of(cursor) == "=")
            or (cursor.kind == CursorKind.UNARY_OPERATOR and _changes(cursor))
        )
        if is_changed and children:
            target = stripped(children[0])
            while target.kind == CursorKind.ARRAY_SUBSCRIPT_EXPR:
                target = stripped(next(iter(target.get_children())))
            yield target


def _changes(cursor: Cursor) -> bool:
    tokens = [token.spelling for token in cursor.get_tokens()]
    return bool(tokens) and (tokens[0] in CHANGES or tokens[-1] in CHANGES)


@dataclass
class Taking:
    """Functions after which the caller holds a variable, or does not any more."""

    acquiring: set[str]
    releasing: set[str]


def _taking(sources: Sources) -> Taking:
    found = Taking({ACQUIRE}, {RELEASE})
    while True:
        before = len(found.acquiring) + len(found.releasing)
        for name in sources.functions:
            acquired, released = _places(sources, name, found)
            if acquired and max(acquired) > max(released, default=0):
                found.acquiring.add(name)
            elif released and not acquired:
                found.releasing.add(name)
        if len(found.acquiring) + len(found.releasing) == before:
            return found


def _places(sources: Sources, name: str, taking: Taking) -> tuple[list[int], list[int]]:
    """Where in the text a function acquires and where it releases."""
    calls = sources.functions[name].calls
    acquired = [where.extent.start.offset for one, where in calls if one in taking.acquiring]
    released = [where.extent.start.offset for one, where in calls if one in taking.releasing]
    return acquired, released


def _held_between(sources: Sources, name: str, taking: Taking) -> tuple[int, int]:
    """From where to where in the file a variable is held, by the order of the text."""
    acquired, released = _places(sources, name, taking)
    if not acquired:
        return 0, 0
    last = max(released, default=0)
    return min(acquired), last if last > max(acquired) else FILE_END


def _called_with_one_held(sources: Sources, running: set[str], taking: Taking) -> set[str]:
    """Functions all of whose calls stand where a variable is held."""
    entries = {name for member in ENTRIES_OF_RECORDS for name in sources.entries.get(member, ())}
    held = {name for name in running - entries if not _places(sources, name, taking)[0]}
    while True:
        bare = set()
        for caller in running - held:
            begin, end = _held_between(sources, caller, taking)
            for called, where in sources.functions[caller].calls:
                if called in held and not begin <= where.extent.start.offset < end:
                    bare.add(called)
        if not bare:
            return held
        held -= bare
