# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks.failover`: failovers of a real box with many flows, under traffic.

A protected NAT of two workers between namespaces, 100,000 UDP flows in its state and packets on the
way; its master is killed 21 times. Printed are the pause that the snapshot for the next standby
cost live traffic, and the time from the kill until protection was back.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from typing import Any

import click

from ftmb import orchestrator
from ftmb.lab import Host, Lab

NAME = "bench-failover"
SOCKETS, DESTINATIONS = 1000, 100  # flows: each socket to each port
FILL_SECONDS = 8.0
PATIENCE_S = 20.0

TRAFFIC = """
import socket, sys, time
source, destination, sockets, ports = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
opened = []
for number in range(sockets):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((source, 20000 + number))
    opened.append(one)
end, step = time.monotonic() + 120, 1
while time.monotonic() < end:
    for port in range(ports):
        for one in opened[::step]:
            try:
                one.sendto(bytes(20), (destination, 30000 + port))
            except OSError:
                pass
        time.sleep(0.02 if step == 1 else 0.005)
    step = 10
"""


def configuration(lab: Lab) -> dict[str, Any]:
    """A NAT that keeps a session for each remote port."""
    from ftmb.configuration import from_data
    from ftmb.drill.box import lab_data

    data = lab_data(lab, NAME, "standby")
    data["element"][0]["filtering"] = "address-and-port-dependent"
    return from_data(data).to_dict()


def fail_once() -> dict[str, Any]:
    """Kills the master; the failover's times, with `again_ms` from the kill to protected."""
    before = orchestrator.status(NAME)
    killed = time.monotonic_ns()
    os.kill(before["processes"]["master"]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status = orchestrator.status(NAME)
        is_back = status["state"] == "protected"
        if is_back and status["failover_count"] > before["failover_count"]:
            failover: dict[str, Any] = status["failovers"][-1]
            failover["again_ms"] = (failover["protected_again_ns"] - killed) / 1e6
            return failover
        time.sleep(0.005)
    raise click.ClickException("the box was not protected again in time")


@click.command(help=__doc__)
@click.option("--times", default=21, show_default=True)
def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder, Lab("bench") as lab:
        os.environ["FTMB_RUN_DIRECTORY"] = folder
        orchestrator.start(configuration(lab), foreground=False)
        try:
            addresses = lab.addresses
            sizes = (str(SOCKETS), str(DESTINATIONS))
            lab.run(
                Host.CLIENT,
                [sys.executable, "-c", TRAFFIC, addresses.clients[0], addresses.server, *sizes],
            )
            time.sleep(FILL_SECONDS)
            failovers = []
            for _ in range(times):
                failovers.append(fail_once())
                time.sleep(0.2)
        finally:
            orchestrator.stop(NAME)
    if any(failover["lost_state"] for failover in failovers):
        raise click.ClickException("state was lost")
    pauses = [failover["snapshot_pause_ns"] / 1000 for failover in failovers]
    again = [failover["again_ms"] for failover in failovers]
    click.echo(f"{SOCKETS * DESTINATIONS:,} flows, {times} kills")
    click.echo(f"snapshot pause, us   p50 {statistics.median(pauses):.0f}  max {max(pauses):.0f}")
    click.echo(f"protected again, ms  p50 {statistics.median(again):.1f}  max {max(again):.1f}")


if __name__ == "__main__":
    main()
