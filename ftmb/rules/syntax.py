# SPDX-License-Identifier: BSD-3-Clause
"""From a rule's text to its parts, whatever they mean: head, and options with their values.

Options end at a `;` without a backslash before it, also within quotes, as Suricata has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from ftmb.rules.problems import MALFORMED, Problem

LENGTH_MAX = 65536
DEPTH_MAX = 16  # of lists in lists

GRAMMAR = r"""
    rule: WORD WORD place place DIRECTION place place "(" option+ ")"
    place: entry ("," entry)*
    entry: [NOT] (WORD | list)
    list: "[" entry ("," entry)* "]"
    option: NAME [":" VALUE] ";"

    NOT: "!"
    DIRECTION: "->" | "<>"
    WORD: /(?!->|<>)[^\s\[\]!,()]+/
    NAME: /[A-Za-z_][\w.-]*/
    VALUE: /(?:[^;]|(?<=\\);)+/
    %ignore /\s+/
"""
NAMES = {  # of the terminals, for people
    "WORD": "a word",
    "DIRECTION": "'->' or '<>'",
    "NOT": "'!'",
    "NAME": "an option",
    "VALUE": "a value",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "COLON": "':'",
    "SEMICOLON": "';'",
    "$END": "the end",
}


@dataclass(frozen=True)
class Entry:
    """A place of addresses or ports: one word, or a list of entries; `negated` by a `!`."""

    word: str
    members: tuple[Entry, ...]
    negated: bool
    depth: int


@dataclass(frozen=True)
class Option:
    name: str
    value: str | None
    column: int


@dataclass(frozen=True)
class Rule:
    """`source`, `destination`: addresses and ports."""

    action: str
    protocol: str
    source: tuple[Entry, Entry]
    direction: str
    destination: tuple[Entry, Entry]
    options: tuple[Option, ...]


class SyntaxProblem(Exception):
    """It has not the form of a rule."""

    def __init__(self, detail: str, column: int = 0) -> None:
        super().__init__(detail)
        self.problem = Problem(MALFORMED, detail, column)


@v_args(inline=True)
class _Parts(Transformer[Token, Rule]):
    def entry(self, negation: Token | None, what: Token | tuple[Entry, ...]) -> Entry:
        if isinstance(what, Token):
            return Entry(str(what), (), negation is not None, 0)
        depth = 1 + max(member.depth for member in what)
        if depth > DEPTH_MAX:
            raise SyntaxProblem(f"lists stand in more than {DEPTH_MAX} others")
        return Entry("", what, negation is not None, depth)

    def place(self, first: Entry, *more: Entry) -> Entry:
        """A list may go without its brackets."""
        return Entry("", (first, *more), False, 1) if more else first

    def list(self, *members: Entry) -> tuple[Entry, ...]:
        return members

    def option(self, name: Token, value: Token | None) -> Option:
        text = None if value is None else value.strip()
        return Option(str(name).lower(), text or None, name.column or 0)

    def rule(self, action: Token, protocol: Token, *rest: Entry | Token | Option) -> Rule:
        entries = [part for part in rest if isinstance(part, Entry)]
        direction = next(str(part) for part in rest if isinstance(part, Token))
        options = tuple(part for part in rest if isinstance(part, Option))
        source, destination = (entries[0], entries[1]), (entries[2], entries[3])
        return Rule(
            str(action).lower(), str(protocol).lower(), source, direction, destination, options
        )


@cache
def _parser() -> Lark:
    return Lark(
        GRAMMAR,
        parser="lalr",
        start=["rule", "place"],
        transformer=_Parts(),
        maybe_placeholders=True,
    )


def parse_rule(text: str) -> Rule:
    """Raises SyntaxProblem."""
    rule = _parsed(text, "rule")
    assert isinstance(rule, Rule)
    return rule


def parse_entry(text: str) -> Entry:
    """What a variable holds; raises SyntaxProblem."""
    entry = _parsed(text, "place")
    assert isinstance(entry, Entry)
    return entry


def _parsed(text: str, start: str) -> object:
    if len(text) > LENGTH_MAX:
        raise SyntaxProblem(f"it has {len(text):,} characters; at most {LENGTH_MAX:,} are read")
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as error:
        raise _described(text, error) from None
    except VisitError as error:
        raise error.orig_exc from None


def _described(text: str, error: UnexpectedInput) -> SyntaxProblem:
    names = getattr(error, "accepts", None) or getattr(error, "expected", None)
    names = names or getattr(error, "allowed", None) or ()
    wanted = " or ".join(sorted(NAMES.get(name, name) for name in names)) or "something else"
    place = error.pos_in_stream
    at_end = place is None or place < 0 or place >= len(text)
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        at_end = True
    if at_end or place is None:
        return SyntaxProblem(f"it ends where {wanted} is needed", len(text) + 1)
    return SyntaxProblem(f"found '{text[place : place + 12]}' where {wanted} is needed", place + 1)
