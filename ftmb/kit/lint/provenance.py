# SPDX-License-Identifier: BSD-3-Clause
"""Whether two pointers are into one object, as `at < end` of a walk over a packet or a text.

Their order is the same in every process then. It is told from what they were made of: variables and
members, through assignments, and through parameters to all calls of a function.
"""

from __future__ import annotations

from collections.abc import Iterator

from clang.cindex import Cursor, CursorKind, TypeKind

from ftmb.kit.lint.syntax import Function, Sources, is_pointer, operator_of, stripped

CALLS_DEEP = 3
ARRAYS = {TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY}


def in_one_object(
    sources: Sources, function: Function, left: Cursor, right: Cursor, depth: int = CALLS_DEEP
) -> bool:
    """Whether both are made of the same thing, wherever the function is called from."""
    made_of = _assigned(function.cursor)
    roots = [_closed(made_of, set(_named(side))) for side in (left, right)]
    if roots[0] & roots[1]:
        return True
    parameters = [one.spelling for one in function.cursor.get_arguments()]
    places = [[parameters.index(root) for root in side if root in parameters] for side in roots]
    if depth == 0 or not all(places):
        return False
    calls = list(_calls_of(sources, function.name))
    return bool(calls) and all(
        any(
            in_one_object(sources, caller, arguments[first], arguments[second], depth - 1)
            for first in places[0]
            for second in places[1]
        )
        for caller, arguments in calls
    )


def _calls_of(sources: Sources, name: str) -> Iterator[tuple[Function, list[Cursor]]]:
    for caller in sources.functions.values():
        for cursor in caller.cursor.walk_preorder():
            if cursor.kind == CursorKind.CALL_EXPR and cursor.spelling == name:
                yield caller, list(cursor.get_arguments())


def _named(expression: Cursor) -> Iterator[str]:
    """Variables and members that hold a pointer or an array, in an expression."""
    plain = stripped(expression)
    if plain.kind == CursorKind.MEMBER_REF_EXPR:
        owner = next(iter(plain.get_children()), None)
        yield ".".join((*(_named(owner) if owner is not None else ()), plain.spelling))
        return
    if plain.kind == CursorKind.DECL_REF_EXPR:
        if is_pointer(plain.type) or plain.type.get_canonical().kind in ARRAYS:
            yield plain.spelling
        return
    for child in plain.get_children():
        yield from _named(child)


def _assigned(function: Cursor) -> dict[str, set[str]]:
    """For each variable, of what the values are made that it is given."""
    found: dict[str, set[str]] = {}
    for cursor in function.walk_preorder():
        children = list(cursor.get_children())
        if cursor.kind == CursorKind.VAR_DECL and children:
            found.setdefault(cursor.spelling, set()).update(_named(children[-1]))
        elif cursor.kind == CursorKind.BINARY_OPERATOR and operator_of(cursor) == "=":
            for name in _named(children[0]):
                found.setdefault(name, set()).update(_named(children[1]))
    return found


def _closed(made_of: dict[str, set[str]], names: set[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += made_of.get(name, ())
    return found
