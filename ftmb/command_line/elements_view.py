# SPDX-License-Identifier: BSD-3-Clause
"""What elements have, as their constant tables in C say it, on the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ftmb._native import elements
from ftmb._native.modules import ModuleError
from ftmb._native.tables import tables_of
from ftmb.configuration.modules import is_file
from ftmb.configuration.relations import unknown
from ftmb.errors import FtmbError


def describe(name: str | None) -> list[dict[str, Any]]:
    """All elements that are built in, or the one of this name or in this file."""
    if name is not None and is_file(name):
        try:
            name = elements.load_module(name).name
        except ModuleError as error:
            raise FtmbError(str(error)) from None
    classes = elements.element_classes()
    if name is not None and name not in classes:
        raise click.UsageError(unknown(f"there is no element '{name}'", name, list(classes)))
    shown = [name] if name else sorted(elements.built_in_classes())
    return [_described(classes[one]) for one in shown]


def _described(found: elements.ElementClass) -> dict[str, Any]:
    return {
        "name": found.name,
        "help": found.help,
        "options": [
            {
                "name": option.name,
                "type": option.type,
                "help": option.help,
                "allowed": _allowed(option),
                "default": option.initial,
            }
            for option in found.options
        ],
        "ports": [option.name for option in found.options if option.type == "port"],
        "drop_reasons": list(found.drop_reasons),
        "commands": [asdict(command) for command in found.commands],
        "tables": [
            {
                "name": table.name,
                "help": table.help,
                "shared": table.is_shared,
                "fields": {field.name: field.help for field in table.fields},
            }
            for table in tables_of(found.name)
        ],
    }


def _allowed(option: elements.Option) -> str:
    match option.type:
        case "unsigned":
            return f"{option.minimum} to {option.maximum}"
        case "seconds":
            return f"{option.minimum} to {option.maximum} s"
        case "choice":
            return ", ".join(option.choices)
        case "boolean":
            return "true, false"
        case "port":
            return "a port's name"
        case "list":
            return "texts"
        case _:
            return "a text"


def show_all(described: list[dict[str, Any]]) -> None:
    """A line each."""
    width = max(len(one["name"]) for one in described)
    for one in described:
        click.echo(f"{one['name']:<{width}}  {one['help']}")


def show(one: dict[str, Any]) -> None:
    """All of it."""
    click.echo(f"{one['name']}: {one['help']}")
    options = [
        (
            option["name"],
            f"{option['help']}: {option['allowed']}"
            + (
                f" (default {option['default']})" if option["default"] is not None else "; required"
            ),
        )
        for option in one["options"]
    ]
    _section("options", options)
    _section("drop reasons", [(reason, "") for reason in one["drop_reasons"]])
    commands = [(f"{one['name']} {one['arguments']}", one["help"]) for one in one["commands"]]
    _section("commands", commands)
    for table in one["tables"]:
        whose = "shared by all workers" if table["shared"] else "of each worker"
        _section(f"table {table['name']}: {table['help']} ({whose})", list(table["fields"].items()))


def _section(title: str, rows: list[tuple[str, str]]) -> None:
    if not rows:
        return
    click.echo(title)
    width = max(len(name) for name, _ in rows)
    for name, what in rows:
        click.echo(f"    {name:<{width}}  {what}".rstrip())
