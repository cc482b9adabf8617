# SPDX-License-Identifier: BSD-3-Clause
"""Direct server return: packets stay as they are, but for the backend's Ethernet address."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP

from tests.elements.balancer_frames import SERVERS, VIPS, Balancer, answer, ether, tcp

ALGORITHMS = ["maglev", "least_connections"]
MACS = {server: f"02:00:00:00:00:1{number}" for number, server in enumerate(SERVERS[4])}
MACS6 = {server: f"02:00:00:00:00:6{number}" for number, server in enumerate(SERVERS[6])}


def direct(make_box, algorithm="maglev", **options):
    backends = [
        f"{protocol} {service} -> {f'[{server}]' if ':' in server else server}:{port} mac {mac}"
        for protocol, port in (("tcp", 80), ("udp", 53))
        for service, macs in ((f"{VIPS[4]}:{port}", MACS), (f"[{VIPS[6]}]:{port}", MACS6))
        for server, mac in macs.items()
    ]
    return Balancer(
        make_box, backends=backends, forwarding="direct", algorithm=algorithm, **options
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("version", [4, 6])
def test_direct_return(make_box, algorithm, version):
    balancer = direct(make_box, algorithm)
    macs = set((MACS if version == 4 else MACS6).values())
    chosen = {}
    for flags in ("S", "A", "PA", "FA"):
        sent = {bytes(tcp(flags, number, version)): number for number in range(12)}
        for port, frame in balancer.frames("clients", [ether(tcp(flags, n, version))
                                                       for n in range(12)]):  # fmt: skip
            assert port == "servers"
            number = sent[frame[14:]]  # the packet is what it was
            assert frame[6:14] == ether(tcp(flags, number, version))[6:14]
            assert chosen.setdefault(number, frame[:6]) == frame[:6]
    assert {mac.hex(":") for mac in chosen.values()} == macs


def test_direct_answers_pass_as_they_are(make_box):
    balancer = direct(make_box)
    balancer.to(tcp("S"))
    reply = answer(tcp("S"))
    assert balancer.frames("servers", [reply]) == [("clients", ether(reply))]
    stranger = answer(tcp("S"))
    stranger.src = SERVERS[4][0]
    balancer.refused("servers", stranger, "not_a_backend")


def test_direct_connections_end_by_what_the_client_sends(make_box):
    balancer = direct(make_box, "least_connections", tcp_transitory_timeout=10,
                      tcp_closing_timeout=20, tcp_established_timeout=100)  # fmt: skip
    balancer.to(tcp("S", sport=1), tcp("S", sport=2), tcp("A", sport=2))
    balancer.to(tcp("S", sport=3), tcp("A", sport=3), tcp("FA", sport=3))
    for seconds, left in ((11, {2, 3}), (10, {2}), (85, set())):
        balancer.advance(seconds)
        assert {int(row["client_port"]) for row in balancer.tables()["connections"]} == left


def test_a_backends_ethernet_address_with_rewriting(make_box):
    """Between ports without addresses nobody else would put it there."""
    backends = [f"{VIPS[4]}:80 -> 10.0.0.1:8080 mac 02:00:00:00:00:77"]
    balancer = Balancer(make_box, services=[f"tcp {VIPS[4]}:80"], backends=backends)
    ((_, frame),) = balancer.frames("clients", [tcp("S")])
    assert frame[:6].hex(":") == "02:00:00:00:00:77"
    assert IP(frame[14:]).dst == "10.0.0.1"
