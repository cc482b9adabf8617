# SPDX-License-Identifier: BSD-3-Clause
"""A real box between real namespaces: its processes killed by real signals, and what it says."""

from __future__ import annotations

import copy
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.errors import NotRunningError, StartError
from ftmb.lab import Host, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

PATIENCE_S = 20.0
Status = dict[str, Any]


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
        "logger": {"core": None},
        "standby": {"cores": None},
        "protection": "standby",
        "logs": {"input_mib": 8, "access_mib": 4, "output_mib": 8},
        "heartbeat": {"bound_ms": 100},
        "memory": {"arena_mib": 256, "hugepages": "auto"},
        "metrics": {"address": "127.0.0.1", "port": 0},
    }


def box_processes() -> list[str]:
    """Command lines of processes that belong to any box of this test's run directory."""
    mark = os.environ.get("FTMB_RUN_DIRECTORY", "/run/ftmb")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if mark in line:
                found.append(line)
    return found


@pytest.fixture
def box(configuration: dict[str, Any]) -> Iterator[Callable[..., None]]:
    """Starts the box, with changes to its configuration; stops it at the end."""

    def start(**changes: Any) -> None:
        orchestrator.start({**configuration, **changes}, foreground=False)

    yield start
    try:
        orchestrator.stop("test")
    except NotRunningError:
        pass
    assert box_processes() == []


def wait_for(condition: Callable[[Status], bool]) -> Status:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = orchestrator.status("test")
        if condition(status):
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.01)


def pings(lab: Lab, count: int = 3) -> None:
    """From a client through the NAT to a server; all must come back."""
    ping = lab.run(
        Host.CLIENT, ["ping", "-c", str(count), "-i", "0.05", "-W", "2", lab.addresses.server]
    )
    assert ping.wait(10) == 0, ping.output()
    assert " 0% packet loss" in ping.output()


def fail(status: Status, who: str, number: signal.Signals) -> int:
    pid: int = status["processes"][who]["pid"]
    os.kill(pid, number)
    return pid


def test_it_forwards_and_says_so(box: Callable[..., None], lab: Lab) -> None:
    box()
    pings(lab)
    status = wait_for(lambda s: s["digest"]["compared"] > 0)
    assert status["state"] == "protected"
    assert status["ports"]["inside"]["received"] >= 3
    assert status["ports"]["outside"]["sent"] >= 3
    assert status["digest"]["mismatched"] == 0


def test_it_survives_a_killed_master(box: Callable[..., None], lab: Lab) -> None:
    box()
    fail(orchestrator.status("test"), "master", signal.SIGKILL)
    pings(lab)
    status = wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
    (failover,) = status["failovers"]
    assert not failover["lost_state"]
    assert failover["snapshot_pause_ns"] > 0
    assert status["state_losses"] == 0


def test_it_survives_a_crash_in_an_element(box: Callable[..., None], lab: Lab) -> None:
    box()
    orchestrator.crash_in_element("test")
    pings(lab)
    status = wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
    assert not status["failovers"][0]["lost_state"]


def test_a_hung_master_is_replaced_and_finds_itself_fenced(
    box: Callable[..., None], lab: Lab
) -> None:
    box()
    old = fail(orchestrator.status("test"), "master", signal.SIGSTOP)
    pings(lab)
    status = wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
    assert status["failovers"][0]["cause"] == "heartbeat"
    assert [zombie["pid"] for zombie in status["fenced"]] == [old]
    os.kill(old, signal.SIGCONT)
    wait_for(lambda s: s["fenced_count"] == 1 and not s["fenced"])
    pings(lab)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_standby_is_replaced_while_traffic_goes_on(
    box: Callable[..., None], lab: Lab, number: signal.Signals
) -> None:
    box()
    before = orchestrator.status("test")
    fail(before, "standby", number)
    pings(lab, 10)
    status = wait_for(
        lambda s: (
            s["state"] == "protected"
            and s["processes"]["standby"]["epoch"] != before["processes"]["standby"]["epoch"]
        )
    )
    assert status["failover_count"] == 0
    assert status["processes"]["master"] == before["processes"]["master"]


def test_losing_both_is_said_loudly_and_the_box_goes_on(box: Callable[..., None], lab: Lab) -> None:
    box()
    status = orchestrator.status("test")
    for who in ("standby", "master"):
        os.kill(status["processes"][who]["pid"], signal.SIGSTOP)
    for who in ("standby", "master"):
        fail(status, who, signal.SIGKILL)
    after = wait_for(lambda s: s["state"] == "protected" and s["failover_count"] >= 1)
    assert after["state_losses"] == 1
    assert after["failovers"][-1]["lost_state"]
    pings(lab)


def test_without_protection_a_failure_loses_state(box: Callable[..., None], lab: Lab) -> None:
    box(protection="none")
    assert orchestrator.status("test")["state"] == "unprotected"
    pings(lab)
    fail(orchestrator.status("test"), "master", signal.SIGKILL)
    status = wait_for(lambda s: s["failover_count"] == 1 and s["processes"]["master"] is not None)
    assert status["failovers"][0]["lost_state"]
    assert status["state_losses"] == 1
    pings(lab)


def test_the_data_plane_does_not_need_the_orchestrator(box: Callable[..., None], lab: Lab) -> None:
    box()
    status = orchestrator.status("test")
    fail(status, "orchestrator", signal.SIGKILL)
    fail(status, "master", signal.SIGKILL)
    pings(lab)
    after = wait_for(lambda s: s["failover_count"] == 1)
    assert not after["failovers"][0]["lost_state"]
    os.kill(after["processes"]["logger"]["pid"], signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while box_processes() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_second_start_is_refused(box: Callable[..., None]) -> None:
    box()
    with pytest.raises(StartError, match="running already"):
        box()
    assert orchestrator.status("test")["state"] == "protected"


def refused(box: Callable[..., None], match: str, **changes: Any) -> None:
    with pytest.raises(StartError, match=match):
        box(**changes)
    assert box_processes() == []
    with pytest.raises(NotRunningError):
        orchestrator.status("test")


def test_a_device_that_is_not_there_is_refused(
    box: Callable[..., None], configuration: dict[str, Any]
) -> None:
    ports = copy.deepcopy(configuration["ports"])
    ports[1]["device"] = "net_af_packet7,iface=nosuch0"
    refused(box, "outside", ports=ports)


def test_a_namespace_that_is_not_there_is_refused(box: Callable[..., None]) -> None:
    refused(box, "no network namespace 'nowhere'", network_namespace="nowhere")


def test_an_arena_that_is_too_small_is_refused(box: Callable[..., None]) -> None:
    refused(box, "arena_mib", memory={"arena_mib": 1, "hugepages": "never"})


def test_a_taken_metrics_port_is_refused(box: Callable[..., None]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        refused(box, "metrics", metrics={"address": "127.0.0.1", "port": number})


def test_it_works_without_huge_pages(box: Callable[..., None], lab: Lab) -> None:
    box(memory={"arena_mib": 256, "hugepages": "never"})
    pings(lab)


def test_metrics_tell_what_the_status_tells(box: Callable[..., None], lab: Lab) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    box(metrics={"address": "127.0.0.1", "port": number})
    pings(lab)
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert samples["ftmb_protected"] == "1.0"
    assert float(samples['ftmb_port_received_total{port="inside"}']) >= 3
    assert samples["ftmb_digests_mismatched_total"] == "0.0"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.05, 0.3, 1.5])
def test_an_interrupted_start_leaves_nothing(
    configuration: dict[str, Any], number: signal.Signals, after_s: float
) -> None:
    program = (
        "import json, sys; from ftmb import orchestrator;"
        "orchestrator.start(json.loads(sys.argv[1]), foreground=True)"
    )
    starting = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(configuration)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after_s)
    starting.send_signal(number)
    starting.wait(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while box_processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert box_processes() == []
