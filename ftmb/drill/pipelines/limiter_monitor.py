# SPDX-License-Identifier: BSD-3-Clause
"""Two customers who want more than they may have, beside others; a monitor counts what passes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ftmb.drill.pipelines.monitor import BRIDGED
from ftmb.drill.pipelines.pipeline import Data, Pipeline, element_of
from ftmb.drill.workload.limited import Limit, Limited, LimitedIperf
from ftmb.drill.workload.monitor_counts import MonitorCounts
from ftmb.drill.workload.traffic import USUAL

STREAM = Limit("10.77.0.130", 4_000_000, 500_000)
TCP = Limit("10.77.0.131", 8_000_000, 500_000)
WIDE = "upload 10G burst 64M download 10G burst 64M"  # so that the others do not meet it


def adapt(data: Data) -> None:
    limiter = element_of(data, "limiter")
    for option in ("classes", "rules"):  # what one class keeps, the traffic here would lack
        limiter.pop(option, None)
    limiter.update(
        overhead=0,
        total=WIDE,
        host=WIDE,
        prefixes=[
            f"{limit.host}/32 upload {limit.bit_per_s} burst {limit.burst}"
            for limit in (STREAM, TCP)
        ],
    )


LIMITER_MONITOR = Pipeline(
    name="limiter-monitor",
    help="customers who send more than their limits let pass, and a monitor that counts the rest",
    example="limiter_monitor.toml",
    ports=("customers", "uplink"),
    addresses=replace(BRIDGED, clients_besides=(STREAM.host, TCP.host)),
    parts=(
        MonitorCounts,
        partial(Limited, limit=STREAM),
        partial(LimitedIperf, limit=TCP),
        *USUAL,
    ),
    adapt=adapt,
    shares_state=True,
)
