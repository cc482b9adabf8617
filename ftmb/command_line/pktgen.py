# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb pktgen`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftmb.command_line import ExitStatus

if TYPE_CHECKING:
    from ftmb.pktgen import Result, Settings

SCRIPT = click.Path(dir_okay=False, path_type=Path)


class EndpointParameter(click.ParamType):
    """`NAMESPACE:INTERFACE`, or an interface of the namespace that this runs in."""

    name = "[NAMESPACE:]INTERFACE"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> Any:
        namespace, _, interface = value.rpartition(":")
        if not interface:
            self.fail(f"{value!r} names no interface; it is NAMESPACE:INTERFACE", param, context)
        return {"namespace": namespace or None, "interface": interface}


@click.group()
def pktgen() -> None:
    """Measure a box from outside: packets through it, at rates and in flows of one's choice.

    \b
    Examples:
      ftmb pktgen run scripts/pktgen/latency.toml --transmit client:eth0 --receive server:eth0
      ftmb pktgen check scripts/pktgen/throughput.toml
    """


@pktgen.command()
@click.argument("script", type=SCRIPT)
def check(script: Path) -> int:
    """Check a script; send nothing.

    Every problem is shown at once, with its line and what is allowed.

    \b
    Example:
      ftmb pktgen check scripts/pktgen/flow_ramp.toml
    """
    from ftmb.pktgen.script import load

    settings = load(script)
    rates = ", ".join(f"{rate:,}" for rate in settings.rates)
    counts = settings.ramp or (settings.flows.count,)
    flows = ", ".join(f"{count:,}" for count in counts)
    click.echo(
        f"{script}: kind '{settings.kind}', {settings.seconds:g} s a trial, at {rates} packets/s, "
        f"with {flows} flows"
    )
    return ExitStatus.OK


@pktgen.command()
@click.argument("script", type=SCRIPT)
@click.option("--transmit", type=EndpointParameter(), help="Where packets are sent.")
@click.option("--receive", type=EndpointParameter(), help="Where they are to arrive.")
@click.option("--rate", "rates", type=int, multiple=True, help="Packets a second. Repeatable.")
@click.option("--seconds", type=float, help="Of each trial.")
@click.option("--flows", type=int, help="How many.")
@click.option("--frames", help="Size with the check sequence (64 to 1518), or 'imix'.")
@click.option("--zipf", type=float, help="Flows by Zipf's law with this exponent.")
@click.option("--reply/--no-reply", default=None, help="The receiver answers each packet.")
@click.option("--warm-up/--no-warm-up", default=None, help="Each flow once, before measuring.")
@click.option("--pcap", type=click.Path(), help="The capture of a replay.")
@click.option("--core", type=int, help="Which core the generator runs on.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--output", type=SCRIPT, help="Write the result to this file, as JSON.")
def run(
    script: Path,
    transmit: dict[str, Any] | None,
    receive: dict[str, Any] | None,
    rates: tuple[int, ...],
    seconds: float | None,
    flows: int | None,
    frames: str | None,
    zipf: float | None,
    reply: bool | None,
    warm_up: bool | None,
    pcap: str | None,
    core: int | None,
    as_json: bool,
    output: Path | None,
) -> int:
    """Run SCRIPT between two interfaces; options come before what the script says.

    Packets are due at fixed times, whether the box keeps up or not, and latency counts from when
    a packet was due. Both interfaces belong to the generator while it runs. Ctrl-C ends it with
    what was measured until then. Needs root.

    \b
    Examples:
      ftmb pktgen run scripts/pktgen/latency.toml --transmit client:eth0 --receive server:eth0
      ftmb pktgen run scripts/pktgen/throughput.toml --transmit client:eth0 \\
          --receive server:eth0 --flows 100000 --json --output build/throughput.json
      ftmb pktgen run scripts/pktgen/replay.toml --transmit client:eth0 --receive server:eth0 \\
          --pcap trace.pcap
    """
    from ftmb import pktgen as generator
    from ftmb.pktgen.script import load, override

    settings = override(
        load(script),
        {
            ("transmit",): transmit,
            ("receive",): receive,
            ("rates",): rates or None,
            ("seconds",): seconds,
            ("flows", "count"): flows,
            ("flows", "mix"): None if zipf is None else "zipf",
            ("flows", "exponent"): zipf,
            ("frames",): int(frames) if frames and frames.isdigit() else frames,
            ("reply",): reply,
            ("warm_up",): warm_up,
            ("replay", "file"): pcap,
            ("core",): core,
        },
    )
    result = _with_progress(settings)
    plain = generator.plain(result)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(plain) + "\n")
    if as_json:
        click.echo(json.dumps(plain))
    else:
        from rich.console import Console

        from ftmb.pktgen.report import show

        show(result, Console())
    return ExitStatus.INTERRUPTED if result.interrupted else ExitStatus.OK


def _with_progress(settings: Settings) -> Result:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from ftmb import pktgen as generator

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("opening both ends", total=None)

        def tell(what: str, packets: int, sent: int, received: int) -> None:
            progress.update(bar, description=what, total=packets, completed=sent)

        return generator.run(settings, tell)
