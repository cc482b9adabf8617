# SPDX-License-Identifier: BSD-3-Clause
"""A protected NAT measured from outside, with its master killed meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ftmb import orchestrator, pktgen
from ftmb.configuration import from_data
from ftmb.drill.box import lab_data
from ftmb.lab import Lab
from ftmb.pktgen.session import Session

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
NAME = "pktgen-test"


def test_a_failover_shows_as_a_gap_and_not_as_loss(
    lab: Lab,
    settings: Callable[..., pktgen.Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path))
    orchestrator.start(from_data(lab_data(lab, NAME, "standby")).to_dict(), foreground=False)
    try:
        made = settings(rates=(2000,), seconds=2.0, reply=True, flows={"count": 500})
        with Session(made) as session:
            killed: list[int] = []

            def progress(packets: int, sent: int, received: int) -> None:
                if received > 1500 and not killed:
                    killed.append(orchestrator.status(NAME)["processes"]["master"]["pid"])
                    os.kill(killed[0], signal.SIGKILL)

            trial = session.trial(2000, progress=progress)
        assert killed and orchestrator.status(NAME)["failover_count"] == 1
    finally:
        orchestrator.stop(NAME)
    assert trial.back is not None
    assert (trial.sent, trial.out.lost, trial.back.lost) == (4000, 0, 0)
    for way in (trial.out, trial.back):
        assert (way.duplicated, way.reordered, way.corrupted, way.flows_seen) == (0, 0, 0, 500)
    assert trial.out.gap_ns_max > 0 and trial.out.gap_end_ns is not None
