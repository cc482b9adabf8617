# SPDX-License-Identifier: BSD-3-Clause
"""A real box with a firewall between real hosts: its flows outlive its master, and stay closed to
those who were not asked."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from pyroute2 import IPRoute

from ftmb.lab import Host, Lab, namespaces
from tests.processes.boxes import fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def pipeline(*rules: str) -> list[dict[str, Any]]:
    options = {"trusted": "inside", "untrusted": "outside", "rules": list(rules)}
    return [{"element": "firewall", "options": options}]


def add_route_back(lab: Lab) -> None:
    """Nothing is translated, so the server has to know the way."""

    def add(netlink: IPRoute) -> None:
        netlink.route("replace", dst="10.77.0.0/24", gateway=lab.addresses.box_outside)

    namespaces.netlink(lab.namespace(Host.SERVER), add)


def is_answered(lab: Lab, address: str) -> bool:
    """Whether the server can ping who did not ask for it."""
    ping = lab.run(Host.SERVER, ["ping", "-c", "2", "-i", "0.1", "-W", "0.5", address])
    return ping.wait(10) == 0


def test_flows_outlive_a_master(box: Callable[..., bool], lab: Lab) -> None:
    add_route_back(lab)
    box(pipeline=pipeline("allow any"), heartbeat={"bound_ms": 2000})
    status = wait_for(lambda status: status["state"] == "protected")
    pings(lab)
    assert not is_answered(lab, lab.addresses.clients[0])
    long = lab.run(Host.CLIENT, ["ping", "-c", "60", "-i", "0.05", "-W", "2", lab.addresses.server])
    fail(status, "master", signal.SIGKILL)
    wait_for(lambda status: status["failover_count"] == 1 and status["state"] == "protected")
    assert long.wait(20) == 0, long.output()
    assert " 0% packet loss" in long.output()
    assert not is_answered(lab, lab.addresses.clients[0])
    after = wait_for(lambda status: status["state"] == "protected")
    assert after["state_losses"] == 0
    assert after["digest"]["mismatched"] == 0


def test_the_other_side_begins_where_a_rule_says_so(box: Callable[..., bool], lab: Lab) -> None:
    add_route_back(lab)
    first, second = lab.addresses.clients[:2]
    box(pipeline=pipeline(f"allow from untrusted icmp any -> {first}"))
    wait_for(lambda status: status["state"] == "protected")
    assert is_answered(lab, first)
    assert not is_answered(lab, second)
