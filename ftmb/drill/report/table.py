# SPDX-License-Identifier: BSD-3-Clause
"""The report as a table: the protected run, and beside it what users have today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from ftmb.drill.report.figures import pick
from ftmb.drill.workload.part import Keys, Report, Row, Section

Line = tuple[str, str, str, bool]  # label, protected, unprotected, whether it must be zero


def _number(value: Any, unit: str = "") -> str:
    if value is None:
        return "-"
    text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
    return text + unit


FIRST = (Row("failures", ("kills",)),)
LAST = (
    Row("digests compared", ("digest", "compared")),
    Row("digests mismatched", ("digest", "mismatched"), must_be_zero=True),
)
TIMES: tuple[tuple[str, Keys], ...] = (
    ("detected, median / longest", ("detect_ms",)),
    ("first packet of the new master", ("failover_ms",)),
    ("protected again", ("protected_again_ms",)),
    ("pause for the snapshot", ("snapshot_pause_ms",)),
)


def rows(report: Report, sections: Sequence[Section]) -> Iterator[Line]:
    other = report.get("unprotected_run")
    shown = [row for section in sections for row in section.rows]
    for row in (*FIRST, *shown, *LAST):
        found, found_other = (_number(pick(run, row.keys)) for run in (report, other))
        yield row.label, found, found_other, row.must_be_zero
    stall = ("tcp", "stall_ms_max")
    yield (
        "longest stall of a connection",
        _number(pick(report, stall), " ms"),
        _number(pick(other, stall), " ms"),
        False,
    )
    for label, keys in TIMES:
        yield label, _times(pick(report, keys)), _times(pick(other, keys)), False


def _times(value: dict[str, Any] | None) -> str:
    if value is None or value["p50"] is None:
        return "-"
    return f"{value['p50']:,.1f} / {value['max']:,.1f} ms"


def table_of(report: Report, sections: Sequence[Section]) -> Table:
    table = Table(
        title=f"drill of {report['pipeline']}, seed {report['seed']}", title_justify="left"
    )
    table.add_column("")
    table.add_column("protected", justify="right")
    table.add_column("unprotected", justify="right")
    for label, protected, unprotected, must_be_zero in rows(report, sections):
        if must_be_zero:
            protected = f"[bold {'green' if protected == '0' else 'red'}]{protected}[/]"
        table.add_row(label, protected, unprotected)
    return table
