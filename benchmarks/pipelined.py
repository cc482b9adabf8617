# SPDX-License-Identifier: BSD-3-Clause
"""Packets a second from port to port with everybody running, and which core was the limit.

The generator keeps a window of frames on their way, so it sends as fast as the box takes them and
nothing is lost. Counters are read twice in the middle of the run.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.rig import Rig, beside_master, cycles_per_second
from benchmarks.spread import spread
from benchmarks.throughput import options_of
from benchmarks.traffic import Traffic, flows

WINDOW = 4096  # frames on the way, as in a device's ring
ENDLESS = 1 << 60
SETTLE_S = 0.1
MEASURED_S = 0.5
FULL = 0.95  # of a core's time: it is the limit


def one_round(
    element: str, options: dict[str, Any], traffic: Traffic, *, protected: bool, seconds: float
) -> dict[str, float]:
    """Mpps, and the share of the time for which each role was busy."""
    with Rig(element, options, traffic, protected=protected) as rig:
        rig.warm_up()
        rig.source.set_window(rig.sink, WINDOW)
        rig.source.send(ENDLESS)
        time.sleep(SETTLE_S)
        started, before = time.monotonic(), _counters(rig)
        time.sleep(seconds)
        rig.wait_for(lambda: _counters(rig)["packets"] > before["packets"])
        elapsed, after = time.monotonic() - started, _counters(rig)
        rig.source.send(0)
        rig.wait_until_sent()
        rig.check()
    shares = {
        role: (after[role] - before[role]) / cycles_per_second() / elapsed
        for role in ("loggers", "master", "standby")
    }
    return {"mpps": (after["packets"] - before["packets"]) / elapsed / 1e6, **shares}


def _counters(rig: Rig) -> dict[str, int]:
    return {
        "packets": rig.logger.port_counts("outside")["sent"],
        "loggers": rig.logger.counts()["busy_cycles"],
        "master": rig.sum_of("master", "busy_cycles"),
        "standby": rig.sum_of("standby", "busy_cycles") if rig.protected else 0,
    }


def limit_of(busy: dict[str, float], cores: dict[str, int]) -> str:
    """Which core had nothing left to give, and for whom it worked."""
    by_core: dict[int, list[str]] = {}
    for role, core in cores.items():
        by_core.setdefault(core, []).append(role)
    full = [
        f"core {core} ({' and '.join(roles)})"
        for core, roles in sorted(by_core.items())
        if sum(busy[role] for role in roles) >= FULL
    ]
    return ", ".join(full) or "none: they wait for one another"


def measure(element: str, flow_count: int, rounds: int, seconds: float = MEASURED_S) -> Any:
    """Protected and unprotected in turn."""
    from benchmarks.rig import Cores

    traffic, options = flows(flow_count), options_of(element, flow_count)
    taken: dict[str, list[dict[str, float]]] = {"protected": [], "unprotected": []}
    with beside_master():
        for _ in range(rounds):
            for side, values in taken.items():
                is_protected = side == "protected"
                values.append(
                    one_round(element, options, traffic, protected=is_protected, seconds=seconds)
                )
    chosen = Cores.choose()
    cores = {"loggers": chosen.loggers, "master": chosen.master, "standby": chosen.standby}
    result: dict[str, Any] = {"rounds": rounds, "window": WINDOW}
    for side, values in taken.items():
        busy = {role: spread([v[role] for v in values])["median"] for role in cores}
        roles = cores if side == "protected" else {k: v for k, v in cores.items() if k != "standby"}
        result[side] = {
            "mpps": spread([v["mpps"] for v in values]),
            "busy": busy,
            "limit": limit_of(busy, roles),  # type: ignore[arg-type]
        }
    command = f"python -m benchmarks pipelined --element {element} --flows {flow_count}"
    return {**result, "command": f"{command} --rounds {rounds}"}
