# SPDX-License-Identifier: BSD-3-Clause
"""Failover and start of a real box, measured once: stamps are in order, flows came through."""

from __future__ import annotations

import os

import pytest

from benchmarks import failover, start
from benchmarks.report.sections import sections_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def test_a_failover_is_measured_from_the_kill() -> None:
    measured = failover.measure(1000, 1)
    assert set(measured) == set(failover.LOADS)
    for row in measured.values():
        at = [row[name]["rounds"][0] for name in ("detect_ms", "live_ms", "protected_again_ms")]
        assert 0 < at[0] < at[1] < at[2]
        assert at[0] < row["recovery_ms"]["rounds"][0]
        assert row["pause_ms"]["min"] > 0
        assert row["packets_per_second"] <= max(failover.IDLE_RATE, row["capacity"] // 2)
    sections_of({"failover": {"1000": measured}})


def test_a_start_is_measured_to_the_first_packet() -> None:
    measured = start.measure(1)
    assert measured["first_packet_s"]["median"] > 0
    assert measured["protected_s"]["min"] > 0
    sections_of({"start": measured})
