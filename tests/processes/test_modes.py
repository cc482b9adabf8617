# SPDX-License-Identifier: BSD-3-Clause
"""Real boxes that release and log as those do that ftmb is compared with; real signals."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from ftmb import orchestrator
from ftmb.lab import Lab
from tests.processes.boxes import fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


@pytest.mark.parametrize(
    "mode",
    [{"release": "none"}, {"pal": "every-access"}, {"release": "checkpoint", "checkpoint_ms": 25}],
    ids=["no output commit", "every access", "checkpoints"],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_failed_master_is_followed(
    box: Callable[..., None], lab: Lab, mode: dict[str, object], number: signal.Signals
) -> None:
    box(**mode)
    pings(lab)
    for times in (1, 2):
        before = wait_for(lambda s: s["state"] == "protected")
        old = fail(before, "master", number)
        pings(lab)
        status = wait_for(
            lambda s, count=times: s["failover_count"] == count and s["state"] == "protected"  # type: ignore[misc]
        )
        assert not status["failovers"][-1]["lost_state"]
        if number == signal.SIGSTOP:
            os.kill(old, signal.SIGCONT)
    assert status["state_losses"] == 0


def test_checkpoints_go_on_and_are_told(box: Callable[..., None], lab: Lab) -> None:
    box(release="checkpoint", checkpoint_ms=10)
    first = orchestrator.status("test")
    pings(lab, 10)
    status = orchestrator.status("test")
    assert len(status["snapshot_pauses_ns"]) > len(first["snapshot_pauses_ns"])
    assert status["digest"]["compared"] == 0  # nobody replays
