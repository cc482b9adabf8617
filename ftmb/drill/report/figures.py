# SPDX-License-Identifier: BSD-3-Clause
"""The report as data: what report.json holds, and which guarantees are broken by it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from ftmb.drill.failures import Outcome
from ftmb.drill.run import RunResult
from ftmb.drill.workload import Figures
from ftmb.drill.workload.part import Guarantee, Keys, Report, Section

DIGESTS_EQUAL = Guarantee(("digest", "mismatched"), "digests differed between master and standby")


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
        **_parts(f),
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
        "wires": f.moments.wires,
        "ports": dict(result.status.get("ports") or {}),
        "drops": dict(result.status.get("drops") or {}),
    }


def _parts(figures: Figures) -> Report:
    """A section for each part; the connections of all of them are counted together."""
    parts = {name: part.report(figures.moments) for name, part in figures.parts.items()}
    sums = {
        count: sum(part.get(count, 0) for part in parts.values())
        for count in ("connections", "broken")
    }
    parts["tcp"] = {**parts.get("tcp", {}), **sums}
    return parts


def _pause_ms(outcome: Outcome) -> float | None:
    pause = (outcome.failover or {}).get("snapshot_pause_ns")
    return None if pause is None else pause / 1e6


def _failure(outcome: Outcome, result: RunResult) -> Report:
    return {
        "kind": outcome.failure.name,
        "loses_state": outcome.loses_state,
        "at_s": result.figures.moments.seconds(outcome.at_ns),
        "cause": (outcome.failover or {}).get("cause"),
        "detect_ms": outcome.milliseconds_until("detected_ns"),
        "live_ms": outcome.milliseconds_until("live_ns"),
        "failover_ms": outcome.milliseconds_until("first_output_ns"),
        "protected_again_ms": outcome.milliseconds_until("protected_again_ns"),
        "snapshot_pause_ms": _pause_ms(outcome),
        "fenced": outcome.fenced,
        "problems": outcome.problems,
    }


def state_was_lost(report: Report) -> bool:
    """Whether it had to be, since nobody but the process that failed had it."""
    return any(failure.get("loses_state") for failure in report["failures"])


def pick(report: Report | None, keys: Keys) -> Any:
    """The figure at this place, None if there is none."""
    value: Any = report
    for key in keys:
        value = None if value is None else value.get(key)
    return value


def broken_guarantees(report: Report, sections: Sequence[Section]) -> list[str]:
    """One line for each guarantee that the protected run broke.

    Where a crash point ended the only process that had the state, connections break with it; all
    else holds. That the box said so is among the failures' problems.
    """
    broken = []
    has_state = not state_was_lost(report)
    guarantees = [guarantee for section in sections for guarantee in section.guarantees]
    for guarantee in (*guarantees, DIGESTS_EQUAL):
        count = pick(report, guarantee.keys)
        if count and (has_state or not guarantee.needs_state):
            broken.append(f"{count:,} {guarantee.text}")
    if not all(pick(report, keys) for section in sections for keys in section.proof):
        broken.append("a part of the traffic did not run, so nothing is proven")
    if not report["digest"]["compared"]:
        broken.append("no digest was compared")
    for number, failure in enumerate(report["failures"], 1):
        broken += [
            f"failure {number} ({failure['kind']}): {problem}" for problem in failure["problems"]
        ]
    return broken
