# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb rules`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftmb.command_line import ExitStatus

if TYPE_CHECKING:
    from ftmb.rules.rule_set import RuleSet
    from ftmb.rules.settings import Settings


class Variable(click.ParamType):
    """`NAME=VALUE`."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, str]:
        name, equals, text = value.partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is not NAME=VALUE, such as HOME_NET=10.0.0.0/8", param, context)
        return name, text


@click.group()
def rules() -> None:
    """Rules in Suricata's language, as an ids element takes them.

    \b
    Examples:
      ftmb rules check /etc/suricata/rules/*.rules
      ftmb rules check local.rules --variable HOME_NET=192.0.2.0/24 --json
    """


@rules.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--variable",
    "variables",
    multiple=True,
    type=Variable(),
    help="As in `variables` of the element; repeatable. Others are as Suricata has them.",
)
@click.option("--classification", help="A classification.config: priorities and descriptions.")
@click.option(
    "--unsupported",
    type=click.Choice(["refuse", "skip"]),
    default="refuse",
    show_default=True,
    help="Whether a rule that cannot be taken is an error.",
)
@click.option("--verbose", is_flag=True, help="Tell of each rule that is skipped.")
@click.option(
    "--canonical", is_flag=True, help="Print the rules that the engine would get instead."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def check(
    files: tuple[str, ...],
    variables: tuple[tuple[str, str], ...],
    classification: str | None,
    unsupported: str,
    verbose: bool,
    canonical: bool,
    as_json: bool,
) -> int:
    """Say which rules of FILES an ids element takes, and what is in the way of the others.

    Exit status 0: all are taken, or the others may be skipped; 2: something is wrong.

    \b
    Examples:
      ftmb rules check examples/rules/office.rules
      ftmb rules check '/var/lib/suricata/rules/*.rules' --unsupported skip
      ftmb rules check local.rules --unsupported skip --json | jq .reasons
    """
    from ftmb._native.elements import check_options
    from ftmb.rules import rule_set
    from ftmb.rules.preparation import engine_check
    from ftmb.rules.settings import gather

    options: dict[str, Any] = {"rule_files": list(files), "variables": dict(variables)}
    options["unsupported"] = unsupported
    if classification is not None:
        options["classification"] = classification
    settings = gather(options, Path())
    engine = engine_check(partial(check_options, "ids", ports=[], workers=1))
    found = rule_set.read(settings.rules, settings.context(), engine)
    if as_json:
        click.echo(json.dumps(_plain(settings, found), indent=2))
    elif canonical:
        for text in found.texts():
            click.echo(text)
    else:
        _show(settings, found, verbose)
    is_wrong = bool(settings.problems) or (bool(found.refused) and not settings.skips)
    return ExitStatus.USAGE if is_wrong else ExitStatus.OK


def _plain(settings: Settings, found: RuleSet) -> dict[str, Any]:
    return {
        "files": [str(path) for path in settings.files],
        "problems": [message for _, message in settings.problems],
        "taken": len(found.taken),
        "left_out": len(found.refused),
        "reasons": dict(found.reasons()),
        "remarks": found.remarks(),
        "rules_left_out": [
            {
                "file": refusal.origin.file,
                "line": refusal.origin.line,
                "sid": refusal.sid or None,
                "problems": [
                    {"kind": one.kind, "detail": one.detail, "column": one.column}
                    for one in refusal.problems
                ],
            }
            for refusal in found.refused
        ],
    }


def _show(settings: Settings, found: RuleSet, verbose: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    for place, message in settings.problems:
        click.echo(f"{place[0]}: {message}", err=True)
    if verbose or not settings.skips:
        for refusal in found.refused:
            for line in refusal.lines():
                click.echo(line, err=True)
    total = len(found.taken) + len(found.refused)
    files = ", ".join(map(str, settings.files[:3])) + (", ..." if len(settings.files) > 3 else "")
    click.echo(f"{total:,} rules in {len(settings.files):,} files: {files}")
    table = Table("")
    table.add_column("rules", justify="right")
    table.add_row("taken", f"{len(found.taken):,}")
    for kind, count in found.reasons():
        table.add_row(f"left out: {kind}", f"{count:,}")
    console = Console()
    console.print(table)
    for remark in found.remarks():
        console.print(remark, markup=False, highlight=False)
