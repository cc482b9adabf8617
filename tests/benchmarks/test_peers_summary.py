# SPDX-License-Identifier: BSD-3-Clause
"""What is made of the measurements, over figures whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from benchmarks.document import filled
from benchmarks.peers import contestants, speed, summary
from benchmarks.peers.failover import (
    ConnectionFailure,
    DatagramFailure,
    FalseFailover,
    connection_failure,
    datagram_failure,
)
from benchmarks.peers.overruns import Overruns
from benchmarks.peers.picture import bars, draw
from benchmarks.peers.rounds import Rounds
from benchmarks.peers.router import fill
from benchmarks.peers.speed import Passage
from benchmarks.report.sections import sections_of
from ftmb.drill.workload.downloads import DownloadFigures
from ftmb.drill.workload.echo import EchoFigures
from ftmb.errors import LabError

MS = 1_000_000
DOWNLOADS = DownloadFigures(completed=3, checksums_ok=3, failed=1, bytes=0, messages=["refused"])


def echo(rows: list[tuple[int, int, int]], breaks: list[tuple[int, int, str]]) -> EchoFigures:
    return EchoFigures(
        connections=2,
        broken=len({number for number, _, _ in breaks}),
        breaks=breaks,
        lines=len(rows),
        stall_ms_max=0.0,
        round_trip_ms={},
        replies=numpy.array(rows, dtype=numpy.uint64).reshape(-1, 3),
    )


def trial(received: int, gap_ms: float, **counts: int) -> Any:
    """As the generator tells it; only what is looked at."""
    direction = {"duplicated": 0, "reordered": 0, "lost": 0, **counts}
    missed = direction.pop("missed", 0)
    direction |= {"received": received, "gap_ns_max": int(gap_ms * MS)}
    both = SimpleNamespace(bins=numpy.array([20, 20, 0, 0, 5, 20]), **direction)
    return SimpleNamespace(sent=100, missed=missed, start_ns=7 * MS, out=both, back=both)


def datagrams(gap_ms: float, lost: int = 0) -> DatagramFailure:
    return datagram_failure(trial(10, 0.5), trial(10, gap_ms, lost=lost), Overruns(0, 0), 9 * MS)


def connections(broken: int = 0) -> ConnectionFailure:
    return ConnectionFailure(2, broken, 3.0, 4, 1, ["silent"] if broken else [])


def test_a_failure_of_datagrams_is_told_by_both_directions() -> None:
    found = datagram_failure(
        trial(10, 0.5),
        trial(90, 2.5, lost=10, missed=2, duplicated=1, reordered=2),
        Overruns(12, 5) - Overruns(8, 4),
        9 * MS,
    )
    assert (found.sent, found.lost, found.before_box, found.missed) == (100, 3, 4, 3)
    assert (found.duplicated, found.reordered) == (2, 4)
    assert (found.gap_ms, found.quiet_gap_ms, found.killed_ms) == (2.5, 0.5, 2.0)


def test_no_answer_before_the_failure_is_no_measurement() -> None:
    with pytest.raises(LabError, match="before the kill"):
        datagram_failure(trial(0, 0), trial(10, 1), Overruns(0, 0), 9 * MS)


def test_stalls_count_connections_that_lived_and_only_after_the_failure() -> None:
    rows = [(0, 1 * MS, 0), (0, 9 * MS, 0), (0, 12 * MS, 0), (1, 1 * MS, 0), (1, 90 * MS, 0)]
    found = connection_failure(echo(rows, [(1, 90 * MS, "silent")]), DOWNLOADS, 10 * MS)
    assert (found.broken, found.stall_ms) == (1, 3.0)
    assert (found.downloads, found.downloads_failed) == (4, 1)
    assert found.reasons == ["refused", "silent"]
    with pytest.raises(LabError, match="said anything"):
        connection_failure(echo([], []), DOWNLOADS, 10 * MS)


def test_rounds_become_a_median_with_its_spread() -> None:
    rounds = [datagrams(3, 1), datagrams(40, 9), datagrams(5, 2)]
    found = summary.failover_summary(rounds, [connections(), connections(2)])
    gaps = found["datagrams"]["gap_ms"]
    assert gaps == {"median": 5.0, "min": 3.0, "max": 40.0, "rounds": [3.0, 40.0, 5.0]}
    assert found["datagrams"]["lost"]["median"] == 2
    assert found["tcp"]["broken"]["median"] == 1
    assert found["tcp"]["reasons"] == ["silent"]
    assert not {"bins", "commit_ms"} & set(found["datagrams"])
    assert summary.text(gaps, 1) == "5.0 (3.0 to 40.0)"
    assert summary.text({"median": 7, "min": 7, "max": 7}) == "7"
    assert summary.text(None) == "-"


def test_the_typical_round_is_the_one_of_the_median_gap() -> None:
    assert summary.typical([datagrams(40), datagrams(3), datagrams(5)]).gap_ms == 5.0


def test_what_a_box_costs_is_its_own_time_and_the_generators_beyond_the_wire() -> None:
    wire = Passage(600_000, 2.0, 5.0, {}, 1600.0, in_kernel=True)
    kernel = summary.beside(Passage(200_000, 5.5, 9.0, {}, 4100.0, in_kernel=True), wire)
    assert (kernel["cost_ns"], kernel["pps_per_core"]) == (2500.0, 400_000)
    assert (kernel["added_p50_us"], kernel["added_p99_us"]) == (3.5, 4.0)
    both = {"master": 2000.0, "logger": 3000.0}
    processes = summary.beside(Passage(100_000, 9.0, 9.0, both, 1900.0, in_kernel=False), wire)
    assert (processes["cost_ns"], processes["pps_per_core"]) == (5000.0, 200_000)
    assert (processes["master_ns"], processes["logger_ns"]) == (2000.0, 3000.0)
    pair = summary.beside(
        Passage(100_000, 9.0, 9.0, {"conntrackd": 4.0}, 5600.0, in_kernel=True), wire
    )
    assert (pair["processes_ns"], pair["kernel_ns"], pair["cost_ns"]) == (4.0, 4000.0, 4004.0)
    bare = summary.speed_summary([wire, wire], [wire, wire])
    assert bare["cost_ns"]["median"] == 0
    assert "pps_per_core" not in bare


def one_round() -> Rounds:
    return Rounds(
        passages={
            kind.name: [Passage(1, 2.0, 5.0, {}, 1.0, kind.in_kernel)] for kind in speed.KINDS
        },
        datagrams={kind.name: [datagrams(3)] for kind in contestants.KINDS},
        connections={kind.name: [connections(1)] for kind in contestants.KINDS},
    )


def test_the_section_is_shown_by_the_report() -> None:
    report = {"peers": one_round().section()}
    (section,) = sections_of(json.loads(json.dumps(report)))
    first, second = section[2]
    assert [row[0] for row in first.rows] == [kind.title for kind in speed.KINDS]
    assert [row[0] for row in second.rows] == [kind.title for kind in contestants.KINDS]
    assert second.rows[0][1:4] == ["3.0", "0.5", "0"]


def test_answers_are_drawn_by_time_from_the_failure(tmp_path: Path) -> None:
    starts, per_ms = bars(datagrams(3), -2, 4, 2)
    assert list(starts) == [-2, 0, 2]
    assert list(per_ms) == [20, 0, 12.5]
    rows = [("ftmb", datagrams(3), [connections()]), ("two", datagrams(9), [connections()])]
    draw(rows, 1000, tmp_path / "new" / "picture.png")
    assert (tmp_path / "new" / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_false_failover_is_counted_and_tried_again() -> None:
    rounds, (kind, *_) = Rounds(), contestants.KINDS
    outcomes: list[Any] = [FalseFailover("early"), 7, *[FalseFailover("early")] * 3]

    def fail(_: Any) -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return int(outcome)

    said: list[str] = []
    assert rounds._fail(kind, fail, said.append) == 7
    assert rounds.false_failovers == {kind.name: 1}
    assert said == ["early; once more"]
    with pytest.raises(FalseFailover):
        rounds._fail(kind, fail, said.append)


def test_the_document_has_a_place_for_the_results() -> None:
    page = Path(__file__).parents[2] / "docs" / "peers.md"
    text = filled(page.read_text(), {"peers": one_round().section()})
    assert "| ftmb, killed | 3.0 | 0.5 | 0 |" in text
    assert "| bare wire | 1 |" in text


def test_a_file_with_a_word_left_open_is_refused() -> None:
    assert "masquerade" in fill("nat.nft", inside_network="10.0.0.0/8", translation="masquerade")
    with pytest.raises(KeyError):
        fill("nat.nft", translation="masquerade")
