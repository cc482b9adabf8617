# SPDX-License-Identifier: BSD-3-Clause
"""What the project has set itself to reach, against what was measured: computed, never written.

A target that has no figure yet is neither met nor missed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.limits import words as counted

Report = dict[str, Any]
ELEMENTS = ("forward", "monitor", "nat", "firewall", "load_balancer", "ids", "limiter")
NAT_MPPS = {1_000: 20.0, 10_000: 20.0, 100_000: 15.0, 1_000_000: 10.0, 10_000_000: 6.0}
WITHOUT_HAND_OVERS = ("forward, full bursts", "monitor, full bursts", "nat, full bursts",
                      "nat, half load")  # fmt: skip


@dataclass(frozen=True)
class Target:
    """`figure` finds the measured value in a report, or None; `limit` what stands in its way."""

    name: str
    bound: float
    unit: str
    is_least: bool
    figure: Callable[[Report], float | None]
    limit: Callable[[Report], str]

    def row(self, report: Report) -> dict[str, Any]:
        measured = self.figure(report)
        words = "at least" if self.is_least else "at most"
        return {
            "name": self.name,
            "target": f"{words} {self.bound:g} {self.unit}".strip(),
            "bound": self.bound,
            "unit": self.unit,
            "measured": measured,
            "met": None if measured is None else self.is_met(measured),
            "by": by_how_far(measured, self.bound, self.is_least),
            "limit": self.limit(report),
        }

    def is_met(self, measured: float) -> bool:
        return measured >= self.bound if self.is_least else measured <= self.bound


def by_how_far(measured: float | None, bound: float, is_least: bool) -> str:
    """How much better or worse than the bound, in words."""
    if measured is None:
        return ""
    difference = measured - bound if is_least else bound - measured
    share = abs(difference) / abs(bound) if bound else abs(difference)
    text = f"{share:.0%}" if share < 2 else f"{share + 1:.1f} times"
    return f"{text} better" if difference >= 0 else f"{text} short"


def find(report: Report, *path: str) -> Any:
    """A figure by its place, or None if it was not measured."""
    value: Any = report
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def figure(*path: str) -> Callable[[Report], float | None]:
    return lambda report: find(report, *path)


def largest(*figures: Callable[[Report], float | None]) -> Callable[[Report], float | None]:
    """The worst of several that must all hold; None if any is missing."""

    def value(report: Report) -> float | None:
        values = [one(report) for one in figures]
        return None if None in values else max(v for v in values if v is not None)

    return value


def _pals_saved(report: Report) -> float | None:
    ours = find(report, "shared", "2", "pals_per_packet")
    every = find(report, "shared", "2", "pals_per_packet_of_every_access")
    return None if not ours or every is None else every / ours


def _logs_bounded(report: Report) -> float | None:
    kept = find(report, "memory", "logs", "kept")
    return None if kept is None else float(kept)


def _nothing(report: Report) -> str:
    return ""


def _told(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _throughput_limit(element: str, flows: str) -> Callable[[Report], str]:
    def text(report: Report) -> str:
        row = find(report, "throughput", element, flows)
        own = "" if row is None else (
            f"the master's own {row['protected_ns_per_packet']:.1f} ns a packet"
        )  # fmt: skip
        piped = find(report, "pipelined", element, flows, "protected")
        port = "" if row is None or piped is None else (
            f"port to port {piped['mpps']['median']:.1f} Mpps, limit: {piped['limit']}"
        )  # fmt: skip
        return _told(own, counted.master(report.get("limits"), element, flows), port)

    return text


def _protection_limit(element: str, flows: str) -> Callable[[Report], str]:
    return lambda report: counted.protection(report.get("limits"), element, flows)


def _cycles_limit(report: Report) -> str:
    worst, text = 0.0, ""
    for element in ELEMENTS:
        row = find(report, "throughput", element, "10000", "cycles_per_packet")
        if row is not None and row["ratio"] > worst:
            worst = row["ratio"]
            parts = ", ".join(f"{role} {cycles:.0f}" for role, cycles in row["protected"].items())
            text = _told(
                f"{element}: {parts} cycles, against {row['unprotected_total']:.0f} unprotected",
                counted.all_roles(report.get("limits"), element, "10000"),
            )
    return text


def _latency_limit(report: Report) -> str:
    rounds = find(report, "latency_us", "rounds", "protected_with_snapshots")
    waited = sorted(
        sum(thread["waited_ms"] for thread in one["threads"].values()) for one in rounds or ()
    )
    in_rounds = f"threads waited {waited[len(waited) // 2]:.0f} ms for a core in a round (median)" \
        if waited else ""  # fmt: skip
    return _told(counted.latency(report.get("limits")), in_rounds)


def _shared_limit(report: Report) -> str:
    prices = find(report, "scaling", "model", "cycles", "master")
    pals = find(report, "shared", "2", "pals_per_packet")
    if prices is None or pals is None:
        return ""
    return (
        f"{pals:.2f} hand-overs a packet; by the scaling model one costs {prices['hand_over']:.0f} "
        f"cycles between cores and its PAL {prices['pal']:.0f}, an access {prices['access']:.0f}"
    )


def _failover_limit(report: Report) -> str:
    row = find(report, "failover", "1000000", "half")
    if row is None:
        return ""
    parts = ", ".join(
        f"{words} {row[name]['median']:.2f}"
        for name, words in (("detect_ms", "detected"), ("live_ms", "live"), ("recovery_ms", "out"))
    )
    return f"medians since the kill, ms: {parts}; {row['packets_per_second']:,} packets/s"


def _failover(name: str, statistic: str) -> Callable[[Report], float | None]:
    return figure("failover", "1000000", "half", name, statistic)


def targets() -> Iterator[Target]:
    """All of them, in the order in which they are told."""
    for element in ELEMENTS:
        yield Target(f"{element}: master's throughput, protected against unprotected", 0.95, "",
                     True, figure("throughput", element, "10000", "ratio"),
                     _protection_limit(element, "10000"))  # fmt: skip
    yield Target("monitor, 2 workers, shared writes on each packet: the same", 0.80, "", True,
                 figure("shared", "2", "ratio"), _shared_limit)  # fmt: skip
    for element in ("limiter", "wan_optimizer"):
        yield Target(f"{element}, 2 workers, shared writes on each packet: the same", 0.80, "",
                     True, figure("shared_by_element", element, "2", "ratio"),
                     _nothing)  # fmt: skip
    yield Target("cycles a packet of all roles, against unprotected (worst element)", 2.2, "times",
                 False, largest(*(figure("throughput", element, "10000", "cycles_per_packet",
                 "ratio") for element in ELEMENTS)), _cycles_limit)  # fmt: skip
    for flows, bound in NAT_MPPS.items():
        if flows > 1_000:
            yield Target(f"nat protected, 64 bytes, {flows:,} shuffled flows", bound, "Mpps", True,
                         figure("throughput", "nat", str(flows), "protected_mpps"),
                         _throughput_limit("nat", str(flows)))  # fmt: skip
    for key, name, bound in (("p50", "median", 2.0), ("p99", "99th percentile", 10.0)):
        yield Target(f"latency added at half load, snapshots being taken: {name}", bound, "us",
                     False, figure("latency_us", "added_with_snapshots", key),
                     _latency_limit)  # fmt: skip
    yield Target("log bytes a packet beyond its own, no hand-overs (worst)", 4.0, "bytes", False,
                 largest(*(figure("log_bytes", "by_element", name, "protocol")
                 for name in WITHOUT_HAND_OVERS)), _framing)  # fmt: skip
    yield Target("monitor, 2 workers: PALs of every access, against ours", 5.0, "times", True,
                 _pals_saved, _nothing)  # fmt: skip
    for name, statistic, bound, words in (
        ("recovery_ms", "median", 2.0, "from the kill to the first packet, median"),
        ("recovery_ms", "max", 20.0, "from the kill to the first packet, longest"),
        ("detect_ms", "median", 1.0, "to detection, median"),
        ("protected_again_ms", "max", 1000.0, "until protected again, longest"),
        ("pause_ms", "max", 1.0, "pause for the snapshot, longest"),
    ):
        yield Target(f"failover, 1,000,000 flows, half load: {words}", bound, "ms", False,
                     _failover(name, statistic), _failover_limit)  # fmt: skip
    yield Target("memory of a NAT flow", 128.0, "bytes", False,
                 largest(figure("memory", "nat_flow_bytes", "allocated"),
                 figure("memory", "nat_flow_bytes", "resident")), _nothing)  # fmt: skip
    yield Target("logs never above their configured size (1: so)", 1.0, "", True, _logs_bounded,
                 _nothing)  # fmt: skip
    yield Target("start to first packet, longest", 2.0, "s", False,
                 figure("start", "first_packet_s", "max"), _nothing)  # fmt: skip


def _framing(report: Report) -> str:
    framing = find(report, "log_bytes", "by_element", "nat, full bursts", "input_framing")
    return "" if framing is None else (
        f"dependencies, PALs, access records; the input log's own framing is {framing:.1f} more, "
        "with protection and without"
    )  # fmt: skip


def compute(report: Report) -> list[dict[str, Any]]:
    """A row for each target."""
    return [target.row(report) for target in targets()]
