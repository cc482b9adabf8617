# SPDX-License-Identifier: BSD-3-Clause
"""How many packets a second one master core can carry, protected and unprotected in turn, and how
many cycles a packet costs all roles together.

The input log is filled while the master is held, so that it always finds full bursts; then it is
let go, and the cycles it spends on bursts are counted in its own thread. In the first half of a
round the loggers and the standby go on meanwhile on the other core. In the second half roles take
turns: the log is filled, then master and loggers run with the standby held, then the standby alone,
so that no two threads share a core and the cycles of each are its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.rig import Rig, beside_master, cycles_per_second
from benchmarks.scheduling import Observation
from benchmarks.spread import limits, median, ratio
from benchmarks.traffic import Traffic, flows, imix_flows, sized_flows

OPTIONS: dict[str, dict[str, Any]] = {
    "firewall": {
        "trusted": "inside",
        "untrusted": "outside",
        "rules": ["allow any"],
        "flows_max": 1 << 21,
        "pending_max": 1 << 21,
    },
    "forward": {"first": "inside", "second": "outside"},
    "limiter": {
        "inside": "inside",
        "outside": "outside",
        "total": "upload unlimited",
        "host": "upload 100G burst 1G",
        "prefixes": ["10.0.0.0/8 upload 1000G burst 1G"],
        "hosts_max": 1 << 20,
    },
    "load_balancer": {
        "clients": "inside",
        "servers": "outside",
        "services": ["udp 192.0.2.1:53"],
        "backends": [f"192.0.2.1:53 -> 203.0.113.{number}:53" for number in range(1, 17)],
        "connections_max": 1 << 21,
    },
    "monitor": {"first": "inside", "second": "outside", "hosts_max": 1 << 20},
    "nat": {
        "inside": "inside",
        "outside": "outside",
        "external": ["203.0.113.0/27"],
        "sessions_max": 1 << 21,
    },
    "wan_optimizer": {
        "lan": "inside",
        "wan": "outside",
        "key": "000102030405060708090a0b0c0d0e0f",
        "cache_kib": 8192,  # less than new payloads take, so that they stay new
    },
}
MANY_EXTERNAL = ["100.64.0.0/23"]  # for more flows than 32 addresses have ports for
FLOWS_OF_FEW_ADDRESSES = 1_500_000
SESSIONS_MAX = 1 << 24
SIZES = ("64", "imix", "1500")
ROLES = ("loggers", "master", "standby")


def options_of(element: str, flow_count: int) -> dict[str, Any]:
    """Options with room for so many flows."""
    options = dict(OPTIONS[element])
    if element == "nat" and flow_count > FLOWS_OF_FEW_ADDRESSES:
        sessions = min(SESSIONS_MAX, flow_count * 5 // 4)
        options |= {"external": MANY_EXTERNAL, "sessions_max": sessions}
    if element == "firewall" and flow_count > options["flows_max"]:
        options |= {"flows_max": SESSIONS_MAX, "pending_max": SESSIONS_MAX}
    if element == "load_balancer" and flow_count > options["connections_max"]:
        options |= {"connections_max": SESSIONS_MAX}
    return options


@dataclass
class Rounds:
    """Of one side: packets a microsecond of the master, and cycles a packet of each role."""

    rates: list[float] = field(default_factory=list)
    cycles: dict[str, list[float]] = field(default_factory=lambda: {role: [] for role in ROLES})

    def totals(self) -> list[float]:
        return [sum(parts) for parts in zip(*self.cycles.values(), strict=True)]


@dataclass
class Series:
    """Both sides of one comparison."""

    protected: Rounds = field(default_factory=Rounds)
    unprotected: Rounds = field(default_factory=Rounds)
    bytes_per_packet: float = 0.0
    scheduling: dict[str, Any] = field(default_factory=dict)  # over all rounds of both sides

    def summary(self) -> dict[str, Any]:
        """Medians and spread; the ratios are the medians of the rounds' own ratios."""
        a, b = self.protected, self.unprotected
        return {
            "protected_mpps": median(a.rates),
            "unprotected_mpps": median(b.rates),
            "ratio": ratio(a.rates, b.rates),
            "protected_ns_per_packet": round(1000 / median(a.rates), 2),
            "unprotected_ns_per_packet": round(1000 / median(b.rates), 2),
            "protected_spread": limits(a.rates),
            "unprotected_spread": limits(b.rates),
            "protected_gbit": round(median(a.rates) * self.bytes_per_packet * 8 / 1000, 2),
            "cycles_per_packet": {
                "protected": {role: median(values) for role, values in a.cycles.items()},
                "unprotected": {role: median(values) for role, values in b.cycles.items()},
                "protected_total": median(a.totals()),
                "unprotected_total": median(b.totals()),
                "ratio": ratio(a.totals(), b.totals()),
                "ratio_spread": limits(
                    [x / y for x, y in zip(a.totals(), b.totals(), strict=True)]
                ),
            },
            "rounds": len(a.rates),
            "scheduling": self.scheduling,
        }


def master_rate(rig: Rig) -> float:
    """Packets a microsecond of the master's busy time, everybody running."""
    before = rig.master_counts()
    rig.master.hold()
    rig.source.send(rig.portion)
    rig.wait_until_logged()
    rig.master.release()
    rig.wait_until_sent()
    after = rig.master_counts()
    packets = after["packets"] - before["packets"]
    busy = (after["busy_cycles"] - before["busy_cycles"]) / cycles_per_second()
    return float(packets / busy / 1e6)


def role_cycles(rig: Rig) -> dict[str, float]:
    """Cycles a packet of each role, which take turns."""
    started = _busy(rig)
    rig.master.hold()
    if rig.standby is not None:
        rig.standby.hold()
    rig.source.send(rig.portion)
    rig.wait_until_logged()
    rig.master.release()
    rig.wait_until_released()
    if rig.standby is not None:
        rig.standby.release()
    rig.wait_until_sent()
    time.sleep(0.002)  # the loggers free what the standby has let go
    ended = _busy(rig)
    return {role: (ended[role] - started[role]) / rig.portion for role in ROLES}


def _busy(rig: Rig) -> dict[str, int]:
    return {
        "loggers": rig.logger.counts()["busy_cycles"],
        "master": rig.sum_of("master", "busy_cycles"),
        "standby": rig.sum_of("standby", "busy_cycles") if rig.protected else 0,
    }


def compare(element: str, options: dict[str, Any], traffic: Traffic, rounds: int) -> Series:
    """Alternating rounds: A B A B ... The box that is not measured sleeps meanwhile."""
    series = Series(bytes_per_packet=traffic.mean_size)
    with (
        beside_master(),
        Rig(element, options, traffic, protected=True, idle="sleep") as protected,
        Rig(element, options, traffic, protected=False, idle="sleep") as unprotected,
    ):
        sides = ((protected, series.protected), (unprotected, series.unprotected))
        for rig, _ in sides:
            rig.warm_up()
        before = Observation.now()
        for _ in range(rounds):
            for rig, side in sides:
                side.rates.append(master_rate(rig))
            for rig, side in sides:
                for role, cycles in role_cycles(rig).items():
                    side.cycles[role].append(cycles)
        series.scheduling = Observation.now().since(before)
        for rig, _ in sides:
            rig.check()
    return series


def measure(element: str, flow_count: int, rounds: int) -> dict[str, Any]:
    """One element at one number of flows, 64 bytes."""
    traffic = flows(flow_count)
    series = compare(element, options_of(element, flow_count), traffic, rounds)
    command = f"python -m benchmarks throughput --element {element} --flows {flow_count}"
    return {**series.summary(), "command": f"{command} --rounds {rounds}"}


def measure_size(
    element: str, size: str, flow_count: int, rounds: int, payload: str = "zero"
) -> dict[str, Any]:
    """One element with frames of one size ("64", "1500") or of the mix ("imix", zeros only)."""
    traffic = (
        imix_flows(flow_count) if size == "imix" else sized_flows(flow_count, int(size), payload)
    )
    series = compare(element, options_of(element, flow_count), traffic, rounds)
    command = f"python -m benchmarks sizes --element {element} --size {size} --payload {payload}"
    return {
        **series.summary(),
        "bytes_per_packet": round(traffic.mean_size, 1),
        "command": f"{command} --rounds {rounds}",
    }
