# SPDX-License-Identifier: BSD-3-Clause
"""The report as data: what report.json holds, and which guarantees are broken by it."""

from __future__ import annotations

import statistics
from typing import Any

from ftmb.drill.failures import Outcome
from ftmb.drill.run import RunResult

Report = dict[str, Any]
BREAKS_LISTED_MAX = 50


def spread(values: list[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    if not known:
        return {"p50": None, "max": None}
    return {"p50": round(statistics.median(known), 3), "max": round(max(known), 3)}


def report_of(result: RunResult) -> Report:
    f, outcomes = result.figures, result.outcomes
    digest = result.status.get("digest") or {}
    pauses = [_pause_ms(outcome) for outcome in outcomes]
    return {
        "kills": len(outcomes),
        "udp": {
            "sent": f.udp.sent,
            "refused_by_sender": f.udp.refused,
            "lost": f.udp.lost,
            "duplicated": f.udp.duplicated,
            "reordered": f.udp.reordered,
            "strange": f.udp.strange,
            "socket_overflow": f.udp.socket_overflow,
            "stall_ms_max": round(f.udp.stall_ms_max, 3),
            "latency_us": f.udp.latency_us,
            "losses": [
                {"flow": flow, "number": number, "at_s": _seconds(at, result)}
                for flow, number, at in f.udp.losses
            ],
        },
        "tcp": {
            "connections": f.echo.connections + f.iperf.streams,
            "broken": f.echo.broken + f.iperf.broken,
            "stall_ms_max": round(f.echo.stall_ms_max, 3),
            "lines": f.echo.lines,
            "round_trip_ms": f.echo.round_trip_ms,
            "breaks": _breaks(result),
        },
        "iperf": {
            "mbit_mean": f.iperf.mbit_mean,
            "retransmitted": f.iperf.retransmitted,
            "messages": f.iperf.messages,
        },
        "http": {
            "checksums_ok": f.downloads.checksums_ok,
            "downloads": f.downloads.completed,
            "failed": f.downloads.failed,
            "megabytes": round(f.downloads.bytes / 1e6, 1),
            "messages": f.downloads.messages,
        },
        "ping": {
            "sent": f.ping.sent,
            "lost": max(0, f.ping.lost - f.wires["client eth0"]["send_drops"]),
            "duplicated": f.ping.duplicated,
            "round_trip_ms_max": f.ping.round_trip_ms_max,
        },
        "detect_ms": spread([o.milliseconds_until("detected_ns") for o in outcomes]),
        "failover_ms": spread([o.milliseconds_until("first_output_ns") for o in outcomes]),
        "protected_again_ms": spread(
            [o.milliseconds_until("protected_again_ns") for o in outcomes]
        ),
        "snapshot_pause_ms": spread(pauses),
        "digest": {
            "compared": int(digest.get("compared", 0)),
            "mismatched": int(digest.get("mismatched", 0)),
        },
        "failures": [_failure(outcome, result) for outcome in outcomes],
        "wires": f.wires,
        "ports": dict(result.status.get("ports") or {}),
        "drops": dict(result.status.get("drops") or {}),
    }


def _seconds(at_ns: int, result: RunResult) -> float:
    """Since the run began; times of the report's lists and of the picture are these."""
    return round(max(0, at_ns - result.figures.started_ns) / 1e9, 3)


def _pause_ms(outcome: Outcome) -> float | None:
    pause = (outcome.failover or {}).get("snapshot_pause_ns")
    return None if pause is None else pause / 1e6


def _failure(outcome: Outcome, result: RunResult) -> Report:
    return {
        "kind": outcome.failure.name,
        "loses_state": outcome.loses_state,
        "at_s": _seconds(outcome.at_ns, result),
        "cause": (outcome.failover or {}).get("cause"),
        "detect_ms": outcome.milliseconds_until("detected_ns"),
        "live_ms": outcome.milliseconds_until("live_ns"),
        "failover_ms": outcome.milliseconds_until("first_output_ns"),
        "protected_again_ms": outcome.milliseconds_until("protected_again_ns"),
        "snapshot_pause_ms": _pause_ms(outcome),
        "fenced": outcome.fenced,
        "problems": outcome.problems,
    }


def _breaks(result: RunResult) -> list[Report]:
    return [
        {"connection": number, "at_s": _seconds(at, result), "why": why}
        for number, at, why in result.figures.echo.breaks[:BREAKS_LISTED_MAX]
    ]


def state_was_lost(report: Report) -> bool:
    """Whether it had to be, since nobody but the process that failed had it."""
    return any(failure.get("loses_state") for failure in report["failures"])


def broken_guarantees(report: Report) -> list[str]:
    """One line for each guarantee that the protected run broke.

    Where a crash point ended the only process that had the state, connections break with it; all
    else holds. That the box said so is among the failures' problems.
    """
    broken = []
    has_state = not state_was_lost(report)
    udp, tcp, http, ping = report["udp"], report["tcp"], report["http"], report["ping"]
    for count, text in (
        (udp["lost"], "datagrams were lost"),
        (udp["duplicated"], "datagrams were sent twice"),
        (udp["strange"], "datagrams arrived that were never sent"),
        (tcp["broken"] * has_state, "TCP connections broke"),
        (http["downloads"] - http["checksums_ok"], "downloads had a wrong checksum"),
        (http["failed"] * has_state, "downloads failed"),
        (ping["lost"] * has_state, "pings were lost"),
        (report["digest"]["mismatched"], "digests differed between master and standby"),
    ):
        if count:
            broken.append(f"{count:,} {text}")
    if not udp["sent"] or not http["checksums_ok"] or not tcp["lines"]:
        broken.append("a part of the traffic did not run, so nothing is proven")
    if not report["digest"]["compared"]:
        broken.append("no digest was compared")
    for number, failure in enumerate(report["failures"], 1):
        broken += [
            f"failure {number} ({failure['kind']}): {problem}" for problem in failure["problems"]
        ]
    return broken
