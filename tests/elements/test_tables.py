# SPDX-License-Identifier: BSD-3-Clause
"""What the firewall and the NAT show of their flows, and how long these have left."""

from __future__ import annotations

import pytest

from tests.elements.firewall_frames import (
    HOSTS,
    Firewall,
    answer,
    connect,
    echo,
    udp,
)
from tests.elements.nat_frames import EXTERNAL, HOST, REMOTE, Nat
from tests.elements.nat_frames import udp as nat_udp
from tests.elements.state_view import rows_of


@pytest.mark.parametrize("version", [4, 6])
def test_flows_of_the_firewall(make_box, version):
    inside, outside, _ = HOSTS[version]
    firewall = Firewall(make_box, policy="timed", udp_timeout=100, tcp_established_timeout=1000)
    firewall.out(udp(version, 5001, 53))
    firewall.back(answer(udp(version, 5001, 53)), answer(udp(version, 5001, 53)))
    firewall.out(udp(version, 5002, 53))
    connect(firewall, version, sport=6000)
    firewall.out(echo(version, 77))
    firewall.box.advance(10)
    flows = {row["trusted_port"]: row for row in rows_of(firewall.box, "flows")}
    assert set(flows) == {5001, 5002, 6000, 77}
    assert {(row["trusted"], row["untrusted"]) for row in flows.values()} == {(inside, outside)}
    assert {row["policy"] for row in flows.values()} == {"timed"}
    assert [flows[port]["protocol"] for port in (5001, 6000, 77)] == [
        "udp",
        "tcp",
        "icmp" if version == 4 else "icmpv6",
    ]
    assert [flows[port]["untrusted_port"] for port in (5001, 6000)] == [53, 80]
    assert flows[77]["untrusted_port"] == (8 if version == 4 else 128)
    assert [flows[port]["state"] for port in (5001, 5002)] == ["answered", ""]
    assert flows[6000]["state"] == "answered|syn_back|confirmed|syn_acked"
    left = {port: row["expires_s"] for port, row in flows.items()}
    assert left == {port: pytest.approx(value, abs=0.05) for port, value in
                    {5001: 90, 5002: 230, 6000: 990, 77: 230}.items()}  # fmt: skip


def test_a_flow_without_time_out_has_no_end(make_box):
    firewall = Firewall(make_box, policy="answered")
    firewall.out(udp())
    (flow,) = rows_of(firewall.box, "flows")
    assert (flow["policy"], flow["expires_s"], flow["state"]) == ("answered", None, "")


def test_sessions_of_the_nat_tell_what_is_left(make_box):
    nat = Nat(make_box, udp_timeout=200)
    nat.out(nat_udp(HOST, 5000, REMOTE, 53))
    nat.box.advance(50)
    (session,) = rows_of(nat.box, "sessions")
    assert (session["inside"], session["outside"]) == (HOST, EXTERNAL)
    assert session["expires_s"] == pytest.approx(150, abs=0.05)
