# SPDX-License-Identifier: BSD-3-Clause
"""What `python -m benchmarks all` measures, in which order, and about how long each takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import (
    failover,
    ids,
    latency,
    limits,
    log_bytes,
    memory,
    modes,
    pipelined,
    scaling,
    shared,
    snapshot,
    start,
    throughput,
)

ELEMENTS = ("forward", "monitor", "nat", "firewall", "load_balancer", "ids", "limiter")
BY_PAYLOAD = ("wan_optimizer",)  # what it costs depends on what the payloads are
MATRIX = (
    *((element, flows) for flows in (1_000, 10_000, 1_000_000) for element in ELEMENTS),
    *(("nat", flows) for flows in (100_000, 10_000_000)),
)
ROUNDS, ROUNDS_QUICK = 11, 3


@dataclass(frozen=True)
class Step:
    """One measurement: what is shown meanwhile, seconds on two cores, and the sections it gives."""

    name: str
    seconds: float
    measure: Callable[[], dict[str, Any]]


def throughput_step(element: str, flows: int, rounds: int) -> Step:
    seconds = 1 + rounds * 0.15 + flows * 6e-6
    return Step(
        f"throughput, {element}, {flows:,} flows",
        seconds,
        lambda: {"throughput": {element: {str(flows): throughput.measure(element, flows, rounds)}}},
    )


def size_step(element: str, size: str, rounds: int, payload: str = "zero") -> Step:
    what = size if payload == "zero" else f"{size}, {payload} payloads"
    return Step(
        f"frame size {what}, {element}",
        1 + rounds * 0.1,
        lambda: {
            "sizes": {
                element: {what: throughput.measure_size(element, size, 10_000, rounds, payload)}
            }
        },
    )


def pipelined_step(element: str, flows: int, rounds: int) -> Step:
    return Step(
        f"port to port, {element}, {flows:,} flows",
        rounds * 2.4,
        lambda: {"pipelined": {element: {str(flows): pipelined.measure(element, flows, rounds)}}},
    )


def shared_step(element: str, rounds: int) -> Step:
    return Step(
        f"shared state, {element}, 2 workers",
        3 + rounds * 0.4,
        lambda: {"shared_by_element": {element: {"2": shared.measure_element(element, 2, rounds)}}},
    )


def ids_step(rules: int, rounds: int) -> Step:
    return Step(
        f"inspection, {rules:,} rules",
        6 + rounds * 3 + rules * 1e-3,
        lambda: {"ids": {str(rules): ids.measure(rules, rounds)}},
    )


def snapshot_step(flows: int) -> Step:
    return Step(
        f"snapshots, {flows:,} flows",
        3 + flows * 1e-5,
        lambda: {"snapshot": {str(flows): snapshot.measure(flows)}},
    )


def failover_step(flows: int, kills: int) -> Step:
    return Step(
        f"failover, {flows:,} flows",
        8 + kills * 1.2 + flows * 2e-5,
        lambda: {"failover": {str(flows): failover.measure(flows, kills)}},
    )


def modes_step(rounds: int, kills: int) -> Step:
    return Step(
        "other modes",
        2 + rounds * 14 + kills * 26,
        lambda: {"modes": modes.measure(rounds, kills)},
    )


def limits_step(*, quick: bool) -> Step:
    return Step(
        "what limits it, counted",
        25 if quick else 80,
        lambda: {"limits": limits.measure(quick=quick)},
    )


def steps(*, quick: bool, rounds: int) -> Iterator[Step]:
    """The quick ones leave out what takes long, nothing of what is measured."""
    for element, flows in MATRIX:
        if flows == 10_000 or not quick:
            yield throughput_step(element, flows, rounds)
    few = min(rounds, 5)
    for element in ("forward", "nat"):
        for size in throughput.SIZES:
            yield size_step(element, size, few)
    for element in BY_PAYLOAD:
        for payload in ("repeated", "new"):
            yield size_step(element, "1500", few, payload)
    for element in ("forward", "monitor", "nat"):
        yield pipelined_step(element, 10_000, min(rounds, 3))
    yield Step("shared state, 2 workers", 2 + rounds * 0.4,
               lambda: {"shared": {"2": shared.measure(2, rounds)}})  # fmt: skip
    for element in shared.ELEMENTS:
        yield shared_step(element, few)
    yield ids_step(1000, 1 if quick else few)
    latency_rounds = min(rounds, 7)
    yield Step("latency", 6 + latency_rounds * 7,
               lambda: {"latency_us": latency.measure(latency_rounds)})  # fmt: skip
    for flows in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
        yield snapshot_step(flows)
    yield Step("bytes of log", 6, lambda: {"log_bytes": log_bytes.measure()})
    yield Step("memory", 6, lambda: {"memory": memory.measure(100_000 if quick else 1_000_000)})
    yield Step("start", 4, lambda: {"start": start.measure(2 if quick else 5)})
    for flows in (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000):
        yield failover_step(flows, 3 if quick else 15)
    yield modes_step(1 if quick else 5, 1 if quick else 5)
    yield Step("scaling", 20 if quick else 60,
               lambda: {"scaling": scaling.measure(1 if quick else 3, quick=quick)})  # fmt: skip
    yield limits_step(quick=quick)
