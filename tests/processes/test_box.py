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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.errors import NotRunningError, StartError
from ftmb.lab import Lab
from ftmb.priority import LOGGER_NICE, REPLICA_NICE
from tests.processes.boxes import PATIENCE_S, box_processes, fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


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
    orchestrator.crash_at("test", "master-in-element")
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


def test_both_silent_for_a_while_are_not_both_lost(box: Callable[..., None], lab: Lab) -> None:
    """On a machine that stands still the standby may be given up, but nobody's state."""
    box()
    before = orchestrator.status("test")
    for who in ("standby", "master"):
        fail(before, who, signal.SIGSTOP)
    standby = before["processes"]["standby"]["pid"]
    wait_for(lambda s: (s["processes"]["standby"] or {}).get("pid") != standby)
    for who in ("standby", "master"):
        try:
            fail(before, who, signal.SIGCONT)
        except ProcessLookupError:
            pass
    status = wait_for(lambda s: s["state"] == "protected")
    assert status["state_losses"] == 0
    pings(lab)


def test_its_threads_come_before_other_sessions(box: Callable[..., None]) -> None:
    box()
    status = orchestrator.status("test")
    if status["idle"]["workers"] != "sleep" or not Path("/proc/self/autogroup").exists():
        pytest.skip("threads that spin, or a kernel without groups of sessions")
    for who, nice in (("logger", LOGGER_NICE), ("master", REPLICA_NICE), ("standby", REPLICA_NICE)):
        group = Path(f"/proc/{status['processes'][who]['pid']}/autogroup").read_text()
        assert group.split()[1:] == ["nice", str(nice)], who


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


def test_a_port_of_another_box_is_refused(
    box: Callable[..., None], lab: Lab, configuration: dict[str, Any]
) -> None:
    """Two boxes on one interface would each forward every packet."""
    box()
    other = copy.deepcopy(configuration)
    other["name"] = "other"
    for ports in (configuration["ports"], [{**configuration["ports"][0]}]):
        other["ports"] = copy.deepcopy(ports)
        other["ports"][0]["device"] = "net_af_packet3,iface=inside"
        if len(ports) == 1:
            other["pipeline"] = [
                {"element": "forward", "options": {"first": "inside", "second": "inside"}}
            ]
        with pytest.raises(StartError, match="in use by another box"):
            orchestrator.start(other, foreground=False)
    pings(lab)
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
        refused(box, "metrics", metrics={"address": "127.0.0.1", "port": number, "elements_s": 10})


def test_it_works_without_huge_pages(box: Callable[..., None], lab: Lab) -> None:
    box(memory={"arena_mib": 256, "hugepages": "never"})
    pings(lab)
    assert not list(Path("/var/run/dpdk").glob("ftmb-*"))


def test_metrics_tell_what_the_status_tells(box: Callable[..., None], lab: Lab) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    box(metrics={"address": "127.0.0.1", "port": number, "elements_s": 10})
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


HOSTILE = [
    b"",
    b"{",
    b"[" * 5000,
    b'{"kind": "started", "records": [1]}',
    b'{"kind": "started", "records": "x"}',
    b'{"kind": "snapshot done", "epoch": 1, "ok": true, "pause_ns": Infinity}',
    b'{"kind": "hello"}',
    b'{"kind": "hello", "version": 999999}',
    b'{"kind": "prepared"}',
    b'{"kind": "failed"}',
    b'{"kind": "crash at"}',
    b'{"kind": "crash at", "point": ["master-in-element"]}',
    b'{"kind": "crash at", "point": "orchestrator-reaping"}',
    b'{"kind": "armed", "point": "master-in-element"}',
    b'{"kind": "no such thing"}',
]


def test_nobodys_message_ends_the_box(box: Callable[..., None], lab: Lab) -> None:
    box()
    path = Path(os.environ["FTMB_RUN_DIRECTORY"]) / "test" / "control.sock"
    for raw in HOSTILE:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
            caller.connect(str(path))
            if raw:
                caller.send(raw)
    pings(lab)
    assert orchestrator.status("test")["state"] == "protected"


def test_somebody_who_never_reads_holds_up_nobody(box: Callable[..., None], lab: Lab) -> None:
    box()
    path = Path(os.environ["FTMB_RUN_DIRECTORY"]) / "test" / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.connect(str(path))
        caller.setblocking(False)
        for _ in range(2000):
            try:
                caller.send(b'{"kind": "status"}')
            except (BlockingIOError, BrokenPipeError, ConnectionError):
                break
        fail(orchestrator.status("test"), "master", signal.SIGKILL)
        pings(lab)
    wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
