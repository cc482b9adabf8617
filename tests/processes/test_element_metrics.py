# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of the elements of a real box: what its hosts did, in few time series, across a failover,
and readable as tables."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

import ftmb.state
from ftmb import orchestrator
from ftmb.command_line import ExitStatus, run
from ftmb.lab import Lab
from tests.processes.boxes import fail, pings, wait_for
from tests.processes.test_firewall_box import add_route_back

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

PIPELINE: list[dict[str, Any]] = [
    {
        "element": "limiter",
        "options": {
            "inside": "inside",
            "outside": "outside",
            "total": "upload 100M download 100M",
            "host": "upload 10M",
            "prefixes": ["10.77.0.0/24 upload 50M"],
            "classes": ["pings", "rest"],
            "rules": ["pings icmp"],
        },
    },
    {
        "element": "monitor",
        "options": {
            "first": "inside",
            "second": "outside",
            "destinations": True,
            "prefixes": ["10.77.0.0/24"],
            "top": 64,
        },
    },
]


def scrape(number: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


def test_what_the_elements_counted(
    box: Callable[..., None], lab: Lab, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    add_route_back(lab)
    metrics = {"address": "127.0.0.1", "port": port, "elements_s": 1}
    box(pipeline=PIPELINE, metrics=metrics)
    wait_for(lambda status: status["state"] == "protected")
    pings(lab, 5)
    found = scrape(port)
    client, server = lab.addresses.clients[0], lab.addresses.server
    prefix = '{element="monitor",prefix="10.77.0.0/24"}'
    assert found[f"ftmb_monitor_prefixes_packets_total{prefix}"] >= 5
    assert found[f"ftmb_monitor_prefixes_packets_to_total{prefix}"] >= 5
    for address in (client, server):
        top = f'{{address="{address}",element="monitor"}}'
        assert found[f"ftmb_monitor_top_sources_bytes{top}"] >= 5 * 98
    assert found['ftmb_monitor_totals_packets_total{element="monitor"}'] >= 10
    classes = '{class="pings",element="limiter"}'
    assert found[f"ftmb_limiter_classes_upload_packets_total{classes}"] >= 5
    totals = '{direction="download",element="limiter"}'
    assert found[f"ftmb_limiter_totals_rate{totals}"] == 100e6
    assert found[f"ftmb_limiter_totals_passed_packets_total{totals}"] >= 5
    assert 0 <= found["ftmb_state_age_seconds"] < 20
    assert not any("_hosts_bytes" in name for name in found), "hosts are too many for metrics"

    words = ["monitor", "--within", "address=10.77.0.0/24", "--sort", "-bytes", "--json"]
    assert run(["state", "show", *words]) == ExitStatus.OK
    rows = json.loads(capsys.readouterr().out)
    assert client in {row["address"] for row in rows}
    with ftmb.state.read("test") as state:
        assert state.array("monitor", "hosts")["packets"].sum() >= 10


def test_counts_go_on_after_a_failover(box: Callable[..., None], lab: Lab, port: int) -> None:
    add_route_back(lab)
    metrics = {"address": "127.0.0.1", "port": port, "elements_s": 1}
    box(pipeline=PIPELINE, metrics=metrics)
    status = wait_for(lambda status: status["state"] == "protected")
    pings(lab, 5)
    name = 'ftmb_limiter_classes_upload_packets_total{class="pings",element="limiter"}'
    before = scrape(port)[name]
    fail(status, "master", signal.SIGKILL)
    wait_for(lambda status: status["failover_count"] == 1 and status["state"] == "protected")
    pings(lab, 5)
    with ftmb.state.read("test") as state:
        counted = state.array("limiter", "classes")["upload_packets"].sum()
    assert counted >= before + 5
    assert orchestrator.status("test")["digest"]["mismatched"] == 0
