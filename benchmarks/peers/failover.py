# SPDX-License-Identifier: BSD-3-Clause
"""One failure of one contestant, as client and server saw it: datagrams, or TCP connections."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from benchmarks.peers import generator
from benchmarks.peers.contestants import Contestant, Kind
from benchmarks.peers.overruns import Overruns
from ftmb.drill.settings import DrillSettings
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.downloads import DownloadFigures, Downloads
from ftmb.drill.workload.echo import EchoConnections, EchoFigures, stalls
from ftmb.errors import LabError
from ftmb.lab import Lab
from ftmb.lab.tuning import long_backlog
from ftmb.pktgen import Trial

RATE = 20_000  # datagrams a second, and as many answers
QUIET_S = 1.0
BEFORE_S = 0.25  # from the first datagram to the kill
CONNECTIONS = DrillSettings(
    connections=200, downloads=3, download_mib=2, download_patience_s=8.0, warm_up_s=1.2
)
Bins = numpy.ndarray[Any, numpy.dtype[Any]]


@dataclass(frozen=True)
class DatagramFailure:
    """What a failure did to numbered datagrams and their answers."""

    sent: int
    lost: int  # went unanswered, without what is in the next two
    before_box: int  # dropped before anything of the box saw them: a ring or queue was full
    missed: int  # dropped by the generator's own devices, which a burst after a gap may overrun
    duplicated: int  # in either direction
    reordered: int
    gap_ms: float  # longest time in which no answer came to the client
    quiet_gap_ms: float  # the same without a failure, over a second before
    commit_ms: float | None  # of conntrackd's commit of these flows
    killed_ms: float  # after the start
    bins: Bins = field(repr=False, compare=False)  # answers in each ms from the start


@dataclass(frozen=True)
class ConnectionFailure:
    """What a failure did to TCP connections."""

    connections: int
    broken: int
    stall_ms: float  # longest without a reply, over the connections that lived
    downloads: int
    downloads_failed: int
    reasons: list[str]  # why they broke or failed, each once


@contextmanager
def _standing(kind: Kind) -> Iterator[tuple[Lab, Path, Contestant]]:
    """A lab and a contestant of their own; afterwards it must have failed over."""
    with tempfile.TemporaryDirectory(prefix="ftmb-peers-") as name, long_backlog():
        with Lab("peers") as lab, kind.make(lab, Path(name)) as contestant:
            yield lab, Path(name), contestant
            if not contestant.failed_over():
                raise LabError(f"{kind.title}: nothing took over within {kind.settle_s} s")


class FalseFailover(LabError):
    """It failed over before anything was killed."""


def _kill(kind: Kind, contestant: Contestant) -> int:
    if contestant.failed_over():
        raise FalseFailover(f"{kind.title}: failed over before anything was killed")
    return contestant.kill()


def _kill_later(kind: Kind, contestant: Contestant) -> int:
    time.sleep(BEFORE_S)
    return _kill(kind, contestant)


def under_datagrams(kind: Kind) -> DatagramFailure:
    with _standing(kind) as (lab, _, contestant), generator.session(lab, reply=True) as session:
        generator.warm_up(session)
        quiet = generator.trial(session, RATE, QUIET_S)
        before = Overruns.of(lab, contestant)
        with ThreadPoolExecutor(1) as other:
            killed_ns = other.submit(_kill_later, kind, contestant)
            trial = generator.trial(session, RATE, BEFORE_S + kind.settle_s)
        overruns = Overruns.of(lab, contestant) - before
        return datagram_failure(quiet, trial, overruns, killed_ns.result(), contestant.commit_ms())


def datagram_failure(
    quiet: Trial,
    trial: Trial,
    overruns: Overruns,
    killed_ns: int,
    commit_ms: float | None = None,
) -> DatagramFailure:
    """`overruns` are those of the trial, `killed_ns` is by the monotonic clock."""
    back = trial.back
    if back is None or quiet.back is None or not quiet.back.received:
        raise LabError("no answer came before the kill: nothing was measured")
    missed = trial.missed + overruns.behind_box
    return DatagramFailure(
        sent=trial.sent,
        lost=max(0, back.lost - missed - overruns.before_box),
        before_box=overruns.before_box,
        missed=missed,
        duplicated=trial.out.duplicated + back.duplicated,
        reordered=trial.out.reordered + back.reordered,
        gap_ms=round(back.gap_ns_max / 1e6, 3),
        quiet_gap_ms=round(quiet.back.gap_ns_max / 1e6, 3),
        commit_ms=commit_ms,
        killed_ms=round((killed_ns - trial.start_ns) / 1e6, 3),
        bins=back.bins,
    )


def under_connections(kind: Kind, settings: DrillSettings = CONNECTIONS) -> ConnectionFailure:
    with _standing(kind) as (lab, folder, contestant):
        place = Place(lab, settings, folder)
        echo, downloads = EchoConnections(place), Downloads(place)
        for part in (echo, downloads):
            part.start()
        time.sleep(settings.warm_up_s)
        killed_ns = _kill(kind, contestant)
        time.sleep(kind.settle_s)
        return connection_failure(echo.stop(), downloads.stop(), killed_ns)


def connection_failure(
    echo: EchoFigures, downloads: DownloadFigures, killed_ns: int
) -> ConnectionFailure:
    if not echo.lines:
        raise LabError("no connection said anything: nothing was measured")
    return ConnectionFailure(
        connections=echo.connections,
        broken=echo.broken,
        stall_ms=stall_ms(echo, killed_ns),
        downloads=downloads.completed + downloads.failed,
        downloads_failed=downloads.failed,
        reasons=sorted({*(why for _, _, why in echo.breaks), *downloads.messages}),
    )


def stall_ms(echo: EchoFigures, from_ns: int) -> float:
    """Of the connections that did not break, the longest stall that ended after the time."""
    broken = sorted({number for number, _, _ in echo.breaks})
    numbers, ends, gaps = stalls(echo.replies)
    counted = (ends > from_ns) & ~numpy.isin(numbers, numpy.array(broken, dtype=numpy.uint64))
    return round(float(gaps[counted].max(initial=0)) / 1e6, 3)
