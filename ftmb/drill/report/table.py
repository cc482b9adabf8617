# SPDX-License-Identifier: BSD-3-Clause
"""The report as a table: the protected run, and beside it what users have today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from ftmb.drill.report.figures import Report

Row = tuple[str, str, str, bool]  # label, protected, unprotected, whether it must be zero


def _number(value: Any, unit: str = "") -> str:
    if value is None:
        return "-"
    text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
    return text + unit


def _pick(report: Report | None, *keys: str) -> Any:
    value: Any = report
    for key in keys:
        value = None if value is None else value.get(key)
    return value


COUNTS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("failures", ("kills",), False),
    ("UDP datagrams sent", ("udp", "sent"), False),
    ("UDP lost", ("udp", "lost"), True),
    ("UDP duplicated", ("udp", "duplicated"), True),
    ("UDP reordered in a flow", ("udp", "reordered"), False),
    ("UDP dropped by the receiver's socket", ("udp", "socket_overflow"), False),
    ("TCP connections", ("tcp", "connections"), False),
    ("TCP broken", ("tcp", "broken"), True),
    ("downloads with the right checksum", ("http", "checksums_ok"), False),
    ("downloads failed", ("http", "failed"), True),
    ("pings lost", ("ping", "lost"), True),
    ("digests compared", ("digest", "compared"), False),
    ("digests mismatched", ("digest", "mismatched"), True),
)
TIMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("detected, median / longest", ("detect_ms",)),
    ("first packet of the new master", ("failover_ms",)),
    ("protected again", ("protected_again_ms",)),
    ("pause for the snapshot", ("snapshot_pause_ms",)),
)


def rows(report: Report) -> Iterator[Row]:
    other = report.get("unprotected_run")
    for label, keys, must_be_zero in COUNTS:
        yield label, _number(_pick(report, *keys)), _number(_pick(other, *keys)), must_be_zero
    stall = ("tcp", "stall_ms_max")
    yield (
        "longest stall of a connection",
        _number(_pick(report, *stall), " ms"),
        _number(_pick(other, *stall), " ms"),
        False,
    )
    for label, keys in TIMES:
        yield label, _times(_pick(report, *keys)), _times(_pick(other, *keys)), False


def _times(value: dict[str, Any] | None) -> str:
    if value is None or value["p50"] is None:
        return "-"
    return f"{value['p50']:,.1f} / {value['max']:,.1f} ms"


def table_of(report: Report) -> Table:
    table = Table(title=f"drill, seed {report['seed']}", title_justify="left")
    table.add_column("")
    table.add_column("protected", justify="right")
    table.add_column("unprotected", justify="right")
    for label, protected, unprotected, must_be_zero in rows(report):
        if must_be_zero:
            protected = f"[bold {'green' if protected == '0' else 'red'}]{protected}[/]"
        table.add_row(label, protected, unprotected)
    return table
