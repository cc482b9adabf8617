# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks`: measures, prints a table, writes build/bench/report.json.

Throughput of one master core for each element at each number of flows, and the latency that
protection adds, and what a snapshot costs live traffic. Everything is measured beside its own
baseline, in turn, in this one run.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import latency, snapshot, throughput
from benchmarks.rig import Cores, cycles_per_second

REPORT = Path("build/bench/report.json")
MATRIX = (("forward", 10_000), ("monitor", 10_000), ("nat", 10_000), ("forward", 1_000_000),
          ("monitor", 1_000_000), ("nat", 1_000_000))  # fmt: skip


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    model = models[0] if models else platform.machine()
    cores = Cores.choose()
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "pinned": {"loggers": cores.loggers, "master": cores.master, "standby": cores.standby},
    }


def show(report: dict[str, Any], console: Console) -> None:
    """The two tables."""
    table = Table(title="one master core, 64-byte packets, shuffled flows", title_justify="left")
    for column in ("element", "flows", "protected Mpps", "unprotected Mpps", "ratio"):
        table.add_column(column, justify="right")
    for element, by_flows in report["throughput"].items():
        for count, row in by_flows.items():
            table.add_row(
                element,
                f"{int(count):,}",
                f"{row['protected_mpps']:.2f}",
                f"{row['unprotected_mpps']:.2f}",
                f"{row['ratio']:.3f}",
            )
    console.print(table)
    figures = report["latency_us"]
    rate = figures["packets_per_second"]
    table = Table(title=f"nat, port to port, us, at {rate:,} packets/s", title_justify="left")
    for column in ("", "p50", "p99", "p99.9"):
        table.add_column(column, justify="right")
    for kind in ("unprotected", "protected", "added"):
        row = figures[kind]
        table.add_row(kind, *(f"{row[key]:.2f}" for key in ("p50", "p99", "p999")))
    console.print(table)


def show_snapshots(report: dict[str, Any], console: Console) -> None:
    """How long live traffic stands still for one."""
    table = Table(title="snapshot of a live nat, us of pause", title_justify="left")
    for column in ("flows", "p50", "longest", "written after, ms"):
        table.add_column(column, justify="right")
    for count, row in report["snapshot"].items():
        pause = row["pause_us"]
        table.add_row(
            f"{int(count):,}",
            f"{pause['p50']:.0f}",
            f"{pause['max']:.0f}",
            f"{row['written_ms_p50']:.1f}",
        )
    console.print(table)


@click.command(help=__doc__)
@click.option("--rounds", default=7, show_default=True, help="of each side of a comparison")
@click.option("--quick", is_flag=True, help="10,000 flows only, 3 rounds")
def main(rounds: int, quick: bool) -> None:
    console = Console()
    rounds = 3 if quick else rounds
    frequency = cycles_per_second()
    report: dict[str, Any] = {
        "command": f"python -m benchmarks --rounds {rounds}" + (" --quick" if quick else ""),
        "machine": machine(),
        "throughput": {},
    }
    for element, flows in MATRIX:
        if quick and flows > 10_000:
            continue
        console.print(f"measuring {element} at {flows:,} flows ...", style="dim")
        series = throughput.measure(element, flows, rounds, frequency)
        report["throughput"].setdefault(element, {})[str(flows)] = series.summary()
    console.print("measuring latency ...", style="dim")
    report["latency_us"] = latency.measure(rounds).summary()
    report["snapshot"] = {}
    for flows in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
        console.print(f"measuring snapshots at {flows:,} flows ...", style="dim")
        report["snapshot"][str(flows)] = snapshot.measure(flows)
    show(report, console)
    show_snapshots(report, console)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"written: {REPORT}")


if __name__ == "__main__":
    main()
