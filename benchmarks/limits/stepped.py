# SPDX-License-Identifier: BSD-3-Clause
"""The program whose instructions are counted: a box that one thread moves, the roles in turn.

    python -m benchmarks.limits.stepped MARKS.SO CASE...

A case (cases.py) is named such as nat:64:10000:protected:64. Under callgrind each role's turn is
written to a file of its own, triggered by "CASE/role". Printed are, as JSON by case, the packets of
a turn and the cycles a packet of each role (which mean nothing under callgrind). A turn is longer
than a core's own cache holds, so that what one role wrote is not found there by the next, as it is
not when each has a core.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.limits.cases import ROLES
from benchmarks.rig import RECORD_ROOM, Rig
from benchmarks.spread import median
from benchmarks.throughput import options_of
from benchmarks.traffic import Traffic, sized_flows
from ftmb._native.logger import MEBIBYTE
from ftmb._native.memory import cycles

TURN_BYTES = 3 << 20  # of an input log
WARM_TURNS_MAX = 8  # under simulation, so that its caches hold what they would
ROUNDS = 9  # of cycles; what callgrind counts is the same each time


def turns(rig: Rig, packets: int, seen: Callable[[str], None]) -> None:
    """Fill, run, release, replay, free; `seen` is told whose turn just ended."""
    rig.source.send(packets)
    rig.logger.step_until_quiet()
    seen("input logger")
    rig.master.step_until_idle()
    seen("master")
    rig.logger.step_until_quiet()
    seen("output logger")
    if rig.standby is not None:
        rig.standby.step_until_idle()
        seen("standby")
        rig.logger.step_until_quiet()
        seen("output logger")  # frees what the standby has let go


def nobody(_: str) -> None:
    pass


class Stopwatch:
    """Cycles of each role since the last turn that ended."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(ROLES, 0)
        self.last = cycles()

    def __call__(self, role: str) -> None:
        now = cycles()
        self.spent[role] += now - self.last
        self.last = cycles()


def turn_of(traffic: Traffic) -> int:
    """Packets of a turn."""
    return int(TURN_BYTES / (traffic.mean_size + RECORD_ROOM))


def measured(rig: Rig, turn: int) -> dict[str, float]:
    """Cycles a packet of each role, the median of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        watch = Stopwatch()
        turns(rig, turn, watch)
        taken.append({role: spent / turn for role, spent in watch.spent.items()})
    return {role: median([one[role] for one in taken]) for role in ROLES}


def step_case(case: str, marks: ctypes.CDLL) -> dict[str, Any]:
    element, size, count, side, log_mib = case.split(":")
    logs = {"output_size": int(log_mib) * MEBIBYTE}
    traffic = sized_flows(int(count), int(size))
    turn = turn_of(traffic)
    with Rig(element, options_of(element, int(count)), traffic, protected=side == "protected",
             has_packet_thread=False, has_worker_threads=False,
             logger_changes=logs) as rig:  # fmt: skip
        rig.master.step_until_idle()  # live before there is anything to do
        turns_of_all = -(-traffic.count // turn)  # after them every flow is known
        for _ in range(turns_of_all):
            turns(rig, turn, nobody)
        marks.marks_start()
        for _ in range(min(WARM_TURNS_MAX, 2 * turns_of_all)):
            turns(rig, turn, nobody)
        marks.marks_forget()
        turns(rig, turn, lambda role: marks.marks_write(f"{case}/{role}".encode()))
        marks.marks_stop()
        cycles_per_packet = measured(rig, turn)
        rig.check()
    return {"packets": turn, "cycles": cycles_per_packet}


def main() -> None:
    marks = ctypes.CDLL(sys.argv[1])
    print(json.dumps({case: step_case(case, marks) for case in sys.argv[2:]}))


if __name__ == "__main__":
    main()
