# SPDX-License-Identifier: BSD-3-Clause
"""Rounds become medians with their spread. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.failover import ConnectionFailure, DatagramFailure
from benchmarks.peers.speed import Passage
from benchmarks.spread import spread


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The spread of each figure that is a number in every round."""
    numbers = [
        name
        for name in (rounds[0] if rounds else ())
        if all(isinstance(figures.get(name), int | float) for figures in rounds)
    ]
    return {name: spread([figures[name] for figures in rounds]) for name in numbers}


def failover_summary(
    datagrams: Sequence[DatagramFailure], connections: Sequence[ConnectionFailure]
) -> dict[str, Any]:
    """Of one contestant."""
    reasons = sorted({reason for failure in connections for reason in failure.reasons})
    return {
        "datagrams": summary([vars(failure) for failure in datagrams]),
        "tcp": {**summary([vars(failure) for failure in connections]), "reasons": reasons},
    }


def beside(passage: Passage, wire: Passage) -> dict[str, float]:
    """A round's figures, with what the bare wire of the same round makes of them.

    `cost_ns` is the processor time of what stands between two wires, a packet: `processes_ns` of
    the box's own processes, and `kernel_ns`, what the generator was charged beyond the bare wire,
    where the kernel forwards.
    """
    processes_ns = sum(passage.box_ns.values())
    kernel_ns = passage.generator_ns - wire.generator_ns if passage.in_kernel else 0.0
    cost_ns = processes_ns + kernel_ns
    left_out = ("box_ns", "in_kernel")
    figures = {
        **{name: value for name, value in vars(passage).items() if name not in left_out},
        **{f"{role}_ns": value for role, value in passage.box_ns.items()},
        "added_p50_us": round(passage.p50_us - wire.p50_us, 2),
        "added_p99_us": round(passage.p99_us - wire.p99_us, 2),
        "processes_ns": round(processes_ns, 1),
        "kernel_ns": round(kernel_ns, 1),
        "cost_ns": round(cost_ns, 1),
    }
    if cost_ns > 0:
        figures["pps_per_core"] = round(1e9 / cost_ns)
    return figures


def speed_summary(passages: Sequence[Passage], wires: Sequence[Passage]) -> dict[str, Any]:
    """Of one contestant, whose rounds are those of the wire."""
    return summary([beside(*pair) for pair in zip(passages, wires, strict=True)])


def typical(failures: Sequence[DatagramFailure]) -> DatagramFailure:
    """The round whose longest gap is the (lower) median: the one to draw."""
    ordered = sorted(failures, key=lambda failure: failure.gap_ms)
    return ordered[(len(ordered) - 1) // 2]


def text(values: Mapping[str, float] | None, digits: int = 0) -> str:
    """The median and (least to greatest); one number where all are the same."""
    if values is None:
        return "-"
    median, low, high = (f"{values[name]:,.{digits}f}" for name in ("median", "min", "max"))
    return median if low == high else f"{median} ({low} to {high})"
