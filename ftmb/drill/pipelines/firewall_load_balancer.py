# SPDX-License-Identifier: BSD-3-Clause
"""Backends behind a virtual address, and a firewall before them.

The example's structure, with services for the lab's traffic: iperf3 has two kinds of connections
that belong together, so its service has one backend.
"""

from __future__ import annotations

from functools import partial

from ftmb.drill.pipelines.pipeline import Data, Pipeline, element_of
from ftmb.drill.workload import balanced, downloads, echo, iperf, udp
from ftmb.drill.workload.balanced import Balanced
from ftmb.drill.workload.denied import Attempt, Denied
from ftmb.drill.workload.traffic import USUAL
from ftmb.lab import Addresses, Host

VIRTUAL = "203.0.113.10"
BACKENDS = tuple(f"198.51.100.{last}" for last in (11, 12, 13))
ADDRESSES = Addresses(backends=BACKENDS, server_gateway="198.51.100.1")
CLIENT = ADDRESSES.clients[0]
CLOSED, OPEN = 7001, 7002  # services of which the firewall lets nobody reach the first
SPREAD = (
    ("tcp", balanced.PORT),
    ("tcp", downloads.PORT),
    ("tcp", echo.PORT),
    ("udp", udp.PORT),
)
ALONE = (("tcp", iperf.PORT), ("tcp", CLOSED), ("tcp", OPEN))
ATTEMPTS = (
    Attempt(Host.CLIENT, "backend1", "tcp", CLIENT, VIRTUAL, CLOSED, arrives_at=BACKENDS[0]),
    Attempt(Host.CLIENT, "backend1", "tcp", CLIENT, BACKENDS[0], 22),  # past the virtual address
    Attempt(Host.CLIENT, "backend2", "udp", CLIENT, BACKENDS[1], udp.PORT + 1),
    Attempt(
        *(Host.CLIENT, "backend1", "tcp", CLIENT, VIRTUAL, OPEN),
        is_allowed=True,
        arrives_at=BACKENDS[0],
    ),
)


def adapt(data: Data) -> None:
    ports: dict[str, list[str]] = {"tcp": [], "udp": []}
    for protocol, port in (*SPREAD, *ALONE):
        if port != CLOSED:
            ports[protocol].append(str(port))
    element_of(data, "firewall")["rules"] = [
        *(
            f"allow from untrusted {one} any -> {VIRTUAL} port {','.join(ports[one])}"
            for one in ports
        ),
        "allow from untrusted icmp any -> any type 8",
    ]
    element_of(data, "load_balancer").update(
        services=[f"{protocol} {VIRTUAL}:{port}" for protocol, port in (*SPREAD, *ALONE)],
        backends=[
            *(
                f"{one} {VIRTUAL}:{port} -> {host}:{port}"
                for one, port in SPREAD
                for host in BACKENDS
            ),
            *(f"{one} {VIRTUAL}:{port} -> {BACKENDS[0]}:{port}" for one, port in ALONE),
        ],
    )


FIREWALL_LOAD_BALANCER = Pipeline(
    name="firewall-load-balancer",
    help="backends behind a virtual address and a firewall; one is drained on the way",
    example="firewall_load_balancer.toml",
    ports=("wan", "lan"),
    addresses=ADDRESSES,
    parts=(
        partial(Balanced, service=f"{VIRTUAL}:{balanced.PORT}", element="load_balancer"),
        partial(Denied, attempts=ATTEMPTS),
        *USUAL,
    ),
    adapt=adapt,
    virtual_address=VIRTUAL,
)
