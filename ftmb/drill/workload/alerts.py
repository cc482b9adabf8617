# SPDX-License-Identifier: BSD-3-Clause
"""Patterns that an IDS looks for, and its journal of alerts: each once, none more.

Patterns come in pieces, so that of many the first half passed before a failure and the second one
after it; what only begins like a pattern must not be reported.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftmb import orchestrator
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host

PORT = 9020
SID = 9_100_001
PATTERN = "ftmb-drill-7d31a9c4e85b-pattern"
RULE = (
    f'alert tcp any any -> any {PORT} (msg:"drill: the pattern"; flow:to_server,established; '
    f'content:"{PATTERN}"; sid:{SID}; rev:1;)'
)
DECOY = "decoy"
WRITTEN_PATIENCE_S = 5.0
QUIET_S = 0.5
Source = tuple[str, int]  # address and port, as the client has them


def read(lines: Iterable[str]) -> tuple[Counter[Source], int]:
    """The alerts of the drill's rule by who caused them, and how many lines are not whole."""
    found: Counter[Source] = Counter()
    torn = 0
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if event.get("event_type") == "alert" and event["alert"]["signature_id"] == SID:
            found[event["src_ip"], event["src_port"]] += 1
    return found, torn


@dataclass(frozen=True)
class Judgement:
    missing: int
    doubled: int
    invented: int


def judge(
    expected: Counter[Source], possible: Counter[Source], found: Counter[Source]
) -> Judgement:
    """A source may have had several connections, with a pattern each. `possible`: of connections
    that broke, so that nobody knows how far the pattern came."""
    more = found - expected - possible
    return Judgement(
        missing=(expected - found).total(),
        doubled=sum(count for source, count in more.items() if source in expected),
        invented=sum(count for source, count in more.items() if source not in expected),
    )


def across(conversations: Sequence[dict[str, Any]], failures_ns: Sequence[int]) -> int:
    """Patterns that began before a failure and ended after it."""
    return sum(
        any(one["first_ns"] < at_ns < one["last_ns"] for at_ns in failures_ns)
        for one in conversations
        if one["kind"] != DECOY
    )


@dataclass(frozen=True)
class AlertFigures:
    connections: int
    broken: int
    patterns: int
    across: int | None  # None: nobody could be asked when failures were
    decoys: int
    judgement: Judgement
    torn: int

    def report(self, moments: Moments) -> Report:
        own = {name: value for name, value in vars(self).items() if name != "judgement"}
        return own | vars(self.judgement)


class Alerts(Part):
    section = Section(
        "alerts",
        (
            Row("patterns sent", ("alerts", "patterns")),
            Row("of them with a failure inside", ("alerts", "across")),
            Row("alerts missing", ("alerts", "missing"), must_be_zero=True),
            Row("alerts doubled", ("alerts", "doubled"), must_be_zero=True),
            Row("alerts made up", ("alerts", "invented"), must_be_zero=True),
        ),
        (
            Guarantee(("alerts", "missing"), "alerts are missing", True),
            Guarantee(("alerts", "doubled"), "alerts were written twice"),
            Guarantee(("alerts", "invented"), "alerts are of nothing that was sent"),
            Guarantee(("alerts", "torn"), "lines of the journal are not whole"),
        ),
        (("alerts", "across"), ("alerts", "decoys")),
    )

    def __init__(self, place: Place, journal: str) -> None:
        """`journal`: the port that alerts go to."""
        super().__init__(place)
        self.journal = place.journal(journal)
        address = place.lab.addresses.server
        self.server = place.run_traffic(
            Host.SERVER, "echo_server", *("--address", address, "--port", str(PORT))
        )

    def describe(self) -> str:
        return "patterns in pieces"

    def start(self) -> None:
        self.server.wait_ready()
        addresses = self.place.lab.addresses
        self.client = self.place.run_traffic(
            Host.CLIENT,
            "pattern_sender",
            *("--target", addresses.server, "--port", str(PORT)),
            *("--sources", *addresses.clients),
            *("--pattern", PATTERN, "--result", str(self.place.folder / "pattern_sender")),
        )
        self.client.wait_ready()

    def stop(self) -> AlertFigures:
        self.client.stop(patience_s=30)
        self.server.stop()
        sent = self.place.figures("pattern_sender", self.client)["conversations"]
        answered = [one for one in sent if one["is_answered"]]
        patterns = [one for one in answered if one["kind"] != DECOY]
        cut_off = [one for one in sent if not one["is_answered"] and one["kind"] != DECOY]
        expected, possible = (
            Counter((one["address"], one["port"]) for one in some) for some in (patterns, cut_off)
        )
        found, torn = self._await_written(expected)
        return AlertFigures(
            connections=len(sent),
            broken=len(sent) - len(answered),
            patterns=len(patterns),
            across=self._across(patterns),
            decoys=len(answered) - len(patterns),
            judgement=judge(expected, possible, found),
            torn=torn,
        )

    def _across(self, patterns: Sequence[dict[str, Any]]) -> int | None:
        if self.place.box_name is None:
            return None
        failovers = orchestrator.status(self.place.box_name)["failovers"]
        return across(patterns, [failover["detected_ns"] for failover in failovers])

    def _await_written(self, expected: Counter[Source]) -> tuple[Counter[Source], int]:
        """The last lines may still be under way; one too many may come late too."""
        deadline = time.monotonic() + WRITTEN_PATIENCE_S
        while expected - read(lines_of(self.journal))[0] and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(QUIET_S)
        return read(lines_of(self.journal))


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
