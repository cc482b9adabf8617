# SPDX-License-Identifier: BSD-3-Clause
"""A real box with a load balancer between real hosts: connections outlive its master, and the
operator's commands; what is new goes where it may."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftmb import orchestrator
from ftmb.lab import Host, Lab, Program
from tests.processes.boxes import fail, wait_for
from tests.processes.test_firewall_box import add_route_back

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]

SERVICE = "198.51.100.10:80"
PORTS = (8081, 8082)
WEB_SERVER = str(Path(__file__).with_name("web_server.py"))


@pytest.fixture(scope="module")
def servers(lab: Lab) -> Iterator[Lab]:
    """Two web servers on the server's host."""
    add_route_back(lab)
    running = [lab.run(Host.SERVER, [sys.executable, WEB_SERVER, str(port)]) for port in PORTS]
    yield lab
    for program in running:
        program.stop()


def begin(lab: Lab, lines: int, pause_s: float) -> Program:
    url = f"http://{SERVICE}/{lines}/{pause_s}"
    return lab.run(Host.CLIENT, ["curl", "-sS", "--max-time", "30", url])


def answered(program: Program) -> list[str]:
    assert program.wait(40) == 0, program.output()
    return program.output().split()


def backend(lab: Lab, port: int | str) -> str:
    return f"{SERVICE} {lab.addresses.server}:{port}"


@pytest.mark.parametrize("algorithm", ["maglev", "least_connections"])
def test_connections_outlive_a_master_and_commands(
    box: Callable[..., bool], servers: Lab, algorithm: str
) -> None:
    options = {
        "clients": "inside",
        "servers": "outside",
        "services": [f"tcp {SERVICE}"],
        "backends": [backend(servers, port) for port in PORTS],
        "algorithm": algorithm,
        "table_size": 1009,
    }
    pipeline = [{"element": "load_balancer", "options": options}]
    box(pipeline=pipeline, heartbeat={"bound_ms": 2000})
    status = wait_for(lambda status: status["state"] == "protected")
    short = [begin(servers, 1, 0) for _ in range(24)]
    assert {answered(program)[0] for program in short} == {str(port) for port in PORTS}
    long = [begin(servers, 40, 0.05) for _ in range(6)]
    time.sleep(0.5)
    orchestrator.command("test", "load_balancer", f"drain {backend(servers, PORTS[0])}")
    fail(status, "master", signal.SIGKILL)
    wait_for(lambda status: status["failover_count"] == 1 and status["state"] == "protected")
    after = [begin(servers, 1, 0) for _ in range(8)]
    assert {answered(program)[0] for program in after} == {str(PORTS[1])}
    lines = [answered(program) for program in long]
    assert [len(set(one)) for one in lines] == [1] * 6, "each by one backend to its end"
    assert [len(one) for one in lines] == [40] * 6
    assert len({one[0] for one in lines}) == 2, "the drained one served some of them"
    found = wait_for(lambda status: status["state"] == "protected")
    assert found["state_losses"] == 0
    assert found["digest"]["mismatched"] == 0
