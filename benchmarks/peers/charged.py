# SPDX-License-Identifier: BSD-3-Clause
"""Processor time by whom the kernel's scheduler charged it to, in nanoseconds.

The kernel's NAT has no process: it runs as a software interrupt in whoever sent the packet, which
is charged for it, or in ksoftirqd where that was too long for one go.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def charged_ns(pids: Iterable[int]) -> int:
    """Of all threads of these processes since each began; processes that are gone count 0."""
    total = 0
    for pid in pids:
        for file in PROC.glob(f"{pid}/task/*/schedstat"):
            try:
                total += int(file.read_text().split()[0])
            except OSError:
                continue
    return total


def software_interrupt_threads() -> list[int]:
    """The pids of ksoftirqd, one a core."""
    found = []
    for file in PROC.glob("[0-9]*/comm"):
        try:
            if file.read_text().startswith("ksoftirqd/"):
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found
