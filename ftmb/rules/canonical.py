# SPDX-License-Identifier: BSD-3-Clause
"""One rule: from Suricata's text to the canonical one of elements/ids/RULES.md, or all that is in
the way of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ftmb.rules import keywords, matches, texts
from ftmb.rules.classification import PRIORITY_DEFAULT, PRIORITY_MAX, Classes
from ftmb.rules.head import ADDRESS, PORT, Kind, Variables
from ftmb.rules.problems import MALFORMED, Problem, Refused, malformed
from ftmb.rules.syntax import Entry, Option, Rule, SyntaxProblem, parse_rule

ACTIONS = ("alert", "drop", "pass")
PROTOCOLS = ("ip", "tcp", "udp", "icmp")
WITH_PORTS = ("tcp", "udp")
TEXT_BYTES_MAX = 8192
CATEGORY_BYTES_MAX = 128
FLOWBIT_OPTIONS_MAX = 8
LEFT_OUT = frozenset({"metadata", "reference", "target"})  # they say nothing of what is matched
ONCE = frozenset({"msg", "sid", "gid", "rev", "classtype", "category", "priority"})


@dataclass(frozen=True)
class Context:
    """What rules are read with."""

    variables: Variables
    classes: Classes


@dataclass(frozen=True)
class CanonicalRule:
    text: str
    gid: int
    sid: int
    rev: int
    flowbits_set: frozenset[str]
    flowbits_tested: frozenset[str]
    unknown_class: str | None  # its classtype, where nobody has said what that is


@dataclass
class _Reader:
    context: Context
    rule: Rule
    problems: list[Problem] = field(default_factory=list)
    matches: matches.Matches = field(default_factory=matches.Matches)
    options: list[str] = field(default_factory=list)
    identity: dict[str, str | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    flowbit_options: int = 0
    flowbits: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})

    def attempt(self, step: Callable[[], str], column: int = 0, name: str = "") -> str:
        """The step's text, or its problem noted."""
        try:
            return step()
        except Refused as refused:
            detail = f"{name}: {refused.detail}" if name else refused.detail
            self.problems.append(Problem(refused.kind, detail, column))
            return ""

    def head(self) -> str:
        rule = self.rule
        if rule.action not in ACTIONS:
            kind = f"action {rule.action}"
            detail = f"the {kind} is outside the subset: {', '.join(ACTIONS)}"
            self.problems.append(Problem(kind, detail, 1))
        if rule.protocol not in PROTOCOLS:
            kind = f"protocol {rule.protocol}"
            detail = f"the {kind} is outside the subset: {', '.join(PROTOCOLS)}"
            self.problems.append(Problem(kind, detail))
        parts = [rule.action, rule.protocol]
        for (addresses, ports), between in ((rule.source, rule.direction), (rule.destination, "")):
            parts.append(self._entry(addresses, ADDRESS))
            parts.append(self.attempt(lambda ports=ports: self._ports(ports)))  # type: ignore[misc]
            parts.append(between)
        return " ".join(part for part in parts if part)

    def _entry(self, entry: Entry, kind: Kind) -> str:
        return self.attempt(lambda: self.context.variables.canonical(entry, kind))

    def _ports(self, entry: Entry) -> str:
        ports = self.context.variables.canonical(entry, PORT)
        if (
            ports != "any"
            and self.rule.protocol in PROTOCOLS
            and self.rule.protocol not in WITH_PORTS
        ):
            kind = f"ports with protocol {self.rule.protocol}"
            raise Refused(kind, f"{kind} are outside the subset: write any")
        return ports

    def option(self, option: Option) -> None:
        name = option.name
        if name in LEFT_OUT:
            return
        if name in ONCE:
            if name in self.identity:
                self.problems.append(Problem(MALFORMED, f"{name} stands twice", option.column))
            self.identity[name] = option.value
            return
        text = self.attempt(lambda: self._keyword(option), option.column, name)
        if text:
            self.options.append(text)

    def _keyword(self, option: Option) -> str:
        name, value = option.name, option.value
        if name == "content":
            self.matches.add_content(value)
        elif name == "pcre":
            self.matches.add_pcre(value)
        elif name in matches.MODIFIERS:
            self.matches.modify(name, value)
        elif name in keywords.KEYWORDS:
            return self._checked(name, keywords.KEYWORDS[name](value))
        else:
            raise Refused(f"keyword {name}", "outside the subset")
        return ""

    def _checked(self, name: str, text: str) -> str:
        if name in self.seen and name not in keywords.REPEATED:
            raise Refused(f"{name} more than once", "a rule has one of it")
        self.seen.add(name)
        if {"threshold", "detection_filter"} <= self.seen:
            raise malformed("threshold and detection_filter exclude one another")
        needed = keywords.PROTOCOL_OF.get(name, self.rule.protocol)
        if needed != self.rule.protocol:
            raise Refused(
                f"{name} with protocol {self.rule.protocol}", f"needs the protocol {needed}"
            )
        if name == "flowbits":
            self._note_flowbits(text)
        return text

    def _note_flowbits(self, text: str) -> None:
        self.flowbit_options += 1
        if self.flowbit_options > FLOWBIT_OPTIONS_MAX:
            raise Refused(f"more than {FLOWBIT_OPTIONS_MAX} flowbits options",
                          f"a rule has at most {FLOWBIT_OPTIONS_MAX}")  # fmt: skip
        if "," in text:
            what, names = text.removeprefix("flowbits:").rstrip(";").split(",", 1)
            self.flowbits[what in keywords.FLOWBIT_TESTS] |= set(names.split("|"))

    def number(self, name: str, most: int, initial: int, least: int = 0) -> int:
        if name not in self.identity:
            return initial
        text = self.attempt(
            lambda: str(keywords.whole_number(name, self.identity[name], most, least)), name=name
        )
        return int(text or initial)

    def _text(self, name: str, step: Callable[[], str]) -> str:
        return f"{name}:{self.attempt(step, name=name)};"

    def shown(self) -> tuple[list[str], str | None]:
        """What an alert shows of the rule beside its numbers, and an unknown classtype."""
        found = []
        written = self.identity
        if "msg" in written:
            found.append(self._text("msg", lambda: texts.message(written["msg"])))
        name = written.get("classtype")
        known = self.context.classes.get(name.lower()) if name else None
        if "category" in written:
            found.append(
                self._text(
                    "category", lambda: texts.message(written["category"], CATEGORY_BYTES_MAX)
                )
            )
        elif known is not None:
            found.append(
                self._text("category", lambda: texts.quoted(known.category, CATEGORY_BYTES_MAX))
            )
        initial = known.priority if known else PRIORITY_DEFAULT
        found.append(f"priority:{self.number('priority', PRIORITY_MAX, initial, 1)};")
        return found, name if known is None else None


def read_rule(text: str, context: Context) -> tuple[CanonicalRule | None, list[Problem], int]:
    """The rule or everything that is in its way; and its sid, 0 where none could be read."""
    try:
        rule = parse_rule(text)
    except SyntaxProblem as error:
        return None, [error.problem], 0
    reader = _Reader(context, rule)
    head = reader.head()
    for option in rule.options:
        reader.option(option)
    found = reader.attempt(lambda: " ".join(reader.matches.canonical()))
    if "sid" not in reader.identity:
        reader.problems.append(Problem(MALFORMED, "a rule needs a sid"))
    sid = reader.number("sid", keywords.NUMBER_MAX, 0, 1)
    gid = reader.number("gid", keywords.NUMBER_MAX, 1)
    rev = reader.number("rev", keywords.NUMBER_MAX, 0, 1)
    shown, unknown_class = reader.shown()
    numbers = [f"sid:{sid};", f"gid:{gid};", *([f"rev:{rev};"] if rev else [])]
    parts = [*shown, *reader.options, *([found] if found else []), *numbers]
    canonical_text = f"{head} ({' '.join(parts)})"
    if not reader.problems and len(canonical_text.encode()) > TEXT_BYTES_MAX:
        kind = f"rule of more than {TEXT_BYTES_MAX:,} bytes"
        reader.problems.append(Problem(kind, f"a {kind}, with its variables replaced"))
    if reader.problems:
        return None, reader.problems, sid
    sets, tests = frozenset(reader.flowbits[False]), frozenset(reader.flowbits[True])
    return CanonicalRule(canonical_text, gid, sid, rev, sets, tests, unknown_class), [], sid
