# SPDX-License-Identifier: BSD-3-Clause
"""Monitor: shared state written on every packet, on one worker and on several."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ftmb.testing import Box

PORTS = ["left", "right"]
OPTIONS = {"first": "left", "second": "right", "stamp": True}


def frame(host: int, number: int) -> bytes:
    payload = struct.pack(">I", number) + bytes(16)
    address = f"10.0.{host // 256}.{host % 256}"
    return bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0800)
        / IP(src=address, dst="192.0.2.1")
        / UDP(sport=1000 + host, dport=53)
        / payload
    )


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_packet_gets_a_total_of_its_own(make_box: Callable[..., Box], workers: int) -> None:
    box = make_box([("monitor", OPTIONS)], PORTS, workers)
    frames = [frame(host, number) for number in range(40) for host in range(1, 9)]
    totals: list[int] = []
    for start in range(0, len(frames), 64):
        for one in frames[start : start + 64]:
            box.inject("left", one)
        released = box.run()
        assert all(port == "right" for port, _ in released)
        totals += [struct.unpack("<Q", sent[-8:])[0] for _, sent in released]
    assert sorted(totals) == list(range(1, len(frames) + 1))
    assert box.drops() == {}


def test_a_port_that_is_not_its_own_is_counted(make_box: Callable[..., Box]) -> None:
    box = make_box([("monitor", OPTIONS)], [*PORTS, "third"])
    box.inject("third", frame(1, 1))
    assert box.run() == []
    assert box.drops() == {"monitor": {"other_port": 1}}


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_a_share_of_the_flows_is_counted(make_box: Callable[..., Box], percent: int) -> None:
    box = make_box([("monitor", {**OPTIONS, "sample_percent": percent})], PORTS, 2)
    counted = []
    for first in range(1, 401, 40):
        for host in range(first, first + 40):
            box.inject("left", frame(host, 0))
        released = box.run()
        assert len(released) == 40
        counted += [sent for _, sent in released if sent[-8:] != bytes(8)]
    assert counted == [] if percent == 0 else abs(len(counted) / 4 - percent) < 10
    totals = sorted(struct.unpack("<Q", sent[-8:])[0] for sent in counted)
    assert totals == list(range(1, len(counted) + 1))  # and those that are stay counted once
