# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

from ftmb.drill.pipelines.pipeline import Pipeline

NAT = Pipeline(
    name="nat",
    help="clients behind a NAT: downloads, iperf3, interactive connections, ping, datagrams",
    example="lab_nat.toml",
    ports=("inside", "outside"),
)
