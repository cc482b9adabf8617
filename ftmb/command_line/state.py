# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb state`: looking into a running box."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftmb.command_line import ExitStatus
from ftmb.errors import StateError

if TYPE_CHECKING:
    import polars

    from ftmb.state import State

ROWS_SHOWN = 20
WIDTH_MAX = 1000


@click.group()
def state() -> None:
    """Look into the state of a running box, as its standby has it.

    The standby is asked for a copy, which it makes by forking between two records. The master has
    no part in it and is not held up.
    """


def _read(box: str | None) -> State:
    import ftmb.state
    from ftmb.command_line.running import choose

    return ftmb.state.read(choose(box))


@state.command("tables")
@click.option("--box", metavar="NAME", help="Left out: the only one that is running.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def tables(box: str | None, as_json: bool) -> int:
    """List what there is to see: elements, their tables, how many rows, which fields.

    \b
    Examples:
      ftmb state tables
      ftmb state tables --box lab --json
    """
    import json

    with _read(box) as copied:
        found: list[dict[str, Any]] = [
            {
                "element": place.element,
                "table": place.table.name,
                "help": place.table.help,
                "shared": place.table.is_shared,
                "rows": len(copied.array(place.element, place.table.name)),
                "fields": {field.name: field.help for field in place.table.fields},
            }
            for place in copied.tables()
        ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return ExitStatus.OK
    for one in found:
        whose = "shared by all workers" if one["shared"] else "of each worker"
        click.echo(
            f"{one['element']} {one['table']}: {one['help']} ({whose}), {one['rows']:,} rows"
        )
        width = max(map(len, one["fields"]))
        for name, what in one["fields"].items():
            click.echo(f"    {name:<{width}}  {what}")
    if not found:
        click.echo("the elements of this box have nothing to show")
    return ExitStatus.OK


def _prefixes(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    for value in values:
        if "=" not in value:
            raise click.BadParameter(f"'{value}' is not FIELD=PREFIX, such as inside=10.0.0.0/8")
    return tuple((value.split("=", 1)[0], value.split("=", 1)[1]) for value in values)


@state.command("show")
@click.argument("element")
@click.option("--table", metavar="NAME", help="Left out: the element's first.")
@click.option("--box", metavar="NAME", help="Left out: the only one that is running.")
@click.option("--where", metavar="SQL", help="A condition on the fields, as in SQL.")
@click.option("--within", metavar="FIELD=PREFIX", multiple=True, callback=_prefixes,
              help="Only addresses in this prefix. Repeatable.")  # fmt: skip
@click.option("--sort", metavar="FIELD", help="With a minus, the largest first: -bytes.")
@click.option("--limit", type=click.IntRange(0), metavar="ROWS",
              help=f"0: all. Default: {ROWS_SHOWN} in a table, all in files and JSON.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Rows as JSON, one object each.")
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Write a CSV file.")
@click.option("--parquet", type=click.Path(dir_okay=False, path_type=Path),
              help="Write a Parquet file.")  # fmt: skip
def show(element: str, table: str | None, box: str | None, where: str | None,
         within: tuple[tuple[str, str], ...], sort: str | None, limit: int | None, as_json: bool,
         csv: Path | None, parquet: Path | None) -> int:  # fmt: skip
    """Show one table of an element: filtered, sorted, as a table, JSON, CSV or Parquet.

    \b
    Examples:
      ftmb state show nat
      ftmb state show nat --within inside=10.0.0.0/24 --where "protocol = 'tcp'"
      ftmb state show monitor --sort -bytes --limit 10
      ftmb state show nat --table mappings --json --limit 0 | jq length
      ftmb state show nat --parquet sessions.parquet
    """
    from ftmb.state.frames import Query, select

    with _read(box) as copied:
        try:
            place = copied.find(element, table)
            rows = copied.array(element, place.table.name)
            found = select(place.table, rows, Query(where, within, sort), copied.now_ns)
        except StateError as error:
            raise click.UsageError(str(error)) from error
    is_table = not (as_json or csv or parquet)
    shown = limit if limit is not None else ROWS_SHOWN if is_table else 0
    part = found.head(shown) if shown else found
    _write(part, as_json, csv, parquet)
    if is_table:
        _print(part)
        click.echo(f"{len(part):,} of {len(found):,} rows; {len(rows):,} in the table")
    return ExitStatus.OK


def _write(part: polars.DataFrame, as_json: bool, csv: Path | None, parquet: Path | None) -> None:
    try:
        if csv is not None:
            part.write_csv(csv)
        if parquet is not None:
            part.write_parquet(parquet)
    except OSError as error:
        raise click.FileError(str(csv or parquet), str(error)) from error
    for path in filter(None, (csv, parquet)):
        click.echo(f"written: {path} ({len(part):,} rows)", err=True)
    if as_json:
        click.echo(part.write_json())


def _print(part: polars.DataFrame) -> None:
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False)
    for name, kind in part.schema.items():
        drawn.add_column(name, justify="right" if kind.is_numeric() else "left")
    for row in part.iter_rows():
        drawn.add_row(*(_text(value) for value in row))
    # Wider than the terminal rather than cut short: addresses are there to be read and copied.
    Console(width=WIDTH_MAX).print(drawn)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
