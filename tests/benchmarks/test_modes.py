# SPDX-License-Identifier: BSD-3-Clause
"""The comparison with other modes: each runs as it is called, and what a kill costs is seen."""

from __future__ import annotations

import os

import pytest

from benchmarks import modes
from benchmarks.modes import in_memory, killed
from benchmarks.modes.settings import MODES, Mode
from benchmarks.modes.tables import tables

BY_NAME = {mode.name: mode for mode in MODES}


def test_every_access_is_logged_in_one_mode_alone() -> None:
    every = in_memory.shared_state(BY_NAME["every_access"], 2, 4000)
    ours = in_memory.shared_state(BY_NAME["parallel"], 2, 4000)
    none = in_memory.shared_state(BY_NAME["unprotected"], 2, 4000)
    assert every["pals_per_packet"] == pytest.approx(2.0, abs=0.01)
    assert none["pals_per_packet"] == 0 < ours["pals_per_packet"] < 2
    assert every["log_bytes_per_packet"] > ours["log_bytes_per_packet"]


def test_with_checkpoints_packets_wait_for_them() -> None:
    """Due at any time within an interval, the median waits for half of it at least."""
    mode = Mode("slow", "slow", release="checkpoint", checkpoint_ms=100)
    assert in_memory.latency_us(mode, 2000, 0.4)["p50"] > 25_000


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.parametrize("name", ["unprotected", "parallel", "checkpoint_25"])
def test_a_kill_is_seen_from_outside(name: str) -> None:
    seen = killed.kill_once(BY_NAME[name])
    assert seen["sent"] == killed.RATE * killed.SECONDS
    assert (seen["lost"] > 0) == (seen["state_losses"] == 1) == (name == "unprotected")
    assert seen["duplicated"] == 0


def test_all_modes_stand_in_the_tables() -> None:
    section = modes.measure(1, 0, seconds=0.1, packets=2000)
    speed, logged, _ = tables(section)
    assert [row[0] for row in speed.rows] == [mode.title for mode in MODES]
    assert len(logged.rows) == len([mode for mode in MODES if mode.checkpoint_ms is None])
