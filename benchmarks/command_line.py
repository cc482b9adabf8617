# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks`: measures, shows tables, writes build/bench/report.json and report.html.

Everything is measured beside its own baseline, in turn, in one run. A measurement of its own can be
repeated by its subcommand; the report keeps the others. Ctrl-C keeps what was measured.

\b
  python -m benchmarks --quick                                 about 2 minutes
  python -m benchmarks all --rounds 21
  python -m benchmarks throughput --element nat --flows 100000
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import plan
from benchmarks.report import store
from benchmarks.report.sections import RENDERERS, sections_of
from benchmarks.report.table import for_terminal
from benchmarks.traffic import PAYLOADS
from ftmb.errors import FtmbError

ELEMENT = click.Choice((*plan.ELEMENTS, *plan.BY_PAYLOAD))
INTERRUPTED = 130
CONTEXT = {"help_option_names": ["-h", "--help"]}
rounds_option = click.option(
    "--rounds",
    default=plan.ROUNDS,
    show_default=True,
    type=click.IntRange(1),
    help="of each side of a comparison",
)
console = Console()


def show(names: list[str]) -> None:
    """The tables of these sections, as they are in the report now."""
    report = store.load()
    wanted = {name: report[name] for name in (*names, "targets") if report.get(name)}
    for _, _, tables in sections_of(wanted):
        for table in tables:
            console.print(for_terminal(table))
    console.print(f"written: {store.FOLDER}/report.json and {store.FOLDER}/report.html")


def run(steps: list[plan.Step]) -> None:
    """One step after the other; what is measured is kept, however this ends."""
    total = sum(step.seconds for step in steps)
    measured: list[str] = []
    failed: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
               TextColumn("of about {task.fields[estimate]}"))  # fmt: skip
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            estimate = f"{total // 60:.0f}:{total % 60:02.0f}"
            task = progress.add_task("", total=total, estimate=estimate)
            for step in steps:
                progress.update(task, description=step.name)
                began = time.monotonic()
                try:
                    sections = step.measure()
                except (OSError, RuntimeError, TimeoutError, FtmbError) as error:
                    progress.console.print(f"failed {step.name}: {error}", style="red")
                    failed.append(step.name)
                    continue
                store.update(sections, draws=False)
                measured += [name for name in sections if name not in measured]
                progress.advance(task, step.seconds)
                took = time.monotonic() - began
                progress.console.print(f"measured {step.name} in {took:.1f} s", style="dim")
    except KeyboardInterrupt:
        console.print("interrupted; what was measured is kept")
        store.update({})
        raise SystemExit(INTERRUPTED) from None
    store.update({})
    show(measured)
    if failed:
        console.print(f"not measured: {', '.join(failed)}", style="red")
        raise SystemExit(1)


def run_one(name: str, measure: Callable[[], dict[str, Any]]) -> None:
    run([plan.Step(name, 10, measure)])


@click.group(help=__doc__, invoke_without_command=True, context_settings=CONTEXT)
@rounds_option
@click.option("--quick", is_flag=True, help="few flows, few rounds")
@click.pass_context
def main(context: click.Context, rounds: int, quick: bool) -> None:
    if context.invoked_subcommand is None:
        context.invoke(measure_all, rounds=rounds, quick=quick)


@main.command(name="all")
@rounds_option
@click.option("--quick", is_flag=True, help="few flows, few rounds")
def measure_all(rounds: int, quick: bool) -> None:
    """Every measurement, one after the other (about 10 minutes on 2 cores)."""
    rounds = min(rounds, plan.ROUNDS_QUICK) if quick else rounds
    command = f"python -m benchmarks all --rounds {rounds}" + (" --quick" if quick else "")
    store.update({"command": command}, draws=False)
    run(list(plan.steps(quick=quick, rounds=rounds)))


@main.command()
@click.option("--element", type=ELEMENT, default="nat", show_default=True)
@click.option("--flows", type=click.IntRange(1), default=10_000, show_default=True)
@rounds_option
def throughput(element: str, flows: int, rounds: int) -> None:
    """Packets a second of one master core, and cycles a packet of each role."""
    run([plan.throughput_step(element, flows, rounds)])


@main.command()
@click.option("--element", type=ELEMENT, default="nat", show_default=True)
@click.option(
    "--size", type=click.Choice(["64", "imix", "1500"]), default="1500", show_default=True
)
@click.option("--payload", type=click.Choice(PAYLOADS), default="zero", show_default=True)
@rounds_option
def sizes(element: str, size: str, payload: str, rounds: int) -> None:
    """The same with larger frames, and with payloads that come again, or never."""
    if payload != "zero" and size == "imix":
        raise click.UsageError("imix has payloads of zeros alone; say --size 1500 beside --payload")
    run([plan.size_step(element, size, rounds, payload)])


@main.command()
@click.option("--element", type=ELEMENT, default="nat", show_default=True)
@click.option("--flows", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def pipelined(element: str, flows: int, rounds: int) -> None:
    """Port to port with everybody running, and which core is the limit."""
    run([plan.pipelined_step(element, flows, rounds)])


@main.command()
@click.option("--element", type=click.Choice(["monitor", *plan.shared.ELEMENTS]),
              default="monitor", show_default=True)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@rounds_option
def shared(element: str, workers: int, rounds: int) -> None:
    """An element whose workers write shared tables on every packet."""
    from benchmarks.shared import measure, measure_element

    if element == "monitor":
        run_one("shared state", lambda: {"shared": {str(workers): measure(workers, rounds)}})
    else:
        run_one(
            f"shared state, {element}",
            lambda: {
                "shared_by_element": {
                    element: {str(workers): measure_element(element, workers, rounds)}
                }
            },
        )


@main.command()
@click.option("--rules", type=click.IntRange(1, 16384), default=1000, show_default=True)
@rounds_option
def ids(rules: int, rounds: int) -> None:
    """Gbit/s with many rules, beside Suricata where scripts/peers/suricata.sh has put it."""
    run([plan.ids_step(rules, rounds)])


@main.command()
@click.option("--rate", type=click.IntRange(1), help="packets a second; left out: half load")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
def latency(rate: int | None, rounds: int) -> None:
    """Port to port at half load, with and without snapshots."""
    from benchmarks.latency import measure

    run_one("latency", lambda: {"latency_us": measure(rounds, rate)})


@main.command()
@click.option("--flows", type=click.IntRange(1), default=100_000, show_default=True)
def snapshot(flows: int) -> None:
    """How long live traffic stands still for a snapshot."""
    from benchmarks.snapshot import measure

    run_one("snapshots", lambda: {"snapshot": {str(flows): measure(flows)}})


@main.command()
@click.option("--rate", type=click.IntRange(1), help="packets a second; left out: half load")
def log_bytes(rate: int | None) -> None:
    """Bytes of log a packet, by part."""
    from benchmarks.log_bytes import measure

    run_one("bytes of log", lambda: {"log_bytes": measure(rate)})


@main.command()
@click.option("--flows", type=click.IntRange(1), default=1_000_000, show_default=True)
def memory(flows: int) -> None:
    """Bytes of a NAT flow, and the logs' bounds."""
    from benchmarks.memory import measure

    run_one("memory", lambda: {"memory": measure(flows)})


@main.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def start(rounds: int) -> None:
    """From `ftmb up` to the first packet (needs root)."""
    from benchmarks.start import measure

    run_one("start", lambda: {"start": measure(rounds)})


@main.command()
@click.option("--flows", type=click.IntRange(1, 1_500_000), default=100_000, show_default=True)
@click.option("--kills", type=click.IntRange(1), default=15, show_default=True)
def failover(flows: int, kills: int) -> None:
    """Failovers of a real box, idle and at half load (needs root)."""
    run([plan.failover_step(flows, kills)])


@main.command()
@click.option("--workers", type=click.IntRange(1, 64), help="most threads; left out: the cores")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
def scaling(workers: int | None, rounds: int) -> None:
    """1 to N workers, and what a model says of 4 to 64."""
    from benchmarks.scaling import measure

    run_one("scaling", lambda: {"scaling": measure(rounds, threads_max=workers)})


@main.command(name="limits")
@click.option("--quick", is_flag=True, help="10,000 flows only")
def counted_limits(quick: bool) -> None:
    """Instructions and missed lines of each role (valgrind), and what a line and a copy cost."""
    run([plan.limits_step(quick=quick)])


@main.command()
def report() -> None:
    """Draws the page and the pictures again, and shows all tables."""
    store.update({})
    show(list(RENDERERS))


@main.command(name="modes")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=5, show_default=True)
def other_modes(rounds: int, kills: int) -> None:
    """No output commit, checkpoints, every access logged: in the same binary, beside ftmb."""
    run([plan.modes_step(rounds, kills)])


@main.command()
@click.option("--section", "sections", multiple=True, metavar="NAME",
              help="Only this section of the report; repeatable.")  # fmt: skip
def document(sections: tuple[str, ...]) -> None:
    """Fills the tables of docs/performance.md, and its pictures, from the report."""
    from benchmarks.document import fill

    for path in fill(sections):
        console.print(f"written: {path}")
