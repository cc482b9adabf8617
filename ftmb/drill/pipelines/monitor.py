# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

from ftmb.drill.pipelines.pipeline import Pipeline
from ftmb.drill.workload.monitor_counts import MonitorCounts
from ftmb.drill.workload.traffic import USUAL
from ftmb.lab import Addresses

BRIDGED = Addresses(
    seen_by_clients=("198.51.100.0/24",),
    seen_by_server=("10.77.0.0/24",),
)

MONITOR = Pipeline(
    name="monitor",
    help="the same past a monitor, whose counts are to be the hosts', to the packet",
    example="monitor.toml",
    ports=("lan", "wan"),
    addresses=BRIDGED,
    parts=(MonitorCounts, *USUAL),
    shares_state=True,
)
