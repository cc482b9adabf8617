# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb soak`."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.option("--minutes", type=click.FloatRange(0.1, 7 * 24 * 60), default=10.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Repeat a soak's choices.")
@click.option("--connections", type=click.IntRange(1, 5000), default=100, show_default=True)
@click.option("--udp-rate", type=click.IntRange(100, 500_000), default=2000, show_default=True)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/soak"),
    show_default=True,
)
def soak(minutes: float, seed: int | None, connections: int, udp_rate: int, output: Path) -> int:
    """Fail a box in every way, at random, for a long time; see that nothing grows.

    A protected NAT and monitor in a lab of network namespaces, under the drill's traffic. Masters
    and standbys are killed, stopped and crashed, and every process dies at its crash points. While
    the box is whole, memory, descriptors, mappings, threads and huge pages are measured. Exit
    status 1 means that a guarantee was broken or that something grew.

    \b
    Examples:
      ftmb soak
      ftmb soak --minutes 480 --output build/night
    """
    from rich.console import Console

    from ftmb.drill.main_job import ended_by_signals, teller
    from ftmb.drill.settings import DrillSettings
    from ftmb.errors import LabError
    from ftmb.soak.report import conclude
    from ftmb.soak.run import SoakSettings
    from ftmb.soak.run import soak as run_soak

    if os.geteuid() != 0:
        raise LabError("the lab is made of network namespaces: run the soak as root")
    seed = int.from_bytes(os.urandom(3)) if seed is None else seed
    traffic = DrillSettings(
        seed=seed, connections=connections, udp_rate=udp_rate, tcp_mbit=5, downloads=2
    )
    settings = SoakSettings(minutes, seed, output, traffic)
    console = Console()
    with ended_by_signals():
        say = teller(console)
        say(f"seed {seed}: repeat this soak with --seed {seed}")
        return conclude(settings, run_soak(settings, say), console)
