# SPDX-License-Identifier: BSD-3-Clause
"""Measures what must not grow, and judges it.

Samples are taken while the box is whole (protected, with a spare), so that they compare. A series
has grown when the median of its last third lies above that of its first third by more than its
allowance: a process settles a little in its first minutes, a leak goes on.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20
PROCESSES = ("logger", "orchestrator")  # those that live as long as the box
SAMPLES_MIN = 6
WARM_UP_SHARE = 0.1  # of the samples, left out at the beginning

# What each measure may grow by, in its unit; per process, or of the machine.
ALLOWED: Mapping[str, float] = {
    "resident_bytes": 24 * MEBIBYTE,
    "descriptors": 4,
    "threads": 1,
    "mappings": 16,
    "shared_memory_bytes": 64 * MEBIBYTE,
    "huge_pages_used": 0,
    "processes": 1,  # an orchestrator that dies over a start leaves a spare too many for a while
}


@dataclass(frozen=True)
class Sample:
    """One look: values by "process measure" or "measure"."""

    at_s: float
    failures: int
    values: Mapping[str, float]


def _status_number(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def of_process(pid: int) -> dict[str, float]:
    """What a process holds now."""
    return {
        "resident_bytes": (_status_number(pid, "RssAnon") + _status_number(pid, "RssFile")) * 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": _status_number(pid, "Threads"),
        "mappings": len(Path(f"/proc/{pid}/maps").read_text().splitlines()),
    }


def of_machine() -> dict[str, float]:
    """What all processes together hold of shared memory and huge pages."""
    memory = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, number, *_ = line.split()
        memory[name.rstrip(":")] = int(number)
    return {
        "shared_memory_bytes": memory["Shmem"] * 1024,
        "huge_pages_used": memory.get("HugePages_Total", 0) - memory.get("HugePages_Free", 0),
    }


def take_sample(pids: Mapping[str, int], begun: float, failures: int, **others: float) -> Sample:
    """`pids` by process name; `others` are measures of the box that the caller knows."""
    values = {**of_machine(), **others}
    for process, pid in pids.items():
        values |= {f"{process} {name}": value for name, value in of_process(pid).items()}
    return Sample(round(time.monotonic() - begun, 3), failures, values)


@dataclass(frozen=True)
class Growth:
    """One series, judged."""

    name: str
    first: float
    last: float
    largest: float
    allowed: float

    @property
    def is_too_much(self) -> bool:
        return self.last - self.first > self.allowed


def judge(samples: list[Sample]) -> list[Growth]:
    """Every series that all samples have; empty if there are too few to say anything."""
    settled = samples[int(len(samples) * WARM_UP_SHARE) :]
    if len(settled) < SAMPLES_MIN:
        return []
    third = len(settled) // 3
    names = set.intersection(*(set(sample.values) for sample in settled))
    found = []
    for name in sorted(names):
        series = [sample.values[name] for sample in settled]
        first, last = statistics.median(series[:third]), statistics.median(series[-third:])
        found.append(Growth(name, first, last, max(series), ALLOWED[name.split()[-1]]))
    return found
