# SPDX-License-Identifier: BSD-3-Clause
"""What a kill costs in each mode: a real box whose two workers share state, numbered datagrams."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.modes.settings import Mode
from benchmarks.real_box import run_directory
from ftmb import orchestrator, pktgen
from ftmb.configuration import from_data
from ftmb.drill.box import lab_data
from ftmb.lab import Host, Lab

RATE = 20_000  # datagrams a second
FLOWS = 1_000
SECONDS, KILLED_AFTER_S = 1.5, 0.3


def box_data(lab: Lab, name: str, mode: Mode) -> dict[str, Any]:
    """A monitor between the lab's hosts."""
    data = {**lab_data(lab, name, mode.protection), **mode.configuration()}
    data["element"] = [{"element": "monitor", "first": "inside", "second": "outside"}]
    return data


def _kill_later(name: str) -> None:
    time.sleep(KILLED_AFTER_S)
    os.kill(orchestrator.status(name)["processes"]["master"]["pid"], signal.SIGKILL)


def kill_once(mode: Mode) -> dict[str, float]:
    """One box, started for this; what the receiver saw of the kill."""
    name = f"bench-modes-{os.getpid()}"
    with run_directory(), Lab("modes") as lab:
        orchestrator.start(from_data(box_data(lab, name, mode)).to_dict(), foreground=False)
        try:
            return _observed(lab, name)
        finally:
            orchestrator.stop(name)


def _observed(lab: Lab, name: str) -> dict[str, float]:
    transmit, receive = (
        pktgen.Endpoint(namespace=lab.namespace(host), interface="eth0")
        for host in (Host.CLIENT, Host.SERVER)
    )
    settings = pktgen.Settings(
        kind="latency",
        idle="sleep",
        flows=pktgen.Flows(count=FLOWS),
        transmit=transmit,
        receive=receive,
    )
    with pktgen.Session(settings) as session, ThreadPoolExecutor(1) as other:
        session.trial(RATE, each_flow_once=True)
        killed = other.submit(_kill_later, name)
        trial = session.trial(RATE, seconds=SECONDS)
        killed.result()
    status = orchestrator.status(name)
    if status["failover_count"] != 1:
        raise RuntimeError(f"{status['failover_count']} failovers for one kill")
    return {
        "sent": trial.sent,
        "lost": max(0, trial.out.lost - trial.missed),
        "duplicated": trial.out.duplicated,
        "gap_ms": trial.out.gap_ns_max / 1e6,
        "state_losses": status["state_losses"],
    }
