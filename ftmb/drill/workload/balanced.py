# SPDX-License-Identifier: BSD-3-Clause
"""Questions to a virtual address, behind which each backend answers with its own name.

Long connections ask again and again and must always be answered by the same backend; short ones,
each of one question, show how new connections are spread. After the first failure one backend is
drained by a command: what it has goes on, and it gets nothing new, whoever is master then.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftmb import orchestrator
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.downloads import await_files, serve_files
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.errors import FtmbError
from ftmb.lab import Host, Program

PORT = 80
LONG, SHORT = 8, 2  # curl processes
LONG_RATE, SHORT_RATE = 20, 30  # questions a second, of each
PATIENCE_S = 10
POLL_S = 0.3
SIGMAS = 5.0  # by which chance may make the spread uneven
UNEVEN_SHARE = 0.03  # of all, by which the hash itself may
LISTED_MAX = 20
WRITTEN = r" %{num_connects} %{http_code} %{errormsg}\n"  # behind the backend's name
NAMED = """location / {{
            default_type text/plain;
            keepalive_requests 10000000;
            keepalive_timeout 600s;
            return 200 "{name}";
        }}"""


@dataclass(frozen=True)
class Answer:
    """`is_new`: by a connection that was opened for it."""

    backend: str
    is_new: bool
    is_right: bool
    message: str = ""


def read(output: str) -> list[Answer]:
    """What curl wrote, but for a last line that was cut off when it was ended."""
    lines = output.split("\n")[:-1]
    found = [line.split(" ", 3) for line in lines if line.count(" ") >= 3]
    return [Answer(name, opened != "0", code == "200", why) for name, opened, code, why in found]


def count_long(answers: Sequence[Answer]) -> tuple[int, int]:
    """Of one connection: how often it broke, and how often another backend answered by it."""
    broken = sum(answer.is_new or not answer.is_right for answer in answers[1:])
    moved = sum(
        not after.is_new and after.is_right and after.backend != before.backend
        for before, after in pairwise(answers)
    )
    return broken, moved


def breaks_of(kind: str, asked: Sequence[Sequence[Answer]], is_one: bool) -> list[str]:
    """Whose answers do not come, and, where a connection is to be one, do not come by it."""
    return [
        f"{kind} {number}, question {place}: {answer}"
        for number, answers in enumerate(asked)
        for place, answer in enumerate(answers)
        if not answer.is_right or (is_one and place > 0 and answer.is_new)
    ]


def uneven(counts: Counter[str], backends: Sequence[str]) -> int:
    """Backends that got more or less of the new connections than their share and chance allow."""
    asked, share = counts.total(), 1 / len(backends)
    allowed = SIGMAS * math.sqrt(asked * share * (1 - share)) + UNEVEN_SHARE * asked
    return sum(abs(counts[backend] - asked * share) > allowed for backend in backends)


@dataclass(frozen=True)
class BalancedFigures:
    connections: int
    broken: int
    asked: int
    moved: int
    new: dict[str, int]  # connections by backend, before the one was drained
    new_later: dict[str, int]
    uneven: int
    drained: str | None
    drained_got: int  # new connections that came to it all the same
    breaks: list[str]  # some of them, told

    def report(self, moments: Moments) -> Report:
        return dict(vars(self))


class Balanced(Part):
    section = Section(
        "balanced",
        (
            Row("questions to the virtual address", ("balanced", "asked")),
            Row("connections that changed backend", ("balanced", "moved"), must_be_zero=True),
            Row("new connections to a drained one", ("balanced", "drained_got"), must_be_zero=True),
        ),
        (
            Guarantee(("balanced", "moved"), "answers came from another backend", True),
            Guarantee(("balanced", "drained_got"), "connections came to a drained backend", True),
            Guarantee(("balanced", "uneven"), "backends got an uneven share"),
        ),
        (("balanced", "asked"), ("balanced", "drained")),
    )

    def __init__(self, place: Place, service: str, element: str) -> None:
        """`service` and `element` as a command names them."""
        super().__init__(place)
        self.service = service
        self.element = element
        self.drained: str | None = None
        self.answered_before: list[int] = []
        self.looked_at = 0.0
        self.servers = [
            serve_files(place, host, address, NAMED.format(name=host), PORT)
            for host, address in place.servers
        ]

    def describe(self) -> str:
        return f"{LONG} long and {SHORT * SHORT_RATE} short connections a second"

    def start(self) -> None:
        for _, address in self.place.servers:
            await_files(self.place, address, PORT)
        self.long = [self._ask(LONG_RATE) for _ in range(LONG)]
        self.short = [self._ask(SHORT_RATE, "--header", "Connection: close") for _ in range(SHORT)]

    def _ask(self, rate: int, *options: str) -> Program:
        command = ["curl", "--silent", "--no-buffer", "--max-time", str(PATIENCE_S), *options]
        command += ["--rate", f"{rate}/s", "--write-out", WRITTEN]
        url = f"http://{self.place.virtual_address}:{PORT}/[1-10000000]"
        return self.place.lab.run(Host.CLIENT, [*command, url])

    def attend(self) -> None:
        if self.drained or self.place.box_name is None or time.monotonic() < self.looked_at:
            return
        self.looked_at = time.monotonic() + POLL_S
        status = orchestrator.status(self.place.box_name)
        if status["failover_count"] and status["state"] == "protected":
            self._drain(self.place.box_name, *self.place.servers[-1])

    def _drain(self, box_name: str, host: Host | str, address: str) -> None:
        """Which may be asked of a box that is just being failed: then it is asked again."""
        try:
            left = orchestrator.command(
                box_name, self.element, f"drain {self.service} {address}:{PORT}"
            )
        except FtmbError:
            return
        if left is None:
            self.answered_before = [len(read(program.output())) for program in self.short]
            self.drained = str(host)

    def stop(self) -> BalancedFigures:
        for program in (*self.long, *self.short, *self.servers):
            program.stop()
        long = [read(program.output()) for program in self.long]
        short = [read(program.output()) for program in self.short]
        before, later = self._in_two(short)
        names = [str(host) for host, _ in self.place.servers]
        left = [name for name in names if name != self.drained]
        judged = [count_long(answers) for answers in long]
        breaks = [*breaks_of("long", long, True), *breaks_of("short", short, False)]
        failed = sum(not answer.is_right for answers in short for answer in answers)
        return BalancedFigures(
            connections=len(long) + sum(map(len, short)),
            broken=sum(broken for broken, _ in judged) + failed,
            asked=sum(map(len, [*long, *short])),
            moved=sum(moved for _, moved in judged),
            new=dict(before),
            new_later=dict(later),
            uneven=uneven(before, names) + uneven(later, left),
            drained=self.drained,
            drained_got=later[self.drained] if self.drained else 0,
            breaks=breaks[:LISTED_MAX],
        )

    def _in_two(self, short: Sequence[Sequence[Answer]]) -> tuple[Counter[str], Counter[str]]:
        """New connections by backend, before and after the command. What was under way when it was
        carried out is of both times, and counted in neither: one question, and the one before it,
        of which curl may not have written all."""
        before: Counter[str] = Counter()
        later: Counter[str] = Counter()
        for number, answers in enumerate(short):
            at = self.answered_before[number] if self.drained else len(answers)
            before.update(answer.backend for answer in answers[:at] if answer.is_right)
            later.update(answer.backend for answer in answers[at + 2 :] if answer.is_right)
        return before, later
