# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks.peers`: the kernel's NAT and its failover, beside ftmb's protected NAT.

Between the same veths and with the same traffic, in turn: failures of ftmb and of pairs of kernel
routers with keepalived and conntrackd, and what forwarding costs without any failure. The result
is a table, and the section `peers` of build/bench/report.json. docs/peers.md tells how each was
configured.

\b
  python -m benchmarks.peers --quick
  python -m benchmarks.peers --picture docs/peers.png --document docs/peers.md
  python -m benchmarks.peers --json | jq .failover.contestants.ftmb.datagrams.gap_ms
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks.document import filled
from benchmarks.peers import requirements, rounds
from benchmarks.peers.tables import tables
from benchmarks.report import store
from benchmarks.report.table import for_terminal
from ftmb.command_line import ExitStatus
from ftmb.drill.main_job import ended_by_signals, teller
from ftmb.errors import FtmbError

QUICK_ROUNDS = 1
FILE = click.Path(dir_okay=False, path_type=Path)
OLD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
WIDTH = 160  # of tables that go to a file


@click.command(help=__doc__)
@click.option(
    "--rounds",
    "count",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="of each contestant",
)
@click.option("--quick", is_flag=True, help="one round: does it run?")
@click.option("--json", "as_json", is_flag=True, help="the section instead of tables")
@click.option("--picture", type=FILE, help="also draws this")
@click.option("--document", type=OLD_FILE, help="also puts the tables into this, between its marks")
def main(
    count: int, quick: bool, as_json: bool, picture: Path | None, document: Path | None
) -> None:
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = WIDTH
    say = teller(console)
    count = QUICK_ROUNDS if quick else count
    measured = rounds.measure(count, say)
    command = f"python -m benchmarks.peers --rounds {count}"
    peers = {"command": command, "rounds": count, **measured.section()}
    if picture is not None:
        measured.draw(picture)
        say(f"drawn: {picture}")
    store.update({"peers": peers})
    if document is not None:
        document.write_text(filled(document.read_text(), store.load()))
        say(f"written: {document}")
    if as_json:
        click.echo(json.dumps(peers, indent=2))
        return
    for table in tables(peers):
        console.print(for_terminal(table))
    console.print(f"written: {store.FOLDER}/report.json, {store.FOLDER}/report.html")


def run(arguments: list[str]) -> int:
    """The exit status."""
    try:
        requirements.check()
        with ended_by_signals():
            main.main(arguments, prog_name="python -m benchmarks.peers", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return ExitStatus.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; namespaces and daemons are gone", err=True)
        return ExitStatus.INTERRUPTED
    except FtmbError as error:
        click.echo(str(error), err=True)
        return ExitStatus.NOT_STARTED
    return ExitStatus.OK


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
