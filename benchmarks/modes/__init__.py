# SPDX-License-Identifier: BSD-3-Clause
"""What ftmb is compared with, in the same binary: no protection, no output commit, FTMB as it was
published (every access logged), and checkpoints as Remus takes them."""

from __future__ import annotations

from typing import Any

from benchmarks.modes import in_memory, killed
from benchmarks.modes.settings import MODES
from benchmarks.rig import beside_master
from benchmarks.spread import median, spread

RATE_OF_LATENCY = 100_000  # packets a second that every mode carries
SHARED_PACKETS = 100_000
WORKERS = 2
KILLED_FIGURES = ("sent", "lost", "duplicated", "state_losses")


def measure(
    rounds: int, kills: int, seconds: float = 1.0, packets: int = SHARED_PACKETS
) -> dict[str, Any]:
    """All modes in turn, round by round: A B C ... A B C ..."""
    taken: dict[str, dict[str, list[Any]]] = {
        mode.name: {"mpps": [], "latency": [], "shared": [], "killed": []} for mode in MODES
    }
    with beside_master():
        for _ in range(rounds):
            for mode in MODES:
                of_mode = taken[mode.name]
                of_mode["mpps"].append(in_memory.rate(mode, seconds))
                of_mode["latency"].append(in_memory.latency_us(mode, RATE_OF_LATENCY, seconds))
                if mode.checkpoint_ms is None:
                    of_mode["shared"].append(in_memory.shared_state(mode, WORKERS, packets))
    for _ in range(kills):
        for mode in MODES:
            taken[mode.name]["killed"].append(killed.kill_once(mode))
    return {
        "by_mode": {mode.name: _summary(mode.title, taken[mode.name]) for mode in MODES},
        "packets_per_second": RATE_OF_LATENCY,
        "workers": WORKERS,
        "command": f"python -m benchmarks modes --rounds {rounds} --kills {kills}",
    }


def _summary(title: str, taken: dict[str, list[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {"title": title, "mpps": spread(taken["mpps"])}
    found["latency_us"] = _medians(taken["latency"])
    if taken["shared"]:
        found["shared"] = _medians(taken["shared"])
    if taken["killed"]:
        found["killed"] = {
            "kills": len(taken["killed"]),
            **{key: int(sum(one[key] for one in taken["killed"])) for key in KILLED_FIGURES},
            "gap_ms": spread([one["gap_ms"] for one in taken["killed"]]),
        }
    return found


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: median([one[key] for one in rounds]) for key in rounds[0]}
