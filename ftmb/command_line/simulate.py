# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb simulate`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from ftmb.command_line import ExitStatus

MISTAKE_SEEDS = 10_000  # within which each planted mistake is to be caught


class SeedRange(click.ParamType):
    """`A:B` for A to B - 1, or one seed."""

    name = "A:B"

    def convert(
        self, value: str, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        first, _, last = value.partition(":")
        try:
            seeds = int(first), int(last) if last else int(first) + 1
        except ValueError:
            self.fail(f"{value!r} is neither a seed nor a range such as 0:20000", param, context)
        if not 0 <= seeds[0] < seeds[1]:
            self.fail(f"{value!r} holds no seeds", param, context)
        return seeds


@click.command()
@click.option("--seeds", type=SeedRange(), help="Which seeds: A:B, or one.  [default: 0:1000]")
@click.option("--minutes", type=click.FloatRange(min=0.01), help="Go on for so long instead.")
@click.option("--jobs", type=click.IntRange(1), help="Processes at once.  [default: one a core]")
@click.option("--mistake", help="Plant a mistake; see --mistakes.")
@click.option("--mistakes", "all_mistakes", is_flag=True, help="Plant each: how soon is it caught?")
@click.option("--trace", is_flag=True, help="Show the steps of one seed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def simulate(
    seeds: tuple[int, int] | None,
    minutes: float | None,
    jobs: int | None,
    mistake: str | None,
    all_mistakes: bool,
    trace: bool,
    as_json: bool,
) -> int:
    """Try schedules: a whole box in one process, of which one thread moves at a time.

    The seed decides who moves next, what comes in, how small the logs are, and who dies, hangs
    or writes garbage at which instruction. Invariants are asserted at every step; at the end all
    that left is compared with a sequential re-execution. Same seed, same run.

    \b
    Examples:
      ftmb simulate --seeds 0:20000
      ftmb simulate --seeds 4711 --trace | less
      ftmb simulate --minutes 480                  a night
      ftmb simulate --mistakes                     does it notice a broken rule?
    """
    from ftmb import simulation

    if mistake is not None and mistake not in (known := simulation.mistakes()):
        raise click.UsageError(f"no mistake is called {mistake}; there are {', '.join(known)}")
    if all_mistakes:
        return _show_mistakes(as_json)
    if trace:
        if seeds is None or seeds[1] != seeds[0] + 1:
            raise click.UsageError("--trace needs one seed: --seeds 17 --trace")
        for line in simulation.trace(seeds[0], mistake):
            click.echo(line)
        return ExitStatus.OK
    first, last = seeds or (0, 1000)
    return _run(first, None if minutes else last, minutes, jobs, mistake, as_json)


def _run(
    first: int,
    last: int | None,
    minutes: float | None,
    jobs: int | None,
    mistake: str | None,
    as_json: bool,
) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    from ftmb import simulation

    total = simulation.Outcome()
    begun = time.monotonic()
    deadline = begun + minutes * 60 if minutes else None
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("seeds", total=None if last is None else last - first)

        def report(outcome: simulation.Outcome) -> bool:
            total.add(outcome)
            progress.update(bar, completed=total.runs)
            for failure in outcome.failures:
                if not as_json:
                    click.echo(f"seed {failure.seed}: {failure.reason}")
                    click.echo(f"  again: {failure.how_to_repeat(mistake)}")
            return deadline is None or time.monotonic() < deadline

        simulation.run(first, last, mistake=mistake, jobs=jobs, report=report)
    seconds = time.monotonic() - begun
    if as_json:
        click.echo(json.dumps({**asdict(total), "seconds": round(seconds, 3)}))
    else:
        click.echo(
            f"{total.runs} seeds, {len(total.failures)} failed; {total.steps} steps, "
            f"{total.records} records, {total.failovers} failovers, {total.state_losses} losses "
            f"of all replicas, {total.doubled} packets doubled without output commit; "
            f"{seconds:.1f} s, {total.runs / seconds:.0f} seeds/s"
        )
    return ExitStatus.GUARANTEE_BROKEN if total.failures else ExitStatus.OK


def _show_mistakes(as_json: bool) -> int:
    from ftmb import simulation

    found = {}
    for name, rule in simulation.mistakes().items():
        caught = simulation.seeds_until_caught(name, MISTAKE_SEEDS)
        found[name] = None if caught is None else {"seed": caught.seed, "reason": caught.reason}
        if not as_json:
            after = "SURVIVED" if caught is None else f"{caught.seed + 1:>6} seeds"
            click.echo(f"{after}  {name}: {rule}")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    return ExitStatus.OK if all(found.values()) else ExitStatus.GUARANTEE_BROKEN
