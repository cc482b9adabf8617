# SPDX-License-Identifier: BSD-3-Clause
"""Reads what callgrind wrote: what each function executed and missed.

Callgrind tells it by instruction (--dump-instr); the compiler has put many functions into others.
So each instruction is counted to the innermost function of a .c file that it came from, by the
debugging information: helpers of headers belong to who uses them, as a reader of the code sees it.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

EVENTS = ("Ir", "D1mr", "DLmr", "DLmw")  # in the order of what a Cost holds
NAMED = re.compile(r"\((\d+)\)(?: (.*))?$")
TRIGGER = "desc: Trigger: Client Request: "


@dataclass
class Cost:
    """Of some instructions: how many were executed, the reads that missed the first and the last
    level of the caches, and the writes that missed the last."""

    instructions: int = 0
    l1_reads: int = 0
    last_reads: int = 0
    last_writes: int = 0

    def add(self, other: Cost) -> None:
        self.instructions += other.instructions
        self.l1_reads += other.l1_reads
        self.last_reads += other.last_reads
        self.last_writes += other.last_writes


@dataclass
class Dump:
    """One file: costs by (object, function, address)."""

    trigger: str = ""
    costs: dict[tuple[str, str, int], Cost] = field(default_factory=dict)


class Names:
    """Names are written once, with a number that stands for them later in the same file."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        match = NAMED.match(text)
        if match is None:
            return text
        if match[2] is not None:
            self.known[match[1]] = match[2]
        return self.known[match[1]]


def _address(text: str, last: int) -> int:
    """Absolute, or against the line before."""
    if text == "*":
        return last
    if text[0] in "+-":
        return last + int(text, 0)
    return int(text, 0)


def parse(lines: Iterable[str]) -> Dump:
    """ValueError if what was counted is not what was asked for."""
    dump = Dump()
    objects, functions = Names(), Names()
    events: list[str] = []
    binary = function = ""
    address = 0
    is_call = False
    for raw in lines:
        line = raw.rstrip("\n")
        if line.startswith("ob="):
            binary = objects(line[3:])
        elif line.startswith("fn="):
            function = functions(line[3:])
        elif line.startswith("cob="):
            objects(line[4:])
        elif line.startswith("cfn="):
            functions(line[4:])
        elif line.startswith("calls="):
            is_call = True  # the next line is what happened inside, which is told there
        elif line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith(TRIGGER):
            dump.trigger = line[len(TRIGGER) :]
        elif line[:1] in "0123456789+-*" and line:
            position, *values = line.split()
            address = _address(position, address)
            if not is_call:
                found = dict(zip(events, map(int, values), strict=False))
                key = (binary, function, address)
                dump.costs.setdefault(key, Cost()).add(_cost(found))
            is_call = False
    if missing := [name for name in EVENTS if name not in events]:
        raise ValueError(f"callgrind has not counted {', '.join(missing)}")
    return dump


def _cost(found: dict[str, int]) -> Cost:
    return Cost(*(found.get(event, 0) for event in EVENTS))


def innermost(frames: list[tuple[str, str]]) -> str:
    """The function of a .c file, of (function, file), the innermost first; else the outermost."""
    for function, file in frames:
        if file.split(":")[0].endswith(".c"):
            return function
    return frames[-1][0]


def _frames(binary: Path, addresses: list[int]) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    told = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-e", str(binary)],
        input="".join(f"{address:#x}\n" for address in addresses),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for part in re.split(r"^0x", told, flags=re.MULTILINE)[1:]:
        start, *rest = part.splitlines()
        yield int(start, 16), list(zip(rest[::2], rest[1::2], strict=True))


def functions_of(dumps: Iterable[Dump], core: Path) -> dict[str, Cost]:
    """Costs by function: of `core` from its debugging information, of other objects (the C
    library; not Python) as callgrind names them."""
    dumps = list(dumps)
    addresses = sorted(
        {address for dump in dumps for binary, _, address in dump.costs if _is(binary, core)}
    )
    names = {address: innermost(frames) for address, frames in _frames(core, addresses)}
    found: dict[str, Cost] = defaultdict(Cost)
    for dump in dumps:
        for (binary, function, address), cost in dump.costs.items():
            if _is(binary, core):
                found[names[address]].add(cost)
            elif "/libc" in binary or "vdso" in function or binary == "???":
                found[f"{function.split('@')[0].lstrip('_')} (C library)"].add(cost)
    return dict(found)


def _is(binary: str, core: Path) -> bool:
    return Path(binary) == core.resolve()
