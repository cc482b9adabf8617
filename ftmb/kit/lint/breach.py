# SPDX-License-Identifier: BSD-3-Clause
"""What was found, and which kinds there are: an element's contract, turned round."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ftmb.errors import FtmbError

KINDS = {
    "clock": "time comes from packet->time_ns and context->now_ns alone",
    "chance": "chance comes from ftmb_random() alone",
    "identity": "an element may not know which process, thread, core or machine it runs in",
    "threads": "an element has no threads and no locks of its own",
    "io": "an element reads and writes nothing but packets and its state",
    "memory": "memory is had from the arena, or in init_scratch and for the configuration",
    "unknown": "not known to give the same result in every process",
    "static": "what is written lies in the arena, where a snapshot has it",
    "pointer order": "where things lie in memory differs between processes",
    "pointer in state": "the arena holds no pointers: store an index or an offset",
    "const": "what is not an element's own to write stays as it is",
    "uninitialised": "bytes that nobody has written differ between processes",
    "shared state": "shared state is touched between ftmb_shared_acquire() and _release() only",
    "assembly": "what an instruction does cannot be told from the source",
    "constructor": "nothing may run when an object is loaded",
    "source": "it must be compiled before anything can be said of it",
    "exception": "an exception names what is there, and why it does no harm",
}


class LintError(FtmbError):
    """Nothing could be looked at; the message says why."""


@dataclass(frozen=True, order=True)
class Breach:
    """One place at which the contract is broken; `line` 0: in the file as a whole."""

    file: str
    line: int
    kind: str  # a key of KINDS
    what: str  # a function's, variable's or member's name: what an exception would name
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.kind}: {self.message} ({KINDS[self.kind]})"

    def to_dict(self) -> dict[str, str | int]:
        return {**asdict(self), "rule": KINDS[self.kind]}
