# SPDX-License-Identifier: BSD-3-Clause
"""The scaling model finds costs that are known, and predicts with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.scaling import model

KNOWN = {
    "master": {"packet": 24.0, "access": 17.0, "pal": 21.0,
               "hand_over": 150.0, "shared_cache": 0.5},
    "loggers": {"packet": 45.0, "worker": 0.3, "kept": 15.0, "vector_entry": 4.0, "pal": 8.0},
    "standby": {"packet": 28.0, "access": 18.0, "pal": 5.0, "hand_over": 200.0,
                "shared_cache": 0.25},
}  # fmt: skip


def points(noise: float = 0.0) -> list[dict[str, Any]]:
    """What would be measured if the model were true."""
    random = np.random.default_rng(1)
    found = []
    for kind, counts in (("stepped", (1, 2, 4, 8, 16, 64)), ("threaded", (1, 2))):
        for workers in counts:
            for share in (0, 10, 50, 100):
                for protected in (True, False):
                    pals = share / 100 * (workers > 1) * (0.9 if kind == "stepped" else 0.6)
                    found.append({"kind": kind, "workers": workers, "share": share,
                                  "protected": protected, "accesses": 2 * share / 100,
                                  "records": 1 / 32, "pals": pals if protected else 0.0,
                                  "cycles_per_us": 2500.0})  # fmt: skip
    known = model.with_hand_overs(found)
    for point, full in zip(found, known, strict=True):
        for role, prices in KNOWN.items():
            is_there = role != "standby" or point["protected"]
            value = model.cost(prices, full) if is_there else 0.0
            point[role] = value * (1 + noise * random.standard_normal())
    return found


def test_known_costs_are_found() -> None:
    fitted = model.fitted_and_predicted(points())["model"]
    for role, prices in KNOWN.items():
        assert fitted["cycles"][role] == pytest.approx(prices, rel=0.01, abs=0.01)
        assert fitted["errors"][role]["largest"] < 0.001


def test_its_error_is_told() -> None:
    fitted = model.fitted_and_predicted(points(noise=0.05))["model"]
    for role in KNOWN:
        assert 0.005 < fitted["errors"][role]["median"] < 0.15
        assert fitted["errors"][role]["largest"] > fitted["errors"][role]["median"]


def test_predictions_follow_from_costs() -> None:
    rows = {(row["workers"], row["share"]): row
            for row in model.fitted_and_predicted(points())["predictions"]}  # fmt: skip
    alone = rows[1, 0]
    assert alone["unprotected_mpps"][0] == pytest.approx(2500 / 24, rel=0.01)
    assert rows[64, 0]["unprotected_mpps"][0] == pytest.approx(64 * 2500 / 24, rel=0.01)
    # Who takes nothing over depends on nobody, however many there are.
    assert rows[64, 0]["ratio"] == [1.0, 1.0]
    # What all write lets one after the other through, however many there are.
    assert rows[64, 100]["protected_mpps"] == rows[32, 100]["protected_mpps"]
    assert rows[64, 100]["protected_mpps"][0] < rows[64, 10]["protected_mpps"][0]
    assert rows[64, 0]["protected_packet_thread_mpps"] < rows[1, 0]["protected_packet_thread_mpps"]


def test_hand_overs_are_bounded_by_what_can_be() -> None:
    assert model.hand_overs(1, 100) == (0, 0)
    fewest, most = model.hand_overs(4, 100)
    assert fewest == 1 / 32 and most == 1.5
    assert model.hand_overs(4, 0) == (0, 0)
