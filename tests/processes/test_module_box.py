# SPDX-License-Identifier: BSD-3-Clause
"""A real box with a user's own element: it outlives its master, and its author's next build."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ftmb.state
from ftmb import orchestrator
from ftmb._native.elements import load_module
from ftmb.errors import StartError
from ftmb.kit import new_element
from ftmb.lab import Host, Lab
from tests.kit.building import build
from tests.processes.boxes import box_processes, fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

NAME = "tally"
BAD = Path(__file__).parent.parent / "elements/bad"
ONE_WORKER = {"count": 1, "cores": None, "idle": "auto"}
OPTIONS = {"first": "inside", "second": "outside", "bytes_max": 1514}


@pytest.fixture
def module(tmp_path: Path) -> dict[str, str]:
    new_element.outside(NAME, tmp_path / NAME)
    path = build(tmp_path / NAME / f"{NAME}.c", tmp_path / NAME / f"{NAME}.so")
    loaded = load_module(str(path))
    return {"path": loaded.path, "digest": loaded.digest}


@pytest.fixture
def pipeline(configuration: dict[str, Any], module: dict[str, str]) -> list[dict[str, Any]]:
    """Behind the NAT, whose way it confirms."""
    last = {"element": NAME, "name": NAME, "options": OPTIONS, "module": module}
    return [*configuration["pipeline"], last]


def packets() -> int:
    with ftmb.state.read("test") as state:
        (totals,) = state.array(NAME, "totals")
        return int(totals["packets"])


def test_its_state_outlives_masters_and_builds(
    box: Callable[..., None], lab: Lab, pipeline: list[dict[str, Any]], module: dict[str, str]
) -> None:
    box(pipeline=pipeline)
    pings(lab, 5)
    counted = packets()
    assert counted >= 10
    path = Path(module["path"])
    source = path.with_suffix(".c")
    source.write_text(source.read_text().replace("packets++", "packets += 1000"))
    build(source, path)  # the same file, with other code in it
    for failovers in (1, 2):
        fail(orchestrator.status("test"), "master", signal.SIGKILL)
        pings(lab, 5)
        status = wait_for(
            lambda s, n=failovers: s["failover_count"] == n and s["state"] == "protected"
        )
        assert status["state_losses"] == 0
        assert status["digest"]["mismatched"] == 0
        before, counted = counted, packets()
        assert before + 10 <= counted < before + 1000


def test_a_file_that_changes_while_the_box_starts_is_refused(
    box: Callable[..., None], pipeline: list[dict[str, Any]], module: dict[str, str]
) -> None:
    with Path(module["path"]).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(StartError, match="has changed meanwhile"):
        box(pipeline=pipeline)
    assert box_processes() == []


def test_a_static_is_noticed_when_a_standby_began_from_a_snapshot(
    box: Callable[..., None], lab: Lab, pipeline: list[dict[str, Any]], tmp_path: Path
) -> None:
    """Two processes that ran from the start count the same; one that came later does not."""
    loaded = load_module(str(build(BAD / "mutable_static.c", tmp_path / "bad.so")))
    last = {
        "element": loaded.name,
        "name": loaded.name,
        "options": {"first": "inside", "second": "outside"},
        "module": {"path": loaded.path, "digest": loaded.digest},
    }
    box(pipeline=[*pipeline[:-1], last], workers=ONE_WORKER, protection="standby")
    ping = ["ping", "-c", "200", "-i", "0.05", "-W", "1", lab.addresses.server]
    running = lab.run(Host.CLIENT, ping)
    try:
        first = wait_for(
            lambda s: s["digest"]["compared"] > 5 and s["ports"]["outside"]["sent"] > 5
        )
        assert first["digest"]["mismatched"] == 0
        fail(first, "standby", signal.SIGKILL)
        wait_for(lambda s: s["digest"]["mismatched"] > 0)
    finally:
        running.kill()
