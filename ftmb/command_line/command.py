# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb command`: telling a running element something."""

from __future__ import annotations

import click

from ftmb.command_line import ExitStatus
from ftmb.errors import CommandError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("element")
@click.argument("words", nargs=-1, metavar="COMMAND...")
@click.option("--box", metavar="NAME", help="Left out: the only one that is running.")
def command(element: str, words: tuple[str, ...], box: str | None) -> int:
    """Tell an element of a running box something; without a COMMAND, show what it can be told.

    A command is an entry of the log, as a packet is: every worker carries it out once, at its place
    between the packets, across any number of failovers. Returns when all have.

    \b
    Examples:
      ftmb command load_balancer
      ftmb command load_balancer drain 198.51.100.10:80 10.0.0.2:8080
      ftmb command limiter total 200mbit --box edge
    """
    from ftmb import orchestrator
    from ftmb.command_line.running import choose

    name = choose(box)
    if not words:
        return _show(name, element)
    try:
        late = orchestrator.command(name, element, " ".join(words))
    except CommandError as error:
        raise click.UsageError(str(error)) from error
    click.echo(late or f"done: {element} {' '.join(words)}")
    return ExitStatus.OK


def _show(name: str, element: str) -> int:
    from ftmb import orchestrator
    from ftmb._native.elements import element_classes, load_modules

    stages = orchestrator.configuration_of(name)["pipeline"]
    load_modules(stages)
    classes = {stage["name"]: element_classes()[stage["element"]] for stage in stages}
    if element not in classes:
        raise click.UsageError(f"no element '{element}' in this box; it has: {', '.join(classes)}")
    for one in classes[element].commands:
        click.echo(f"{one.name} {one.arguments}\n    {one.help}")
    if not classes[element].commands:
        click.echo(f"the element '{element}' takes no commands")
    return ExitStatus.OK
