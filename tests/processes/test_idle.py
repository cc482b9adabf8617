# SPDX-License-Identifier: BSD-3-Clause
"""What threads without work do, by role and by what the configuration says of each."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.lab import Lab
from ftmb.priority import Idle, choose_idle
from tests.processes.boxes import fail, pings, wait_for


def configured(workers: str, logger: str | None = None, standby: str | None = None) -> Any:
    return {
        "workers": {"idle": workers, "count": 1},
        "logger": {"idle": logger},
        "standby": {"idle": standby},
        "protection": "standby",
    }


def test_what_is_not_said_is_as_for_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_idle(configured("spin")) == Idle("spin", "spin", "spin")
    assert choose_idle(configured("spin", "yield", "sleep")) == Idle("yield", "spin", "sleep")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(3)))
    assert choose_idle(configured("auto")) == Idle("sleep", "sleep", "sleep")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert choose_idle(configured("auto", "yield")) == Idle("yield", "spin", "spin")


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_threads_that_share_a_core_by_turns(box: Callable[..., None], lab: Lab) -> None:
    """All on one core: who never gave way would starve the others, and the box with them."""
    cores = sorted(os.sched_getaffinity(0))
    box(
        workers={"count": 1, "cores": cores[-1:], "idle": "yield"},
        logger={"core": cores[0], "idle": None},
        standby={"cores": cores[:1], "idle": None},
        heartbeat={"bound_ms": 2000},  # on a busy machine turns may be far apart
    )
    status = orchestrator.status("test")
    assert status["idle"] == {"logger": "yield", "workers": "yield", "standby": "yield"}
    fail(status, "master", signal.SIGKILL)
    pings(lab)
    wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
    pings(lab)
