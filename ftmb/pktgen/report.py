# SPDX-License-Identifier: BSD-3-Clause
"""The result for people: a table of the trials, and a line for each search."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from ftmb.pktgen.result import Direction, Result, Throughput, Trial

LIMITS = {
    "loss": "above it packets were lost",
    "generator": "above it the generator itself was not fast enough",
    "maximum": "the maximum of the search: it may go on above it",
}


def show(result: Result, console: Console) -> None:
    console.print(f"from {result.transmit} to {result.receive}")
    if result.trials:
        console.print(_table(result.trials))
    for found in result.throughput:
        console.print(_table(found.trials))
        console.print(_found(found))
    console.print(LEGEND, style="dim")
    for line in _warnings(result):
        console.print(line)


def _found(found: Throughput) -> str:
    if found.rate_pps == 0:
        return f"{found.flow_count:,} flows: no rate held; {LIMITS[found.limit]}"
    return (
        f"{found.flow_count:,} flows: {found.rate_pps:,.0f} packets/s without loss; "
        f"{LIMITS[found.limit]}"
    )


def _microseconds(value_ns: float | None) -> str:
    if value_ns is None:
        return "-"
    return f"{value_ns / 1000:,.{1 if value_ns < 1_000_000 else 0}f}"


COLUMNS = ("packets/s", "flows", "sent", "lost", "twice", "late", "bad", "p50", "p99", "max")
LEGEND = (
    "late: after one of its flow that was sent later; bad: damaged, and counted as lost; "
    "latencies in us, from when a packet was due"
)


def _table(trials: tuple[Trial, ...]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for trial in trials:
        table.add_row(f"{trial.rate_pps:,.0f}", f"{trial.flow_count:,}", *_cells(trial.out))
        if trial.back is not None:
            table.add_row("and back", "", *_cells(trial.back))
    return table


def _cells(direction: Direction) -> Iterator[str]:
    for name in ("sent", "lost", "duplicated", "reordered", "corrupted"):
        yield f"{getattr(direction, name):,}"
    for name in ("p50_ns", "p99_ns", "max_ns"):
        yield _microseconds(getattr(direction.latency, name, None))


def _warnings(result: Result) -> Iterator[str]:
    """What makes a figure one of the generator rather than of the box."""
    for trial in result.trials:
        rate = f"at {trial.rate_pps:,.0f} packets/s"
        if not trial.kept_up:
            yield (
                f"{rate} the generator was the limit: it sent {trial.sent_pps:,.0f} packets/s, "
                f"and {trial.unsent:,} never left"
            )
        if trial.ambiguous:
            yield (
                f"{trial.ambiguous:,} frames of the capture have another one alike in it: which "
                "of them was lost, and their latencies, are a guess"
            )
        if trial.missed:
            yield f"{rate} the generator's own interfaces dropped {trial.missed:,} packets"
        if trial.answers_unsent:
            yield f"{rate} the receiver could not send {trial.answers_unsent:,} answers"
    if result.interrupted:
        yield "interrupted: this is what there was until then"
