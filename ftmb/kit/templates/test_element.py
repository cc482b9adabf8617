# SPDX-License-Identifier: BSD-3-Clause
"""sample: what it lets through, drops and counts, also over failovers.

`make_box` runs every test twice, plainly and with a failover before every run, and compares the
state of master and standby whenever all is quiet.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from ftmb.testing import Box

ELEMENT = Path(__file__).parent / "sample.so"
PORTS = ["left", "right"]
OPTIONS = {"first": "left", "second": "right", "bytes_max": 200}
FLOWS = 40
ETHERNET = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def frame(flow: int, payload: int = 32) -> bytes:
    """Flows are spread over the workers."""
    addresses = IP(src=f"10.0.0.{flow + 1}", dst="192.0.2.1")
    return bytes(ETHERNET / addresses / UDP(sport=1000 + flow, dport=53) / bytes(payload))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_all_workers_count_together(make_box: Callable[..., Box], workers: int) -> None:
    box = make_box([(ELEMENT, OPTIONS)], PORTS, workers)
    sent = [frame(flow) for flow in range(FLOWS)]
    for _ in range(3):
        for one in sent:
            box.inject("left", one)
        assert sorted(box.run()) == sorted(("right", one) for one in sent)
    (totals,) = box.table("sample", "totals")
    assert totals["packets"] == 3 * FLOWS
    assert totals["bytes"] == 3 * sum(len(one) for one in sent)


def test_the_other_way_as_well(make_box: Callable[..., Box]) -> None:
    box = make_box([(ELEMENT, OPTIONS)], PORTS)
    box.inject("right", frame(1))
    assert box.run() == [("left", frame(1))]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_too_long_is_dropped_and_counted(
    make_box: Callable[..., Box], workers: int
) -> None:
    box = make_box([(ELEMENT, OPTIONS)], PORTS, workers)
    for flow in range(FLOWS):
        box.inject("left", frame(flow, payload=200))
    assert box.run() == []
    assert box.drops() == {"sample": {"too_long": FLOWS}}


def test_a_bound_that_no_frame_can_have_is_refused(make_box: Callable[..., Box]) -> None:
    with pytest.raises(ValueError, match="bytes_max is 9000, but must be from 60 to 2048"):
        make_box([(ELEMENT, {**OPTIONS, "bytes_max": 9000})], PORTS)
