# SPDX-License-Identifier: BSD-3-Clause
"""A packet generator in the style of pktgen, for measuring boxes from outside.

    from ftmb import pktgen
    result = pktgen.run(pktgen.Settings(
        kind="latency", rates=(50_000,), seconds=2.0, reply=True,
        transmit=pktgen.Endpoint(namespace="client", interface="eth0"),
        receive=pktgen.Endpoint(namespace="server", interface="eth0")))
    result.trials[0].out.latency.p99_ns

`Session` keeps both ends open over several trials. docs/pktgen.md tells what the figures mean.
"""

from ftmb.pktgen.result import Direction, FlowCounts, Latency, Result, Throughput, Trial, plain
from ftmb.pktgen.run import run
from ftmb.pktgen.session import Session
from ftmb.pktgen.settings import Endpoint, Flows, Replay, Search, Settings

__all__ = [
    "Direction",
    "Endpoint",
    "FlowCounts",
    "Flows",
    "Latency",
    "Replay",
    "Result",
    "Search",
    "Session",
    "Settings",
    "Throughput",
    "Trial",
    "plain",
    "run",
]
