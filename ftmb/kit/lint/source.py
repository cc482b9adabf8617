# SPDX-License-Identifier: BSD-3-Clause
"""What the sources tell and an object does not: pointers taken for what they are not, memory that
is allocated in the wrong place, variables with their lines."""

from __future__ import annotations

from collections.abc import Iterator

from clang.cindex import Cursor, CursorKind, StorageClass, TLSKind, Type, TypeKind

from ftmb.kit.lint.breach import Breach
from ftmb.kit.lint.provenance import in_one_object
from ftmb.kit.lint.symbols import kind_of
from ftmb.kit.lint.syntax import (
    ENTRIES_OF_RECORDS,
    ENTRIES_OF_STATE,
    Sources,
    at,
    is_integer,
    is_pointer,
    operator_of,
    stripped,
)

ORDERS = {"<", ">", "<=", ">="}
ALLOCATORS = {"ftmb_allocate_shared", "ftmb_allocate_worker", "ftmb_allocate_guarded"}
ARENA_MEMBERS = {"state", "shared"}  # of a context
TABLE_ENTRIES = ("steer", "check_command")


def source_breaches(sources: Sources) -> Iterator[Breach]:
    """All but those of shared state."""
    state = _arena_structs(sources)
    for cursor in sources.top_level():
        passing: set[int] = set()
        for inner in cursor.walk_preorder():
            yield from _in_expression(inner, state, passing)
            yield from _variable(inner)
    yield from _orders(sources)
    yield from _calls(sources)
    yield from _pointers_in_state(sources)


def _in_expression(cursor: Cursor, state: set[str], passing: set[int]) -> Iterator[Breach]:
    match cursor.kind:
        case CursorKind.CSTYLE_CAST_EXPR:
            if cursor.hash not in passing:
                yield from _cast(cursor, state, passing)
        case CursorKind.STRING_LITERAL if "%p" in cursor.spelling:
            yield at(cursor, "pointer order", "%p", "a pointer is written out")
        case CursorKind.ASM_STMT | CursorKind.MS_ASM_STMT:
            yield at(cursor, "assembly", "asm", "there is assembly in it")
        case _:
            pass


def _orders(sources: Sources) -> Iterator[Breach]:
    """Comparisons of pointers that are not into one object."""
    for function in sources.functions.values():
        if not sources.own(function.cursor):
            continue
        for cursor in function.cursor.walk_preorder():
            if cursor.kind != CursorKind.BINARY_OPERATOR:
                continue
            sides = [stripped(side) for side in cursor.get_children()]
            if not all(is_pointer(side.type) for side in sides):
                continue
            is_order = operator_of(cursor) in ORDERS
            if is_order and not in_one_object(sources, function, sides[0], sides[1]):
                what = sides[0].spelling or "a pointer"
                yield at(cursor, "pointer order", what, f"{what} is compared by its place")


def _inner(cast: Cursor) -> Cursor | None:
    children = [one for one in cast.get_children() if one.kind.is_expression()]
    return stripped(children[-1]) if children else None


def _cast(cursor: Cursor, state: set[str], passing: set[int]) -> Iterator[Breach]:
    """`state`: structs in the arena, which are the element's own to write. `passing`: a number that
    is a pointer again at once is none."""
    inner = _inner(cursor)
    if inner is None:
        return
    if inner.kind == CursorKind.CSTYLE_CAST_EXPR and is_integer(inner.type):
        deeper = _inner(inner)
        if is_pointer(cursor.type) and deeper is not None and is_pointer(deeper.type):
            passing.add(inner.hash)
            inner = deeper
    to, of = cursor.type, inner.type
    what = inner.spelling or to.spelling
    if is_integer(to) and is_pointer(of):
        yield at(cursor, "pointer order", what, f"{what}, a pointer, is taken as a number")
    elif (
        is_pointer(to)
        and is_pointer(of)
        and _is_const(of)
        and not _is_const(to)
        and _pointee(of).get_declaration().spelling not in state
    ):
        yield at(cursor, "const", what, f"{what}, which is constant, is made writable")


def _pointee(kind: Type) -> Type:
    return kind.get_canonical().get_pointee()


def _is_const(pointer: Type) -> bool:
    return bool(_pointee(pointer).is_const_qualified())


def _variable(cursor: Cursor) -> Iterator[Breach]:
    """Of a whole file, or static in a function: whatever is not constant."""
    if cursor.kind != CursorKind.VAR_DECL:
        return
    parent = cursor.semantic_parent
    is_global = parent is not None and parent.kind == CursorKind.TRANSLATION_UNIT
    if not (is_global or cursor.storage_class == StorageClass.STATIC):
        return
    if cursor.tls_kind != TLSKind.NONE:
        what = f"{cursor.spelling} is another one in each thread"
        yield at(cursor, "identity", cursor.spelling, what)
    elif not cursor.type.get_canonical().is_const_qualified():
        yield at(cursor, "static", cursor.spelling, f"{cursor.spelling} can be written")


def _calls(sources: Sources) -> Iterator[Breach]:
    """With their lines; memory only where it is neither scratch nor configuration."""
    no_memory = sources.reachable((*ENTRIES_OF_RECORDS, *ENTRIES_OF_STATE, *TABLE_ENTRIES))
    for function in sources.functions.values():
        if not sources.own(function.cursor):
            continue
        for name, cursor in function.calls:
            if name in sources.functions or name.startswith("__builtin_"):
                continue  # what the compiler makes of those, the object tells
            kind = kind_of(name)
            if kind is not None and (kind != "memory" or function.name in no_memory):
                yield at(cursor, kind, name, f"{name}() is called")


def _pointers_in_state(sources: Sources) -> Iterator[Breach]:
    seen: set[str] = set()
    for function in sources.functions.values():
        if sources.own(function.cursor):
            for kind in _state_types(function.cursor):
                yield from _pointer_members(kind, function.cursor, seen)


def _arena_structs(sources: Sources) -> set[str]:
    return {
        kind.get_canonical().get_declaration().spelling
        for function in sources.functions.values()
        for kind in _state_types(function.cursor)
    } - {""}


def _state_types(function: Cursor) -> Iterator[Type]:
    """Of what is allocated in the arena, and of what a context's state and shared are taken for."""
    for cursor in function.walk_preorder():
        if cursor.kind == CursorKind.CALL_EXPR and cursor.spelling in ALLOCATORS:
            for inner in cursor.walk_preorder():
                if inner.kind == CursorKind.CXX_UNARY_EXPR:  # sizeof
                    yield from _measured(inner)
        elif (
            cursor.kind == CursorKind.VAR_DECL
            and is_pointer(cursor.type)
            and any(_is_state(inner) for inner in cursor.get_children())
        ):
            yield _pointee(cursor.type)


def _measured(size: Cursor) -> Iterator[Type]:
    """The type of which a sizeof is."""
    for child in size.get_children():
        if child.kind == CursorKind.TYPE_REF:
            yield child.type
            return
        yield child.type


def _is_state(cursor: Cursor) -> bool:
    plain = stripped(cursor)
    if plain.kind == CursorKind.CALL_EXPR and plain.spelling in ALLOCATORS:
        return True
    return (
        plain.kind == CursorKind.MEMBER_REF_EXPR
        and plain.spelling in ARENA_MEMBERS
        and plain.referenced is not None
        and plain.referenced.semantic_parent.spelling == "ftmb_context"
    )


def _pointer_members(kind: Type, where: Cursor, seen: set[str]) -> Iterator[Breach]:
    kind = kind.get_canonical()
    while kind.kind in (TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY):
        kind = kind.get_array_element_type().get_canonical()
    if kind.kind != TypeKind.RECORD or kind.spelling in seen:
        return
    seen.add(kind.spelling)
    for member in kind.get_fields():
        inner = member.type.get_canonical()
        while inner.kind in (TypeKind.CONSTANTARRAY, TypeKind.INCOMPLETEARRAY):
            inner = inner.get_array_element_type().get_canonical()
        if inner.kind == TypeKind.POINTER:
            what = f"{kind.get_declaration().spelling}.{member.spelling}"
            yield at(member, "pointer in state", what, f"{what} is a pointer")
        else:
            yield from _pointer_members(inner, where, seen)
