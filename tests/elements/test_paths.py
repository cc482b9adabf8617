# SPDX-License-Identifier: BSD-3-Clause
"""Paths: which elements a packet passes, by the port it came in by and a question to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from ftmb._native.check import NativeError
from ftmb._native.filters import FilterError, compile_filter
from ftmb.testing import Box
from tests.kit.building import build

BAD = Path(__file__).parent / "bad"
PORTS = ["inside", "outside", "dmz"]
SIDES = {"first": "inside", "second": "outside"}
FORWARD = ("forward", SIDES)
MONITOR = ("monitor", SIDES)
NAT = ("nat", {"inside": "inside", "outside": "outside", "external": ["203.0.113.1"]})


def path(ports: list[str], through: list[str], match: str | None = None) -> dict[str, Any]:
    program = None if match is None else compile_filter(match)
    return {"from": ports, "through": through, "match": match, "program": program}


def frame(packet: Packet) -> bytes:
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0800) / packet)


def udp(port: int) -> bytes:
    return frame(IP(src="10.0.0.5", dst="198.51.100.7") / UDP(sport=5000, dport=port) / b"data")


def tcp(port: int) -> bytes:
    return frame(IP(src="10.0.0.5", dst="198.51.100.7") / TCP(sport=5000, dport=port, flags="S"))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_question_decides(make_box: Callable[..., Box], workers: int) -> None:
    """DNS is translated, all else passes as it came: in one burst, in any mixture."""
    paths = [
        path(["inside"], ["forward", "nat"], "udp port 53"),
        path(["inside"], ["forward"]),
        path(["outside"], ["nat"]),
    ]
    box = make_box([FORWARD, NAT], PORTS, workers, paths=paths)
    for number in range(40):
        box.inject("inside", udp(53 if number % 3 else 54))
        box.inject("inside", tcp(53))
    released = [Ether(raw)[IP] for port, raw in box.run() if port == "outside"]
    assert len(released) == 80
    for packet in released:
        is_translated = UDP in packet and packet[UDP].dport == 53
        assert packet.src == ("203.0.113.1" if is_translated else "10.0.0.5")


def test_the_first_path_that_matches_is_taken(make_box: Callable[..., Box]) -> None:
    paths = [path(["inside"], ["forward"], "udp"), path(["inside"], ["nat"], "udp port 53")]
    box = make_box([FORWARD, NAT], PORTS, paths=paths)
    box.inject("inside", udp(53))
    ((_, raw),) = box.run()
    assert Ether(raw)[IP].src == "10.0.0.5"


def test_opposite_orders(make_box: Callable[..., Box]) -> None:
    """The firewall behind the NAT sees inside addresses both ways."""
    firewall = ("firewall", {"trusted": "inside", "untrusted": "outside",
                             "rules": ["allow udp 10.0.0.0/8 -> any"]})  # fmt: skip
    paths = [
        path(["inside"], ["firewall", "nat"]),
        path(["outside"], ["nat", "firewall"]),
    ]
    box = make_box([NAT, firewall], PORTS, 2, paths=paths)
    box.inject("inside", udp(53))
    ((port, raw),) = box.run()
    sent = Ether(raw)[IP]
    assert (port, sent.src) == ("outside", "203.0.113.1")
    back = IP(src=sent.dst, dst=sent.src) / UDP(sport=53, dport=sent.sport) / b"answer"
    box.inject("outside", frame(back))
    ((port, raw),) = box.run()
    assert (port, Ether(raw)[IP].dst) == ("inside", "10.0.0.5")
    assert box.drops() == {}


def test_what_has_no_path_is_dropped_and_counted(make_box: Callable[..., Box]) -> None:
    box = make_box([FORWARD], PORTS, paths=[path(["inside"], ["forward"], "tcp")])
    box.inject("inside", udp(53))
    box.inject("dmz", tcp(80))
    box.inject("inside", tcp(80))
    assert [port for port, _ in box.run()] == ["outside"]
    assert box.drops() == {"worker": {"no_path": 2}}


def test_what_an_element_of_a_path_drops_the_next_does_not_see(
    make_box: Callable[..., Box],
) -> None:
    box = make_box([NAT, FORWARD], PORTS, paths=[path(["outside"], ["nat", "forward"])])
    box.inject("outside", udp(53))
    assert box.run() == []
    assert sum(box.drops()["nat"].values()) == 1 and list(box.drops()) == ["nat"]


@pytest.mark.parametrize("through", [[0, 0], [7], []])
def test_a_path_that_cannot_be_is_refused(through: list[int]) -> None:
    names = ["forward", *(str(number) for number in range(1, 8))]
    paths = [path(["inside"], [names[place] for place in through])]
    with pytest.raises((NativeError, ValueError)):
        Box([FORWARD], PORTS, paths=paths)


@pytest.mark.parametrize("program", [[], [[0x06, 0, 0, 1]] * 5000, [[0x05, 0, 0, 100]]])
def test_a_program_that_does_not_end_well_is_refused(program: list[list[int]]) -> None:
    with pytest.raises(NativeError):
        Box([FORWARD], PORTS, paths=[{"from": ["inside"], "through": ["forward"],
                                      "match": "x", "program": program}])  # fmt: skip


@pytest.mark.parametrize("question", ["tpc port 80", "port", "udp\0"])
def test_what_is_no_question_says_so(question: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(question)


NOW = """
#include "bad.h"
static void process(struct ftmb_context *context, struct ftmb_packet **packets, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        stamp(context, packets[index], context->now_ns);
    }
}
BAD_ELEMENT();
"""


def test_time_does_not_go_back_from_one_path_to_the_next(tmp_path: Path) -> None:
    """Of one burst, the packet that came later by the path that is taken first."""
    (tmp_path / "now.c").write_text(NOW)
    element = build(tmp_path / "now.c", tmp_path / "now.so", f"-I{BAD}")
    paths = [path(["inside"], ["bad"]), path(["outside"], ["bad"])]
    with Box([(element, SIDES)], ["inside", "outside"], paths=paths) as box:
        box.run()
        box.master.hold()
        for port in ("outside", "inside"):
            box.pass_time(0.001)
            box.inject(port, udp(53))
            box.step()
        box.master.release()
        stamps = {port: int.from_bytes(raw[-8:], "little") for port, raw in box.run()}
    assert stamps["outside"] == stamps["inside"] > 0
