# SPDX-License-Identifier: BSD-3-Clause
"""What opening ports does to the machine: where threads may run, what interfaces still do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftmb import offloads, orchestrator
from ftmb.errors import StartError
from ftmb.lab import Host, Lab, namespaces
from ftmb.processes.ports import allowed_cores
from tests.processes.boxes import pings

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def cores_of_threads(pid: int) -> list[str]:
    """The lists of cores on which the threads of a process may run."""
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        lines = (thread / "status").read_text().splitlines()
        found += [line.split()[1] for line in lines if line.startswith("Cpus_allowed_list")]
    return found


def test_without_a_core_of_its_own_no_thread_is_pinned(box: Callable[..., bool], lab: Lab) -> None:
    box()
    pings(lab)
    (own,) = set(cores_of_threads(os.getpid()))
    logger = orchestrator.status("test")["processes"]["logger"]["pid"]
    assert set(cores_of_threads(logger)) == {own}


def test_with_a_core_of_its_own_the_packet_thread_is_pinned(
    box: Callable[..., bool], lab: Lab
) -> None:
    core = max(os.sched_getaffinity(0))
    assert allowed_cores(core) == str(core)
    box(logger={"core": core, "idle": None})
    pings(lab)
    logger = orchestrator.status("test")["processes"]["logger"]["pid"]
    assert str(core) in cores_of_threads(logger)


def switched_on(lab: Lab) -> list[str]:
    found: list[str] = []

    def look() -> None:
        found.extend(name for name in offloads.HARMFUL if offloads.is_on("inside", name))

    namespaces.call(lab.namespace(Host.BOX), look)
    return found


@pytest.fixture
def offloading(lab: Lab) -> Any:
    """What the box's interface offers, on: as interfaces are."""

    def switch(on: bool) -> None:
        for name in ("transmit checksums", "TCP segmentation", "generic receive"):
            offloads.switch("inside", name, on)

    namespaces.call(lab.namespace(Host.BOX), lambda: switch(True))
    yield switched_on(lab)
    namespaces.call(lab.namespace(Host.BOX), lambda: switch(False))


def test_offloads_are_off_while_the_box_has_the_interface(
    box: Callable[..., bool], lab: Lab, offloading: list[str]
) -> None:
    assert len(offloading) >= 3
    box()
    assert switched_on(lab) == []
    pings(lab)
    orchestrator.stop("test")
    assert switched_on(lab) == offloading


def test_a_refused_start_leaves_offloads_as_they_were(
    box: Callable[..., bool], configuration: dict[str, Any], lab: Lab, offloading: list[str]
) -> None:
    inside, outside = configuration["ports"]
    with pytest.raises(StartError):
        box(ports=[inside, {**outside, "device": "net_af_packet7,iface=nosuch0"}])
    assert switched_on(lab) == offloading
