# SPDX-License-Identifier: BSD-3-Clause
"""Targets are computed from the report, and one without a figure is neither met nor missed."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import targets


def cycles(ratio: float) -> dict[str, Any]:
    parts = {"loggers": 80.0, "master": 120.0, "standby": 130.0}
    return {"ratio": ratio, "protected": parts, "unprotected_total": 180.0}


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in targets.compute(report)}


def test_nothing_measured_is_nothing_claimed() -> None:
    rows = targets.compute({})
    assert len(rows) > 15
    assert {row["met"] for row in rows} == {None}
    assert {row["measured"] for row in rows} == {None}


def test_met_and_missed() -> None:
    def throughput(rate: float, ratio: float) -> dict[str, Any]:
        return {"protected_mpps": rate, "ratio": ratio, "protected_ns_per_packet": 1000 / rate,
                "cycles_per_packet": cycles(1.9)}  # fmt: skip

    rows = by_name(
        {
            "throughput": {
                "nat": {"10000": throughput(22.0, 0.99), "100000": throughput(12.0, 0.9)},
                "forward": {"10000": throughput(90.0, 0.94)},
            },
            "latency_us": {"added_with_snapshots": {"p50": 1.0, "p99": 30.0}, "rounds": {}},
        }
    )
    assert rows["nat protected, 64 bytes, 10,000 shuffled flows"]["met"] is True
    missed = rows["nat protected, 64 bytes, 100,000 shuffled flows"]
    assert missed["met"] is False and missed["by"] == "20% short"
    assert "83.3 ns" in missed["limit"]
    assert rows["forward: master's throughput, protected against unprotected"]["met"] is False
    assert rows["nat: master's throughput, protected against unprotected"]["met"] is True
    assert rows["latency added at half load, snapshots being taken: median"]["met"] is True
    late = rows["latency added at half load, snapshots being taken: 99th percentile"]
    assert late["met"] is False and late["by"] == "3.0 times short"


def test_the_worst_of_several_counts_and_none_may_be_missing() -> None:
    name = "cycles a packet of all roles, against unprotected (worst element)"
    rows = {element: {"10000": {"cycles_per_packet": cycles(ratio), "ratio": 1.0,
                                "protected_ns_per_packet": 1.0, "protected_mpps": 1.0}}
            for element, ratio in (("forward", 1.5), ("monitor", 2.3), ("nat", 1.9),
                                   ("firewall", 1.9), ("load_balancer", 1.9),
                                   ("limiter", 1.9))}  # fmt: skip
    worst = by_name({"throughput": rows})[name]
    assert worst["measured"] == 2.3 and worst["met"] is False
    assert worst["limit"].startswith("monitor")
    del rows["forward"]
    assert by_name({"throughput": rows})[name]["met"] is None


@pytest.mark.parametrize(
    ("measured", "bound", "is_least", "words"),
    [
        (22.0, 20.0, True, "10% better"),
        (15.0, 20.0, True, "25% short"),
        (1.0, 2.0, False, "50% better"),
        (9.0, 2.0, False, "4.5 times short"),
        (None, 2.0, False, ""),
    ],
)
def test_by_how_far(measured: float | None, bound: float, is_least: bool, words: str) -> None:
    assert targets.by_how_far(measured, bound, is_least) == words
