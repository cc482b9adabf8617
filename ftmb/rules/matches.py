# SPDX-License-Identifier: BSD-3-Clause
"""`content` with its modifiers and `pcre`: what of a packet or stream a rule looks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

from ftmb.rules import texts
from ftmb.rules.problems import Refused, malformed

MATCHES_MAX = 32
OFFSET_MAX = 32000
FLAGS = ("nocase", "startswith", "endswith", "fast_pattern")
NUMBERS = {"offset": 0, "depth": 1, "distance": 0, "within": 1}  # and the smallest there may be
WITHOUT_EFFECT = ("rawbytes",)  # there is nothing but raw bytes in this subset
MODIFIERS = frozenset((*FLAGS, *NUMBERS, *WITHOUT_EFFECT))


@dataclass
class Match:
    """One content (`content` its bytes) or expression (`pcre`)."""

    negated: bool
    content: bytes = b""
    pcre: str = ""
    pcre_flags: str = ""
    flags: set[str] = field(default_factory=set)
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def is_relative(self) -> bool:
        return "R" in self.pcre_flags or bool({"distance", "within"} & self.numbers.keys())

    def canonical(self) -> list[str]:
        mark = "!" if self.negated else ""
        if self.pcre:
            return [f'pcre:{mark}"/{self.pcre}/{self.pcre_flags}";']
        modifiers = [f"{name};" for name in FLAGS if name in self.flags]
        modifiers += [f"{name}:{self.numbers[name]};" for name in NUMBERS if name in self.numbers]
        return [f"content:{mark}{texts.content_text(self.content)};", *modifiers]


class Matches:
    """Of one rule, in their order. Every method raises Refused."""

    def __init__(self) -> None:
        self.found: list[Match] = []

    def add_content(self, value: str | None) -> None:
        is_negated, rest = texts.negated(value)
        self._add(Match(is_negated, content=texts.content_bytes(rest)))

    def add_pcre(self, value: str | None) -> None:
        is_negated, rest = texts.negated(value)
        if rest is not None and rest.startswith('"!'):  # an older way of writing it
            is_negated, rest = True, '"' + rest[2:]
        expression, flags = texts.expression(rest)
        self._add(Match(is_negated, pcre=expression, pcre_flags=flags))

    def _add(self, match: Match) -> None:
        if len(self.found) == MATCHES_MAX:
            raise Refused(f"more than {MATCHES_MAX} contents and expressions",
                          f"a rule has at most {MATCHES_MAX} contents and expressions")  # fmt: skip
        self.found.append(match)

    def modify(self, name: str, value: str | None) -> None:
        """A modifier of the content before it."""
        match = next((match for match in reversed(self.found) if match.content), None)
        if match is None:
            raise malformed(f"{name} stands behind no content")
        if name in WITHOUT_EFFECT:
            return
        if name in FLAGS:
            if value is not None and name != "fast_pattern":
                raise malformed(f"{name} has no value")
            if value is not None and match.negated:
                raise malformed("fast_pattern with a value is of a content that is not negated")
            if name in match.flags:
                raise malformed(f"{name} twice for one content")
            match.flags.add(name)
            return
        if name in match.numbers:
            raise malformed(f"{name} twice for one content")
        match.numbers[name] = _number(name, value)

    def canonical(self) -> list[str]:
        """All of them as text; raises Refused for what does not go together."""
        if self.found and "R" in self.found[0].pcre_flags:
            raise malformed("an expression with R follows something")
        for match, following in zip_longest(self.found, self.found[1:]):
            _require_numbers_to_fit(match)
            if match.negated and match.is_relative:
                _require_negation_to_fit(match, following)
        return [text for match in self.found for text in match.canonical()]


def _number(name: str, value: str | None) -> int:
    try:
        number = int(value or "")
    except ValueError:
        if value and value.replace("_", "a").isalnum():
            raise Refused(
                f"{name} by a variable", f"{name}:{value} is outside the subset"
            ) from None
        raise malformed(f"{name} needs a number") from None
    if number < 0 and name == "distance":
        raise Refused("negative distance", f"distance:{number} is outside the subset")
    if not NUMBERS[name] <= number <= OFFSET_MAX:
        raise Refused(f"{name} out of range",
                      f"{name}:{number}; allowed: {NUMBERS[name]} to {OFFSET_MAX}")  # fmt: skip
    return number


def _require_numbers_to_fit(match: Match) -> None:
    names = match.numbers.keys()
    relative, absolute = {"distance", "within"} & names, {"offset", "depth"} & names
    if relative and absolute:
        both = " and ".join(sorted(relative | absolute))
        raise malformed(f"{both} for one content: its place is counted from one end only")
    if "startswith" in match.flags and names:
        raise malformed(f"startswith and {', '.join(sorted(names))} for one content")
    for name in ("depth", "within"):
        if match.numbers.get(name, OFFSET_MAX) < len(match.content):
            raise malformed(
                f"{name}:{match.numbers[name]} for a content of {len(match.content)} bytes"
            )


def _require_negation_to_fit(match: Match, following: Match | None) -> None:
    """Of what is relative only one byte near the end of a chain can be looked for in vain."""
    kind = "negated relative expression" if match.pcre else "negated relative content"
    is_fit = (
        not match.pcre
        and len(match.content) == 1
        and not ("nocase" in match.flags and match.content.isalpha())
        and "within" in match.numbers
        and (following is None or not following.is_relative)
    )
    if not is_fit:
        only = "only a content of one byte with `within`, at the end of a chain, may be"
        raise Refused(kind, f"a {kind} is outside the subset: {only}")
