# SPDX-License-Identifier: BSD-3-Clause
"""A box's status as tables on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

STATE_STYLES = {"protected": "bold green", "failed": "bold red"}
FAILOVERS_SHOWN = 12


def show(observed: dict[str, Any], console: Console | None = None) -> None:
    console = console or Console()
    state = observed["state"]
    style = STATE_STYLES.get(state, "bold yellow")
    console.print(
        f"[bold]{observed['name']}[/] is [{style}]{state}[/] in epoch {observed['epoch']}"
    )
    if state not in ("protected", "failed"):
        console.print("[yellow]a failure now would lose state[/]")
    for remark in observed.get("notes", ()):
        console.print(remark, style="dim", markup=False, highlight=False)
    console.print(_processes(observed["processes"]))
    console.print(_ports(observed["ports"]))
    for table in (_drops(observed["drops"]), _failovers(observed["failovers"])):
        if table.row_count:
            console.print(table)
    digest = observed["digest"]
    mismatched = digest["mismatched"]
    console.print(
        f"digests: {digest['compared']:,} compared, "
        + (f"[bold red]{mismatched:,} mismatched[/]" if mismatched else "none mismatched")
    )
    for log, fill in (observed.get("log_fill") or {}).items():
        console.print(f"log fill, {log}: {fill}")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _processes(processes: dict[str, Any]) -> Table:
    table = _table("processes", "role", "pid", "epoch")
    for role, process in processes.items():
        if process is None:
            table.add_row(role, "none", "")
        else:
            table.add_row(role, str(process["pid"]), str(process.get("epoch", "")))
    return table


def _ports(ports: dict[str, Any]) -> Table:
    table = _table("ports", "port", "received", "bytes", "sent", "bytes", "missed", "dropped")
    for name, port in ports.items():
        drops = port.get("drops") or {}
        dropped = ", ".join(f"{reason} {count:,}" for reason, count in drops.items() if count)
        counts = ("received", "received_bytes", "sent", "sent_bytes", "missed")
        table.add_row(name, *(f"{port[key]:,}" for key in counts), dropped or "0")
    return table


def _drops(drops: dict[str, dict[str, int]]) -> Table:
    table = _table("drops", "by", "reason", "packets")
    for where, reasons in drops.items():
        for reason, count in reasons.items():
            if count:
                table.add_row(where, reason, f"{count:,}")
    return table


def _milliseconds(start: int | None, end: int | None) -> str:
    return "" if start is None or end is None else f"{(end - start) / 1e6:.1f}"


def _failovers(failovers: list[dict[str, Any]]) -> Table:
    table = _table(
        f"failovers ({len(failovers)}), times in ms after detection",
        "epoch",
        "cause",
        "live",
        "first packet",
        "protected again",
        "snapshot pause",
        "state",
    )
    for failover in failovers[-FAILOVERS_SHOWN:]:
        detected = failover["detected_ns"]
        table.add_row(
            str(failover["epoch"]),
            failover["cause"],
            _milliseconds(detected, failover["live_ns"]),
            _milliseconds(detected, failover["first_output_ns"]),
            _milliseconds(detected, failover["protected_again_ns"]),
            _milliseconds(0, failover["snapshot_pause_ns"]),
            "[red]lost[/]" if failover["lost_state"] else "kept",
        )
    return table
