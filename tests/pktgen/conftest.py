# SPDX-License-Identifier: BSD-3-Clause
"""Wires for the packet generator: a plain one, and one with a box in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftmb import pktgen
from ftmb.lab import Host, Lab, namespaces

RELAY = Path(__file__).with_name("relay.py")
BOX_INSIDE, BOX_OUTSIDE = "10.77.0.1/24", "198.51.100.1/24"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with Lab("pktgen") as lab:
        yield lab


def ip(lab: Lab, host: Host, *arguments: str) -> None:
    subprocess.run(["ip", "-n", lab.namespace(host), *arguments], check=True)


def nft(lab: Lab, rules: str) -> None:
    def body() -> None:
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)

    namespaces.call(lab.namespace(Host.BOX), body)


@pytest.fixture
def routed(lab: Lab) -> Iterator[Lab]:
    """The kernel forwards between the lab's two sides."""

    def forward(on: bool) -> None:
        Path("/proc/sys/net/ipv4/ip_forward").write_text(str(int(on)))

    ip(lab, Host.BOX, "address", "add", BOX_INSIDE, "dev", "inside")
    ip(lab, Host.BOX, "address", "add", BOX_OUTSIDE, "dev", "outside")
    namespaces.call(lab.namespace(Host.BOX), lambda: forward(True))
    yield lab
    namespaces.call(lab.namespace(Host.BOX), lambda: forward(False))
    nft(lab, "flush ruleset\n")
    ip(lab, Host.BOX, "address", "flush", "dev", "inside")
    ip(lab, Host.BOX, "address", "flush", "dev", "outside")


@pytest.fixture
def relay(lab: Lab) -> Iterator[Callable[..., Callable[[], dict[str, int]]]]:
    """Starts a relay between the two sides; what it returns ends it and tells its counts."""
    running = []

    def start(*arguments: str) -> Callable[[], dict[str, int]]:
        program = lab.run(Host.BOX, [sys.executable, RELAY, "inside", "outside", *arguments])
        running.append(program)
        program.wait_ready()

        def end() -> dict[str, int]:
            program.stop()
            counts: dict[str, int] = json.loads(program.output().splitlines()[-1])
            return counts

        return end

    yield start
    for program in running:
        program.kill()


@pytest.fixture
def settings(lab: Lab) -> Callable[..., pktgen.Settings]:
    """From the lab's client to its server."""

    def make(**changes: Any) -> pktgen.Settings:
        given = {"kind": "latency", "rates": (2000,), "seconds": 1.0, **changes}
        ends: dict[str, Any] = {}
        for role, host in (("transmit", Host.CLIENT), ("receive", Host.SERVER)):
            ends[role] = {"namespace": lab.namespace(host), "interface": "eth0"}
            ends[role] |= given.pop(role, {})
        return pktgen.Settings.model_validate(given | ends)

    return make


@pytest.fixture
def bridged(settings: Callable[..., pktgen.Settings]) -> Callable[..., pktgen.Settings]:
    """The same where both ends are on one link, as behind the relay."""

    def make(**changes: Any) -> pktgen.Settings:
        return settings(
            transmit={"address": "10.77.0.2/24"}, receive={"address": "10.77.0.200/24"}, **changes
        )

    return make
