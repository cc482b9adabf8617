# SPDX-License-Identifier: BSD-3-Clause
"""The example's own addresses and rules, in a lab that fits them."""

from __future__ import annotations

from functools import partial

from ftmb.drill.pipelines.pipeline import Pipeline
from ftmb.drill.workload.denied import Attempt, Denied
from ftmb.drill.workload.traffic import USUAL
from ftmb.lab import Addresses, Host

SERVER = "198.51.100.2"
CLIENTS = tuple(f"10.0.0.{last}" for last in range(2, 10))
WEB = "10.0.0.80"  # whom anybody may ask
THING = "10.0.66.5"  # one of those that stay at home
ADDRESSES = Addresses(
    clients=CLIENTS,
    clients_besides=(WEB, THING),
    server=SERVER,
    seen_by_clients=("198.51.100.0/24",),
    seen_by_server=("10.0.0.0/8",),
)
ATTEMPTS = (
    Attempt(Host.CLIENT, Host.SERVER, "tcp", CLIENTS[0], SERVER, 25),  # mail without the relay
    Attempt(Host.CLIENT, Host.SERVER, "udp", THING, SERVER, 7000),
    Attempt(Host.CLIENT, Host.SERVER, "tcp", THING, SERVER, 7001),
    Attempt(Host.SERVER, Host.CLIENT, "tcp", SERVER, CLIENTS[1], 22),  # nobody asked for it
    Attempt(Host.SERVER, Host.CLIENT, "udp", SERVER, CLIENTS[2], 7002),
    Attempt(Host.SERVER, Host.CLIENT, "tcp", SERVER, WEB, 80, is_allowed=True),
    Attempt(Host.CLIENT, Host.SERVER, "udp", CLIENTS[3], SERVER, 7003, is_allowed=True),
)

FIREWALL = Pipeline(
    name="firewall",
    help="the same between two networks, and beside it what the rules deny, all the time",
    example="firewall.toml",
    ports=("lan", "wan"),
    addresses=ADDRESSES,
    parts=(partial(Denied, attempts=ATTEMPTS), *USUAL),
)
