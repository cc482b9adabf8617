# SPDX-License-Identifier: BSD-3-Clause
"""All rules of an element together: which are taken, which are not, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ftmb.rules.canonical import CanonicalRule, Context, read_rule
from ftmb.rules.files import Origin, RuleText
from ftmb.rules.problems import Problem

_NUMBER = re.compile(r"\d+")
RULES_MAX = 16384
FLOWBITS_MAX = 256

# What the engine says of canonical rules: the place of each in the list, and what is wrong.
Check = Callable[[list[str]], list[tuple[int, str]]]


@dataclass(frozen=True)
class Taken:
    origin: Origin
    rule: CanonicalRule


@dataclass(frozen=True)
class Refusal:
    """A rule that is not taken. `sid` is 0 where none could be read."""

    origin: Origin
    sid: int
    problems: tuple[Problem, ...]

    def lines(self) -> list[str]:
        rule = f"{self.origin}: rule {self.sid}: " if self.sid else f"{self.origin}: "
        return [rule + str(problem) for problem in self.problems]


@dataclass(frozen=True)
class RuleSet:
    taken: tuple[Taken, ...]
    refused: tuple[Refusal, ...]

    def texts(self) -> list[str]:
        return [taken.rule.text for taken in self.taken]

    def reasons(self) -> list[tuple[str, int]]:
        """Rules by the first thing that is in the way of each; the most frequent first."""
        counts = Counter(refusal.problems[0].kind for refusal in self.refused)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    def remarks(self) -> list[str]:
        """What is worth knowing of rules that are taken."""
        found = []
        set_somewhere = {name for taken in self.taken for name in taken.rule.flowbits_set}
        waiting = [t for t in self.taken if t.rule.flowbits_tested - set_somewhere]
        if waiting:
            names = sorted({n for t in waiting for n in t.rule.flowbits_tested - set_somewhere})
            found.append(
                f"{len(waiting):,} rules test flowbits that no rule taken sets: {_few(names)}"
            )
        classes = sorted({t.rule.unknown_class for t in self.taken if t.rule.unknown_class})
        if classes:
            found.append(f"unknown classtypes, taken as priority 3: {_few(classes)}")
        return found


def _few(names: Sequence[str], count: int = 5) -> str:
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def read(rules: Iterable[RuleText], context: Context, check: Check | None = None) -> RuleSet:
    """`check`: the engine's own, whose word is the last."""
    taken: list[Taken] = []
    refused: list[Refusal] = []
    for one in rules:
        rule, problems, sid = read_rule(one.text, context)
        if rule is None:
            refused.append(Refusal(one.origin, sid, tuple(problems)))
        else:
            taken.append(Taken(one.origin, rule))
    for step in (_newest_of_each, _within_bounds, _by_the_engine(check)):
        taken, left_out = step(taken)
        refused += left_out
    order = {one: place for place, one in enumerate(sorted({r.origin.file for r in refused}))}
    refused.sort(key=lambda refusal: (order[refusal.origin.file], refusal.origin.line))
    return RuleSet(tuple(taken), tuple(refused))


Outcome = tuple[list[Taken], list[Refusal]]


def _refusal(taken: Taken, kind: str, detail: str) -> Refusal:
    return Refusal(taken.origin, taken.rule.sid, (Problem(kind, detail),))


def _newest_of_each(taken: list[Taken]) -> Outcome:
    """Of rules with one gid and sid the highest revision, the first of several."""
    newest: dict[tuple[int, int], Taken] = {}
    for one in taken:
        key = one.rule.gid, one.rule.sid
        if key not in newest or one.rule.rev > newest[key].rule.rev:
            newest[key] = one
    kept: list[Taken] = []
    left_out: list[Refusal] = []
    for one in taken:
        winner = newest[one.rule.gid, one.rule.sid]
        if winner is one:
            kept.append(one)
        else:
            detail = f"revision {winner.rule.rev} of it stands in {winner.origin}"
            left_out.append(_refusal(one, "sid more than once", detail))
    return kept, left_out


def _within_bounds(taken: list[Taken]) -> Outcome:
    names: set[str] = set()
    kept: list[Taken] = []
    left_out: list[Refusal] = []
    for one in taken:
        wanted = names | one.rule.flowbits_set | one.rule.flowbits_tested
        if len(kept) == RULES_MAX:
            detail = f"an element has at most {RULES_MAX:,} rules"
            left_out.append(_refusal(one, f"beyond {RULES_MAX:,} rules", detail))
        elif len(wanted) > FLOWBITS_MAX:
            detail = f"all rules together have at most {FLOWBITS_MAX} flowbits"
            left_out.append(_refusal(one, f"beyond {FLOWBITS_MAX} flowbits", detail))
        else:
            names = wanted
            kept.append(one)
    return kept, left_out


def _by_the_engine(check: Check | None) -> Callable[[list[Taken]], Outcome]:
    def step(taken: list[Taken]) -> Outcome:
        said = dict(check([one.rule.text for one in taken])) if check else {}
        kept = [one for place, one in enumerate(taken) if place not in said]
        left_out = [
            _refusal(one, "engine: " + _NUMBER.sub("N", said[place]), said[place])
            for place, one in enumerate(taken)
            if place in said
        ]
        return kept, left_out

    return step
