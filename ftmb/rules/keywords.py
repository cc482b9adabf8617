# SPDX-License-Identifier: BSD-3-Clause
"""The options of a rule but contents and expressions, from Suricata's form to the canonical."""

from __future__ import annotations

import re
from collections.abc import Callable

from ftmb.rules.problems import Refused, malformed

COUNT_MAX, SECONDS_MAX = 1_000_000, 86_400
NUMBER_MAX = (1 << 32) - 1
FLOWBIT_NAMES_MAX = 4
TRACKS = ("by_src", "by_dst", "by_both", "by_rule")
LIMIT_TYPES = ("limit", "threshold", "both")
FLOW_WORDS = {
    "to_server": "to_server",
    "from_client": "to_server",
    "to_client": "to_client",
    "from_server": "to_client",
    "established": "established",
    "not_established": "not_established",
    "stateless": "stateless",
    "no_stream": "no_stream",
    "only_stream": "only_stream",
}
FLOW_GROUPS = (  # of each at most one
    ("to_server", "to_client"),
    ("established", "not_established", "stateless"),
    ("no_stream", "only_stream"),
)
FLOWBIT_TESTS = ("isset", "isnotset")
FLOWBIT_SETS = ("set", "unset", "toggle")
_FLOWBIT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_COMPARISON = re.compile(r"(!|<=|>=|<|>)?\s*(\d{1,9})|(\d{1,9})\s*(?:<>|-)\s*(\d{1,9})")
_TCP_FLAGS = re.compile(r"([+*!]?)\s*([FSRPAUEC120]+)([+*!]?)\s*(?:,\s*([FSRPAUEC120]*))?")
_TCP_FLAG_ORDER = "FSRPAUEC"
_TCP_FLAG_NAMES = {"1": "C", "2": "E"}  # by the names that these bits once had


def whole_number(name: str, value: str | None, most: int, least: int = 0) -> int:
    if value is None or not re.fullmatch(r"\d{1,20}", value):
        raise malformed(f"{name} needs a number")
    if not least <= int(value) <= most:
        raise Refused(f"{name} out of range", f"{name}:{value}; allowed: {least} to {most:,}")
    return int(value)


def words_of(value: str | None) -> list[str]:
    return [word.strip() for word in (value or "").split(",")]


def flow(value: str | None) -> str:
    found = []
    for word in words_of(value):
        if word.lower() not in FLOW_WORDS:
            raise Refused(f"flow: {word}", f"flow:{word} is outside the subset")
        found.append(FLOW_WORDS[word.lower()])
    for group in FLOW_GROUPS:
        both = [word for word in found if word in group]
        if len(both) > 1:
            raise malformed(f"flow: {' and '.join(both)} exclude one another")
    return "flow:" + ",".join(found) + ";"


def flowbits(value: str | None) -> str:
    what, *names = words_of(value)
    if what == "noalert" and not names:
        return "flowbits:noalert;"
    if what not in (*FLOWBIT_TESTS, *FLOWBIT_SETS) or len(names) != 1 or not names[0]:
        raise malformed(
            "flowbits need `noalert`, or set, unset, toggle, isset, isnotset and a name"
        )
    found = [name.strip() for name in names[0].split("|")]
    if len(found) > 1 and what in FLOWBIT_SETS:
        raise Refused(f"flowbits: {what} of several names", f"{what} takes one name")
    if len(found) > FLOWBIT_NAMES_MAX:
        raise Refused(f"more than {FLOWBIT_NAMES_MAX} names in one flowbits",
                      f"flowbits with {len(found)} names")  # fmt: skip
    for name in found:
        if not _FLOWBIT_NAME.fullmatch(name):
            allowed = "a name has 1 to 63 of letters, digits, '_', '.', '-'"
            raise Refused("flowbits: name with other characters", f"'{name}'; {allowed}")
    return f"flowbits:{what},{'|'.join(found)};"


def _limits(name: str, value: str | None, needed: tuple[str, ...]) -> dict[str, str]:
    """`track by_src, count 5, ...` in any order."""
    found: dict[str, str] = {}
    for word in words_of(value):
        key, _, rest = word.partition(" ")
        if key not in needed or not rest.strip() or key in found:
            raise malformed(f"{name} has {', '.join(needed)}, each once; found '{word}'")
        found[key] = rest.strip()
    missing = [key for key in needed if key not in found]
    if missing:
        raise malformed(f"{name} lacks {', '.join(missing)}")
    if found["track"] not in TRACKS:
        raise Refused(f"{name}: track {found['track']}",
                      f"{name}: track {found['track']}; allowed: {', '.join(TRACKS)}")  # fmt: skip
    whole_number(f"{name} count", found["count"], COUNT_MAX, 1)
    whole_number(f"{name} seconds", found["seconds"], SECONDS_MAX, 1)
    return found


def threshold(value: str | None) -> str:
    found = _limits("threshold", value, ("type", "track", "count", "seconds"))
    if found["type"] not in LIMIT_TYPES:
        kind = f"threshold: type {found['type']}"
        raise Refused(kind, f"{kind}; allowed: {', '.join(LIMIT_TYPES)}")
    return (
        f"threshold:type {found['type']}, track {found['track']}, "
        f"count {int(found['count'])}, seconds {int(found['seconds'])};"
    )


def detection_filter(value: str | None) -> str:
    found = _limits("detection_filter", value, ("track", "count", "seconds"))
    return (
        f"detection_filter:track {found['track']}, "
        f"count {int(found['count'])}, seconds {int(found['seconds'])};"
    )


def _comparison(name: str, most: int) -> Callable[[str | None], str]:
    def canonical(value: str | None) -> str:
        match = _COMPARISON.fullmatch(value or "")
        if match is None:
            raise malformed(f"{name} needs N, !N, <N, <=N, >N, >=N or N<>M")
        numbers = [int(number) for number in (match[2], match[3], match[4]) if number]
        if max(numbers) > most:
            raise malformed(f"{name}:{value}; allowed: 0 to {most}")
        if match[3]:
            if numbers[0] + 1 >= numbers[1]:
                raise malformed(f"{name}:{value} has no number between its ends")
            return f"{name}:{numbers[0]}<>{numbers[1]};"
        return f"{name}:{match[1] or ''}{numbers[0]};"

    return canonical


def tcp_flags(value: str | None) -> str:
    match = _TCP_FLAGS.fullmatch(value or "")
    if match is None or (match[1] and match[3]):
        raise malformed("flags are written [+*!]LETTERS[,LETTERS], of F S R P A U E C 1 2 0")
    modifier, letters, ignored = match[1] or match[3], _letters(match[2]), _letters(match[4] or "")
    return f"flags:{modifier}{letters or '0'}{',' + ignored if ignored else ''};"


def _letters(text: str) -> str:
    found = {_TCP_FLAG_NAMES.get(letter, letter) for letter in text}
    if "0" in found and len(found) > 1:
        raise Refused("flags: 0 with others", "0 is no flag at all and goes with no other")
    return "".join(letter for letter in _TCP_FLAG_ORDER if letter in found)


def noalert(value: str | None) -> str:
    if value is not None:
        raise malformed("noalert has no value")
    return "noalert;"


# What a rule may have besides its identity, contents and expressions; the canonical text of each.
KEYWORDS: dict[str, Callable[[str | None], str]] = {
    "flow": flow,
    "flowbits": flowbits,
    "threshold": threshold,
    "detection_filter": detection_filter,
    "dsize": _comparison("dsize", 65535),
    "itype": _comparison("itype", 255),
    "icode": _comparison("icode", 255),
    "flags": tcp_flags,
    "noalert": noalert,
}
REPEATED = frozenset({"flowbits"})  # of all others a rule has one
PROTOCOL_OF = {"itype": "icmp", "icode": "icmp", "flags": "tcp"}  # the only one that has it
