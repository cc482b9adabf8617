# SPDX-License-Identifier: BSD-3-Clause
"""What is counted, each by a name: element:size:flows:side:MiB of an output log."""

from __future__ import annotations

from benchmarks.rig import OUTPUT_MIB

ROLES = ("input logger", "master", "output logger", "standby")
ELEMENTS = ("forward", "monitor", "nat")
SIDES = ("protected", "unprotected")
FLOWS = (10_000, 1_000_000)
LARGE = 1500
LOG_MIB, SMALL_LOG_MIB = OUTPUT_MIB, 4  # output logs: as the other benchmarks', and in the L3


def case_of(element: str, flows: int, side: str, size: int = 64, log_mib: int = LOG_MIB) -> str:
    """As stepped.py reads it."""
    return f"{element}:{size}:{flows}:{side}:{log_mib}"


def chosen(*, quick: bool) -> list[str]:
    """What is counted."""
    chosen = FLOWS[:1] if quick else FLOWS
    small = [case_of(e, f, side) for f in chosen for e in ELEMENTS for side in SIDES]
    elements = ("forward",) if quick else ("forward", "nat")
    large = [
        case_of(element, FLOWS[0], "protected", LARGE, log_mib)
        for element in elements
        for log_mib in (LOG_MIB, SMALL_LOG_MIB)
    ]
    return small + large
