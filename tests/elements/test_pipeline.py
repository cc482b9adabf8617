# SPDX-License-Identifier: BSD-3-Clause
"""Several elements in one worker: each sees what the one before let through."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ftmb.testing import Box

PORTS = ["inside", "outside"]
MONITOR = ("monitor", {"first": "inside", "second": "outside"})
FORWARD = ("forward", {"first": "inside", "second": "outside"})
NAT = ("nat", {"inside": "inside", "outside": "outside", "external": ["203.0.113.1"]})


def frame(source: str, destination: str, sport: int, dport: int) -> bytes:
    packet = IP(src=source, dst=destination) / UDP(sport=sport, dport=dport) / b"data"
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0800) / packet)


@pytest.mark.parametrize("workers", [1, 2])
def test_monitor_then_nat(make_box: Callable[..., Box], workers: int) -> None:
    box = make_box([MONITOR, NAT], PORTS, workers)
    for number in range(100):
        box.inject("inside", frame("10.0.0.5", "198.51.100.7", 5000 + number, 53))
    released = box.run()
    assert len(released) == 100
    for port, raw in released:
        sent = Ether(raw)[IP]
        assert (port, sent.src) == ("outside", "203.0.113.1")
        box.inject("outside", frame("198.51.100.7", sent.src, 53, sent.sport))
    back = [Ether(raw)[IP] for _, raw in box.run()]
    assert sorted(packet.dport for packet in back) == list(range(5000, 5100))


def test_what_an_element_drops_the_next_one_does_not_see(make_box: Callable[..., Box]) -> None:
    box = make_box([NAT, FORWARD], PORTS)
    box.inject("outside", frame("198.51.100.7", "203.0.113.1", 53, 4000))  # nobody asked
    box.inject("inside", frame("10.0.0.5", "198.51.100.7", 5000, 53))
    assert [port for port, _ in box.run()] == ["outside"]
    assert box.drops() == {"nat": {"no_mapping": 1}}


def test_two_rules_of_steering_are_refused() -> None:
    with pytest.raises(ValueError, match="only one"):
        Box([NAT, NAT], PORTS)


def test_an_empty_frame_passes_every_element(make_box: Callable[..., Box]) -> None:
    box = make_box([MONITOR, FORWARD], PORTS)
    box.inject("inside", bytes(14))
    assert box.run() == [("outside", bytes(14))]
