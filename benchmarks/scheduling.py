# SPDX-License-Identifier: BSD-3-Clause
"""What else a round met: time that the machine was stolen, and how long threads waited for a core.

A packet that is late may be so by the box's doing or by the kernel's; these figures tell.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STEAL_FIELD = 8  # of the first line of /proc/stat, its label being number 0
TASKS = Path("/proc/self/task")
WATCHED = ("loggers", "worker")


@dataclass(frozen=True)
class Observation:
    """Nanoseconds since the start: of the machine stolen, and of each thread."""

    steal_ns: int
    threads: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Observation:
        first = Path("/proc/stat").read_text().split("\n", 1)[0].split()
        steal = int(first[STEAL_FIELD]) if len(first) > STEAL_FIELD else 0
        return cls(steal * 1_000_000_000 // TICKS_PER_SECOND, _threads())

    def since(self, before: Observation) -> dict[str, Any]:
        """Milliseconds stolen; for each thread on a core, waiting for one, and how often it had to
        give way."""
        threads = {}
        for label, (ran, waited, switches) in self.threads.items():
            earlier = before.threads.get(label, (0, 0, 0))
            threads[label] = {
                "ran_ms": round((ran - earlier[0]) / 1e6, 2),
                "waited_ms": round((waited - earlier[1]) / 1e6, 2),
                "preempted": switches - earlier[2],
            }
        return {"steal_ms": round((self.steal_ns - before.steal_ns) / 1e6, 1), "threads": threads}


def _threads() -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for task in TASKS.iterdir():
        try:
            name = (task / "comm").read_text().strip()
            if not name.startswith(WATCHED):
                continue
            ran, waited, _ = map(int, (task / "schedstat").read_text().split())
            status = dict(
                line.split(":", 1)
                for line in (task / "status").read_text().splitlines()
                if ":" in line
            )
        except (OSError, ValueError):
            continue
        cores = status.get("Cpus_allowed_list", "?").strip()
        label = f"{name}, core {cores}"
        before = found.get(label, (0, 0, 0))
        switches = int(status.get("nonvoluntary_ctxt_switches", "0"))
        found[label] = (before[0] + ran, before[1] + waited, before[2] + switches)
    return found
