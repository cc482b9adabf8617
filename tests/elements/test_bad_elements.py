# SPDX-License-Identifier: BSD-3-Clause
"""An element for each kind of breach of the contract: the lint catches it, and so does a run.

A run catches it when the standby's packets or its state become others than the master's. Where one
of the two cannot, the table below says so, and elements/README.md why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ftmb.kit.lint import lint
from ftmb.testing import Box
from tests.kit.building import build

BAD = Path(__file__).parent / "bad"
PORTS = ["left", "right"]
OPTIONS = {"first": "left", "second": "right"}
ROUNDS_MAX = 300
FLOWS = 32
ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
WORKERS = 4
CAUGHT = "the standby's replay diverged|the states of .* differ|the packets of .* differ"
REJECTED = f"{CAUGHT}|the output logger rejected a record"


@dataclass(frozen=True)
class Case:
    """`lint`: (kind, what) of the breaches that the source shows, all of them. `of_object`: what
    the object alone shows; None: the same. `message`: of the run that catches it; None: no run
    does. `after_failover`: only once a standby began from a snapshot."""

    lint: set[tuple[str, str]]
    message: str | None = CAUGHT
    of_object: set[tuple[str, str]] | None = None
    after_failover: bool = False


CASES = {
    "clock": Case({("clock", "clock_gettime")}),
    "cycles": Case({("clock", "rdtsc")}),
    "chance": Case({("chance", "getrandom")}),
    "pointer_order": Case({("pointer order", "here")}, of_object=set()),
    "pointer_in_state": Case({("pointer in state", "state.config")}, of_object=set()),
    "mutable_static": Case({("static", "seen")}),
    "outside_arena": Case({("const", "config")}, of_object=set()),
    "outside_packet": Case(set(), REJECTED, of_object=set()),
    "uninitialised": Case({("uninitialised", "words")}, of_object=set()),
    "thread_identity": Case({("identity", "pthread_self")}),
    "thread_local": Case(
        {("identity", "seen"), ("identity", "__tls_get_addr")}, after_failover=True
    ),
    "unacquired": Case({("shared state", "shared.count")}, of_object=set()),
    "scratch_state": Case(
        set(), of_object={("memory", "calloc"), ("memory", "free")}, after_failover=True
    ),
    "memory": Case({("memory", "malloc"), ("memory", "free")}, None),
    "output": Case({("io", "fprintf"), ("io", "stderr")}, None),
}


def frame(flow: int) -> bytes:
    addresses = IP(src=f"10.0.0.{flow + 1}", dst="192.0.2.1")
    return bytes(ETHERNET / addresses / UDP(sport=1000 + flow, dport=53) / bytes(32))


def send_until(box: Box, rounds: int) -> None:
    for _ in range(rounds):
        for flow in range(FLOWS):
            box.inject("left", frame(flow))
        assert len(box.run()) == FLOWS


def test_there_is_a_case_for_each(tmp_path: Path) -> None:
    assert {path.stem for path in BAD.glob("*.c")} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_the_lint_catches_it(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    built = build(BAD / f"{name}.c", tmp_path / f"{name}.so")
    of_object = case.lint if case.of_object is None else case.of_object
    for path, expected in ((BAD / f"{name}.c", case.lint), (built, of_object)):
        assert {(found.kind, found.what) for found in lint([path])} == expected


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.message])
def test_a_run_catches_it(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    element = build(BAD / f"{name}.c", tmp_path / f"{name}.so")
    with Box([(element, OPTIONS)], PORTS, WORKERS) as box:
        if case.after_failover:
            send_until(box, 2)
            box.fail_over()
        with pytest.raises(AssertionError, match=case.message):
            send_until(box, ROUNDS_MAX)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.message])
def test_no_run_catches_it(name: str, tmp_path: Path, make_box: Callable[..., Box]) -> None:
    """What has no effect on packets and state is left to the lint."""
    element = build(BAD / f"{name}.c", tmp_path / f"{name}.so")
    send_until(make_box([(element, OPTIONS)], PORTS, WORKERS), 3)
