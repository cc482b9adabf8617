# SPDX-License-Identifier: BSD-3-Clause
"""The subcommands of `ftmb`. Each imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import ftmb as package
from ftmb.command_line import ExitStatus
from ftmb.command_line.command import command
from ftmb.command_line.graph import graph
from ftmb.command_line.kit import elements, headers, lint_element, new_element
from ftmb.command_line.pktgen import pktgen
from ftmb.command_line.rules import rules
from ftmb.command_line.simulate import simulate
from ftmb.command_line.soak import soak
from ftmb.command_line.state import state

if TYPE_CHECKING:
    from ftmb.crash_points import CrashPoint

CONFIGURATION = click.Path(dir_okay=False, path_type=Path)

EPILOG = """\b
Exit status:
  0    fine
  1    a guarantee was broken (drill, simulate, soak)
  2    wrong usage, or a configuration with problems
  3    the box could not be started, or is not running
  4    the box is running but unprotected
  130  interrupted
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package.__version__, prog_name="ftmb")
def ftmb() -> None:
    """Keeps a stateful middlebox running through crashes.

    \b
    Examples:
      ftmb check box.toml      is this configuration right?
      ftmb up box.toml         start the box; returns once it is protected
      ftmb graph box.toml      which elements do packets pass?
      ftmb status              is it protected?
      ftmb down                stop it
      ftmb drill               a NAT under real traffic, killed again and again
      ftmb simulate            the protocol under thousands of schedules
      ftmb command limiter     what can a running element be told?
      ftmb state show nat      its sessions, as the standby has them
      ftmb soak                every kind of failure, for a long time
      ftmb pktgen run SCRIPT   measure a box, or anything else, from outside
      ftmb rules check FILE    which rules of a file an ids element takes
      ftmb elements nat        what it has: options, drop reasons, tables
      ftmb new-element mine    an element of your own, to begin with
    """


for one in (command, elements, graph, headers, lint_element, new_element):
    ftmb.add_command(one)
ftmb.add_command(pktgen)
ftmb.add_command(rules)
ftmb.add_command(simulate)
ftmb.add_command(soak)
ftmb.add_command(state)


@ftmb.command()
@click.argument("configuration", type=CONFIGURATION)
def check(configuration: Path) -> int:
    """Check a configuration; start nothing.

    Every problem is shown at once, with its line and what is allowed.

    \b
    Example:
      ftmb check examples/two_nics.toml
    """
    from ftmb.configuration import load

    box = load(configuration).to_dict()
    pipeline = " -> ".join(stage["name"] for stage in box["pipeline"])
    if box["paths"]:
        pipeline = "; ".join(" -> ".join(path["through"]) for path in box["paths"])
    ports = ", ".join(port["name"] for port in box["ports"])
    click.echo(
        f"{configuration}: box '{box['name']}': {pipeline} on {box['workers']['count']} worker(s), "
        f"ports {ports}, protection {box['protection']}"
    )
    for remark in box["notes"]:
        click.echo(remark)
    return ExitStatus.OK


@ftmb.command()
@click.argument("configuration", type=CONFIGURATION)
@click.option("--foreground", is_flag=True, help="Stay until Ctrl-C, then stop the box.")
def up(configuration: Path, foreground: bool) -> int:
    """Start the box that CONFIGURATION describes.

    Returns once the box is protected. If it cannot be started, nothing is left behind. A box
    whose orchestrator died, and which therefore gets no new standby, is given a new one.

    \b
    Examples:
      ftmb up examples/two_nics.toml
      ftmb up --foreground box.toml
    """
    from ftmb import orchestrator
    from ftmb.command_line.machine import require_machine
    from ftmb.configuration import load

    box = load(configuration).to_dict()
    require_machine(box)
    for remark in box["notes"]:
        click.echo(remark, err=True)
    attached = orchestrator.start(box, foreground=foreground)
    if not foreground:
        state = "was found running without an orchestrator: attached" if attached else "is up"
        click.echo(f"box '{box['name']}' {state}; see it with: ftmb status {box['name']}")
    return ExitStatus.OK


@ftmb.command()
@click.argument("name", required=False)
def down(name: str | None) -> int:
    """Stop a box; NAME may be left out when only one is running.

    \b
    Examples:
      ftmb down
      ftmb down lab
    """
    from ftmb import orchestrator
    from ftmb.command_line.running import choose

    chosen = choose(name)
    orchestrator.stop(chosen)
    click.echo(f"box '{chosen}' is down")
    return ExitStatus.OK


@ftmb.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(name: str | None, as_json: bool) -> int:
    """Show a box: protected or not, processes, failovers, ports, drops.

    Exit status 0 means protected, 4 running but unprotected, 3 not running.

    \b
    Examples:
      ftmb status
      ftmb status lab --json | jq .state
    """
    from ftmb import orchestrator
    from ftmb.command_line.running import choose
    from ftmb.command_line.status_view import show

    observed: dict[str, Any] = orchestrator.status(choose(name))
    if as_json:
        click.echo(json.dumps(observed, indent=2))
    else:
        show(observed)
    return _status_of(observed["state"])


def _status_of(state: str) -> ExitStatus:
    if state == "protected":
        return ExitStatus.OK
    return ExitStatus.NOT_STARTED if state == "failed" else ExitStatus.UNPROTECTED


@ftmb.command()
@click.option("--config", type=CONFIGURATION, help="Fail a running box instead of the lab's.")
@click.option("--kill", type=click.Choice(["master", "standby"]), help="Whom (default master).")
@click.option(
    "--signal", "signals", multiple=True, type=click.Choice(["KILL", "STOP", "SEGV"]), help="How."
)
@click.option(
    "--crash-at",
    "points",
    multiple=True,
    metavar="POINT",
    help="Fail it at this point of the protocol; 'list' shows them. Repeatable.",
)
@click.option(
    "--times",
    type=click.IntRange(1, 1000),
    help="How many failures (default 10, or one for each --crash-at).",
)
@click.option("--seed", type=click.IntRange(0), help="Repeat a drill's choices.")
@click.option(
    "--pipeline",
    metavar="NAME",
    default="nat",
    show_default=True,
    help="Which box is drilled in the lab; 'list' shows them.",
)
@click.option("--connections", type=click.IntRange(1, 5000), default=200, show_default=True)
@click.option("--udp-rate", type=click.IntRange(100, 500_000), default=20_000, show_default=True)
@click.option("--tcp-mbit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--contrast/--no-contrast", default=True, help="Also run without protection.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/drill"),
    show_default=True,
)
def drill(
    config: Path | None,
    kill: str | None,
    signals: tuple[str, ...],
    points: tuple[str, ...],
    times: int | None,
    seed: int | None,
    pipeline: str,
    connections: int,
    udp_rate: int,
    tcp_mbit: int,
    contrast: bool,
    output: Path,
) -> int:
    """Kill the master again and again and count what the outside noticed.

    Without --config: builds a lab of network namespaces with a protected box in it, a NAT or
    the one of --pipeline, sends real programs through it (downloads, iperf3, interactive
    connections, ping, a numbered UDP stream, and what fits the pipeline), and writes
    report.json and report.html to the output folder. With --config: fails a box that is
    already running, without traffic of its own.

    \b
    Examples:
      ftmb drill
      ftmb drill --times 20 --seed 7 --no-contrast
      ftmb drill --pipeline list
      ftmb drill --pipeline firewall --times 5
      ftmb drill --config box.toml --kill standby --signal KILL --times 3
      ftmb drill --crash-at list
      ftmb drill --crash-at master-before-publish --crash-at standby-in-replay
    """
    if "list" in points:
        return _list_crash_points()
    if pipeline == "list":
        return _list_pipelines()
    crash_at = _crash_points(points, config is not None)
    if crash_at and (kill or signals):
        raise click.UsageError("--crash-at says who dies and how: it goes without --kill, --signal")
    from ftmb.drill.settings import DrillSettings, Failure

    seed = int.from_bytes(os.urandom(3)) if seed is None else seed
    chosen = tuple(Failure[signal] for signal in signals)
    times = times or len(crash_at) or 10
    if config is not None:
        from ftmb.command_line.running import choose
        from ftmb.configuration import load
        from ftmb.drill.running_box import drill_running_box

        name = choose(load(config).name)
        kinds = crash_at or chosen or (Failure.KILL,)
        return drill_running_box(name, kill or "master", kinds, times, seed)
    if kill == "standby":
        raise click.UsageError("--kill standby needs --config: the lab's drill kills the master")
    from ftmb.drill.main_job import run_drill

    return run_drill(
        DrillSettings(
            seed=seed,
            pipeline=_known_pipeline(pipeline),
            failures=chosen or tuple(Failure),
            crash_at=crash_at,
            times=times,
            connections=connections,
            udp_rate=udp_rate,
            tcp_mbit=tcp_mbit,
            contrast=contrast and not crash_at,
            output=output,
        )
    )


def _list_pipelines() -> int:
    from ftmb.drill.pipelines import PIPELINES

    width = max(map(len, PIPELINES))
    for pipeline in PIPELINES.values():
        click.echo(f"{pipeline.name:{width}}  {pipeline.help} (examples/{pipeline.example})")
    return ExitStatus.OK


def _known_pipeline(name: str) -> str:
    from ftmb.drill.pipelines import PIPELINES

    if name not in PIPELINES:
        raise click.UsageError(f"no pipeline {name!r}; see: ftmb drill --pipeline list")
    return name


def _list_crash_points() -> int:
    from ftmb.crash_points import all_points

    points = all_points().values()
    width = max(len(point.name) for point in points)
    for point in points:
        loss = " [state is lost, and the box must say so]" if point.loses_state else ""
        click.echo(f"{point.name:{width}}  {point.help}{loss}")
    return ExitStatus.OK


def _crash_points(names: tuple[str, ...], box_runs: bool) -> tuple[CrashPoint, ...]:
    if not names:
        return ()
    from ftmb.crash_points import When, all_points

    known = all_points()
    for name in names:
        if name not in known:
            raise click.UsageError(f"no crash point {name!r}; see: ftmb drill --crash-at list")
        if box_runs and known[name].when in (When.START, When.END):
            raise click.UsageError(
                f"{name} is reached when a box starts or ends: leave out --config"
            )
    return tuple(known[name] for name in names)
