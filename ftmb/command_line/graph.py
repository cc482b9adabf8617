# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb graph`: the pipeline of a configuration as text, DOT, or a picture."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftmb.command_line import ExitStatus

if TYPE_CHECKING:
    import graphviz

EVERYTHING = "everything"


@click.command()
@click.argument("configuration", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Draw it: .svg, .png or .pdf.")  # fmt: skip
@click.option("--dot", is_flag=True, help="Print it in Graphviz's language.")
@click.option("--json", "as_json", is_flag=True, help="Print elements and paths as JSON.")
def graph(configuration: Path, picture: Path | None, dot: bool, as_json: bool) -> int:
    """Show which elements packets pass, by the port that they come in by.

    \b
    Examples:
      ftmb graph examples/ids_nat.toml
      ftmb graph examples/ids_nat.toml --picture pipeline.svg
      ftmb graph box.toml --dot | dot -Tx11
    """
    import json

    from ftmb.configuration import load

    box = load(configuration).to_dict()
    if as_json:
        click.echo(json.dumps({"elements": box["pipeline"], "paths": paths_of(box)}, indent=2))
    elif dot:
        click.echo(draw(box).source, nl=False)
    elif picture is None:
        for line in lines_of(box):
            click.echo(line)
    if picture is not None:
        _render(box, picture)
    return ExitStatus.OK


def _wires(box: dict[str, Any]) -> list[str]:
    from ftmb.configuration.relations import JOURNAL

    return [port["name"] for port in box["ports"] if not port["device"].startswith(JOURNAL)]


def paths_of(box: dict[str, Any]) -> list[dict[str, Any]]:
    """As they are configured, or the one that there is without any: ports, question, elements."""
    configured = [{key: path[key] for key in ("from", "match", "through")} for path in box["paths"]]
    names = [stage["name"] for stage in box["pipeline"]]
    return configured or [{"from": _wires(box), "match": None, "through": names}]


def _port_options(box: dict[str, Any], name: str, kind: str) -> list[str]:
    """The ports of one kind that an element's options name."""
    from ftmb._native.elements import element_classes

    (stage,) = [stage for stage in box["pipeline"] if stage["name"] == name]
    options = element_classes()[stage["element"]].options
    named = [stage["options"].get(option.name) for option in options if option.type == kind]
    return [port for port in dict.fromkeys(named) if port is not None]


def ways_out(box: dict[str, Any], path: dict[str, Any]) -> list[str]:
    """By which ports its packets may leave: those of its last element, or all."""
    ports = _port_options(box, path["through"][-1], "port") or _wires(box)
    others = [port for port in ports if port not in path["from"]]
    return ports if len(path["from"]) > 1 else others or ports


def lines_of(box: dict[str, Any]) -> list[str]:
    """A line for each path, and one for each journal."""
    rows = []
    for path in paths_of(box):
        chain = " -> ".join([*path["through"], " or ".join(ways_out(box, path))])
        rows.append((", ".join(path["from"]), path["match"] or EVERYTHING, chain))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  -> {row[2]}" for row in rows]
    for stage in box["pipeline"]:
        for journal in _port_options(box, stage["name"], "journal"):
            lines.append(f"{stage['name']} reports to {journal}")
    return lines


def draw(box: dict[str, Any]) -> graphviz.Digraph:
    """Ports, elements and journals as nodes; a colour for each path."""
    import graphviz

    drawn = graphviz.Digraph(box["name"], graph_attr={"rankdir": "LR", "fontname": "sans-serif"},
                             node_attr={"fontname": "sans-serif", "shape": "box"},
                             edge_attr={"fontname": "sans-serif", "fontsize": "10"})  # fmt: skip
    for stage in box["pipeline"]:
        kind = "" if stage["name"] == stage["element"] else f"\n({stage['element']})"
        drawn.node(f"element {stage['name']}", stage["name"] + kind, style="filled,rounded",
                   fillcolor="#e8f0fa", color="#4477aa")  # fmt: skip
        for journal in _port_options(box, stage["name"], "journal"):
            drawn.node(f"journal {journal}", journal, shape="note")
            drawn.edge(f"element {stage['name']}", f"journal {journal}", style="dashed")
    for number, path in enumerate(paths_of(box)):
        _draw_path(drawn, box, path, COLOURS[number % len(COLOURS)])
    return drawn


# Paul Tol's "bright" scheme, which those who see fewer colours can tell apart.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")


def _draw_path(drawn: graphviz.Digraph, box: dict[str, Any], path: dict[str, Any],
               colour: str) -> None:  # fmt: skip
    nodes = [f"element {name}" for name in path["through"]]
    for port in path["from"]:
        drawn.node(f"in {port}", port, shape="cds")
        drawn.edge(f"in {port}", nodes[0], label=path["match"] or "", color=colour)
    for before, behind in itertools.pairwise(nodes):
        drawn.edge(before, behind, color=colour)
    for port in ways_out(box, path):
        drawn.node(f"out {port}", port, shape="cds")
        drawn.edge(nodes[-1], f"out {port}", color=colour)


def _render(box: dict[str, Any], picture: Path) -> None:
    import graphviz

    kind = picture.suffix.removeprefix(".")
    if kind not in ("svg", "png", "pdf"):
        raise click.UsageError(f"'{picture}' is no .svg, .png or .pdf")
    try:
        picture.write_bytes(draw(box).pipe(format=kind))
    except graphviz.ExecutableNotFound as error:
        raise click.UsageError("Graphviz's 'dot' is missing: apt install graphviz") from error
    except OSError as error:
        raise click.FileError(str(picture), str(error)) from error
    click.echo(f"written: {picture}", err=True)
