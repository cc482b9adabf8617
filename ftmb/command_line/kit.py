# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb new-element`, `ftmb headers`, `ftmb lint-element`, `ftmb elements`: for who writes or uses
elements."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from ftmb.command_line import ExitStatus

PATH = click.Path(path_type=Path)


def _shown(path: Path) -> str:
    """From where the user is, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


@click.command("new-element")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The folder to make. Left out: the project's tree, or ./NAME outside it.",
)
@click.option("--json", "as_json", is_flag=True, help="What was written, as JSON.")
def new_element(name: str, into: Path | None, as_json: bool) -> int:
    """Write a working element, with its test and its README.

    It has an option, a drop reason, state that all workers share, and a table that `ftmb state
    show` shows: change it into what you need. Within ftmb's source tree it becomes one of the
    project's elements; anywhere else it gets a folder of its own with a Makefile, and a box loads
    it by `element = "./NAME.so"`.

    \b
    Examples:
      ftmb new-element counter
      ftmb new-element counter --into ~/counter
    """
    from ftmb._native.elements import built_in_classes
    from ftmb.kit import new_element as kit

    kit.check_name(name, set(built_in_classes()))
    tree = kit.tree_above(Path.cwd()) if into is None else None
    made = kit.inside(name, tree) if tree else kit.outside(name, into or Path(name))
    if as_json:
        steps = list(made.next_steps)
        click.echo(json.dumps({"files": [str(path) for path in made.files], "next": steps}))
        return ExitStatus.OK
    for path in made.files:
        click.echo(f"written: {_shown(path)}")
    click.echo("next:")
    for step in made.next_steps:
        click.echo(f"  {step}")
    return ExitStatus.OK


@click.command()
def headers() -> int:
    """Print the compiler's flags for elements outside the tree: where the headers are.

    \b
    Example:
      cc -std=gnu11 -O3 -fPIC -fvisibility=hidden $(ftmb headers) -shared -o mine.so mine.c
    """
    from ftmb.kit import HEADERS

    click.echo(f"-I{HEADERS}")
    return ExitStatus.OK


@click.command("lint-element")
@click.argument("paths", nargs=-1, required=True, type=PATH)
@click.option(
    "--allow",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The list of exceptions. Left out: contract.toml beside the element, if there.",
)
@click.option("-I", "include", multiple=True, metavar="DIR", help="More folders with headers.")
@click.option("--quiet", is_flag=True, help="Print breaches alone.")
@click.option("--json", "as_json", is_flag=True, help="What was found, as JSON.")
def lint_element(
    paths: tuple[Path, ...],
    allow: Path | None,
    include: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> int:
    """Look for what would make a standby differ from its master, without running anything.

    PATHS are C sources of one element, its shared object, or a folder with its sources. Sources
    say most: they are compiled, what the object needs and holds is compared with what an element
    may have, and the code is searched for orders of pointers, pointers in the state, memory
    allocated in the wrong place and the like. Exit status 1: something was found.

    \b
    Examples:
      ftmb lint-element mine.c mine.so
      ftmb lint-element elements/nat
    """
    from ftmb.kit.lint import lint

    found = lint(list(paths), allow, [Path(folder) for folder in include])
    if as_json:
        click.echo(json.dumps([breach.to_dict() for breach in found], indent=2))
    else:
        for breach in found:
            click.echo(str(breach))
        if not quiet:
            count = len(found)
            names = ", ".join(map(str, paths))
            click.echo(f"{names}: {count} breach{'es' * (count != 1)} of the contract")
    return ExitStatus.GUARANTEE_BROKEN if found else ExitStatus.OK


@click.command()
@click.argument("name", required=False, metavar="[NAME|FILE.so]")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def elements(name: str | None, as_json: bool) -> int:
    """List the elements, or what one of them has: options, drops, tables, commands.

    \b
    Examples:
      ftmb elements
      ftmb elements nat
      ftmb elements ./mine.so --json
    """
    from ftmb.command_line.elements_view import describe, show, show_all

    described = describe(name)
    if as_json:
        click.echo(json.dumps(described if name is None else described[0], indent=2))
    elif name is None:
        show_all(described)
    else:
        show(described[0])
    return ExitStatus.OK
