# SPDX-License-Identifier: BSD-3-Clause
"""A lab for each module of tests, and a box in it for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.errors import NotRunningError
from ftmb.lab import Host, Lab
from tests.processes.boxes import box_processes


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("tests") as made:
        yield made


@pytest.fixture
def configuration(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    addresses = lab.addresses
    length = addresses.prefix_length

    def port(name: str, address: str) -> dict[str, Any]:
        return {
            "name": name,
            "device": name,
            "queues": 1,
            "descriptors": 1024,
            "addresses": [f"{address}/{length}"],
            "gateway": None,
        }

    return {
        "name": "test",
        "network_namespace": lab.namespace(Host.BOX),
        "ports": [
            port("inside", addresses.box_inside),
            port("outside", addresses.box_outside),
        ],
        "paths": [],
        "pipeline": [
            {
                "element": "nat",
                "options": {
                    "inside": "inside",
                    "outside": "outside",
                    "external": [addresses.box_outside],
                    "inside_address": addresses.box_inside,
                },
            }
        ],
        "workers": {"count": 2, "cores": None, "idle": "auto"},
        "logger": {"core": None, "idle": None},
        "standby": {"cores": None, "idle": None},
        "protection": "standby",
        "release": "parallel",
        "checkpoint_ms": 25,
        "pal": "hand-overs",
        "logs": {"input_mib": 8, "access_mib": 4, "output_mib": 8},
        "heartbeat": {"bound_ms": 100},
        "memory": {"arena_mib": 256, "hugepages": "auto"},
        "metrics": {"address": "127.0.0.1", "port": 0, "elements_s": 10},
    }


@pytest.fixture
def box(configuration: dict[str, Any]) -> Iterator[Callable[..., bool]]:
    """Starts the box, with changes to its configuration; stops it at the end."""

    def start(**changes: Any) -> bool:
        return orchestrator.start({**configuration, **changes}, foreground=False)

    yield start
    try:
        orchestrator.stop("test")
    except NotRunningError:
        pass
    assert box_processes() == []
