# SPDX-License-Identifier: BSD-3-Clause
"""How much memory there is, in bytes."""

from __future__ import annotations

import os

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


def available() -> int:
    """What can be used without swapping."""
    with open("/proc/meminfo") as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_AVPHYS_PAGES") * PAGE_SIZE


def resident() -> int:
    """What this process has touched."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE_SIZE
