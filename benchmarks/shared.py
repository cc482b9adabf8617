# SPDX-License-Identifier: BSD-3-Clause
"""What shared state costs: elements whose workers write shared tables on every packet.

Two workers, the loggers and two workers of a standby do not fit on two cores at once, so they take
turns: the logs are filled while the workers are held, then the master's workers have the machine to
themselves and their cycles are counted, then the loggers, then the standby's workers.
"""

from __future__ import annotations

from typing import Any

from benchmarks.rig import Rig, available_cores, cycles_per_second
from benchmarks.spread import median, ratio, spread
from benchmarks.throughput import options_of
from benchmarks.traffic import Traffic, flows, sized_flows

FLOWS = 10_000
PORTION_PER_WORKER = 60_000  # fewer than the places for records that a worker has, in full bursts
PORTION_LARGE = 6_000  # of 1,500 bytes, which the logs must hold
ELEMENTS = ("limiter", "wan_optimizer")  # beside the monitor
MONITOR = {"first": "inside", "second": "outside", "hosts_max": 65536}


def in_turns(rig: Rig, packets: int) -> dict[str, float]:
    """One round of a rig without a packet thread: cycles a packet of each role, and the rate."""
    before = _counters(rig)
    rig.master.hold()
    rig.source.send(packets)
    loggers = rig.logger.step_until_quiet()
    logged = sum(rig.logger.queue_counts(worker)["logged"] for worker in range(rig.workers))
    rig.master.release()
    rig.wait_for(lambda: rig.sum_of("master", "packets") >= logged)
    loggers += rig.logger.step_until_quiet()
    if rig.protected:
        rig.wait_for(rig.is_replayed)
        loggers += rig.logger.step_until_quiet()
    after = _counters(rig)
    change = {key: after[key] - before[key] for key in before}
    rates = [
        (after[f"packets {worker}"] - before[f"packets {worker}"])
        / max(1, after[f"cycles {worker}"] - before[f"cycles {worker}"])
        for worker in range(rig.workers)
    ]
    return {
        "mpps": sum(rates) * cycles_per_second() / 1e6,
        "loggers": loggers / packets,
        "master": change["master"] / packets,
        "standby": change["standby"] / packets,
        "pals_per_packet": change["pals"] / packets,
        "packets_per_record": change["packets"] / max(1, change["records"]),
    }


def _counters(rig: Rig) -> dict[str, int]:
    found = {
        "master": rig.sum_of("master", "busy_cycles"),
        "packets": rig.sum_of("master", "packets"),
        "records": rig.sum_of("master", "bursts"),
        "pals": rig.sum_of("master", "pals"),
        "standby": rig.sum_of("standby", "busy_cycles") if rig.protected else 0,
    }
    for worker in range(rig.workers):
        counts = rig.master_counts(worker)
        found[f"packets {worker}"] = counts["packets"]
        found[f"cycles {worker}"] = counts["busy_cycles"]
    return found


def rig_in_turns(
    options: dict[str, Any],
    traffic: Traffic,
    workers: int,
    *,
    protected: bool,
    pal: str = "hand-overs",
    element: str = "monitor",
) -> Rig:
    """Worker threads on as many cores as there are, and no packet thread."""
    return Rig(
        element,
        options,
        traffic,
        protected=protected,
        idle="sleep",
        workers=workers,
        input_mib=32,
        has_packet_thread=False,
        logger_changes={"pal": pal},
        process_changes={"pal": pal},
    )


def compare(
    element: str, options: dict[str, Any], traffic: Traffic, workers: int, rounds: int, portion: int
) -> dict[str, Any]:
    """Protected and unprotected in turn."""
    taken: dict[str, list[dict[str, float]]] = {"protected": [], "unprotected": []}
    with (
        rig_in_turns(options, traffic, workers, protected=True, element=element) as protected,
        rig_in_turns(options, traffic, workers, protected=False, element=element) as unprotected,
    ):
        rigs = {"protected": protected, "unprotected": unprotected}
        for rig in rigs.values():
            for _ in range(4):  # every page of the logs is touched
                in_turns(rig, portion * workers)
        for _ in range(rounds):
            for side, rig in rigs.items():
                taken[side].append(in_turns(rig, portion * workers))
        for rig in rigs.values():
            rig.check()
    return _summary(taken)


def _summary(taken: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    rates = {side: [one["mpps"] for one in values] for side, values in taken.items()}
    totals = {
        side: [one["loggers"] + one["master"] + one["standby"] for one in values]
        for side, values in taken.items()
    }
    return {
        "protected_mpps": spread(rates["protected"]),
        "unprotected_mpps": spread(rates["unprotected"]),
        "ratio": ratio(rates["protected"], rates["unprotected"]),
        "cycles_ratio": ratio(totals["protected"], totals["unprotected"]),
        "cycles_per_packet": {
            side: {
                role: median([one[role] for one in values])
                for role in ("loggers", "master", "standby")
            }
            for side, values in taken.items()
        },
        "pals_per_packet": median([one["pals_per_packet"] for one in taken["protected"]]),
        "packets_per_record": median([one["packets_per_record"] for one in taken["protected"]]),
    }


def pals_of_every_access(workers: int, rounds: int, portion: int) -> float:
    """PALs a packet of the protocol as it was published, which logs each access."""
    with rig_in_turns(MONITOR, flows(FLOWS), workers, protected=True, pal="every-access") as rig:
        taken = [in_turns(rig, portion * workers)["pals_per_packet"] for _ in range(rounds)]
        rig.check()
    return median(taken)


def measure(workers: int, rounds: int, portion: int = PORTION_PER_WORKER) -> dict[str, Any]:
    """A monitor that counts every packet."""
    every_access = pals_of_every_access(workers, min(rounds, 3), portion)
    return {
        **compare("monitor", MONITOR, flows(FLOWS), workers, rounds, portion),
        "pals_per_packet_of_every_access": every_access,
        "cores": min(workers, len(available_cores())),
        "rounds": rounds,
        "command": f"python -m benchmarks shared --workers {workers} --rounds {rounds}",
    }


def measure_element(element: str, workers: int, rounds: int) -> dict[str, Any]:
    """Another element that writes shared state on every packet."""
    is_large = element == "wan_optimizer"
    traffic = sized_flows(FLOWS, 1500, "new") if is_large else flows(FLOWS)
    portion = PORTION_LARGE if is_large else PORTION_PER_WORKER
    return {
        **compare(element, options_of(element, FLOWS), traffic, workers, rounds, portion),
        "cores": min(workers, len(available_cores())),
        "rounds": rounds,
        "command": f"python -m benchmarks shared --element {element} --workers {workers} "
        f"--rounds {rounds}",
    }
