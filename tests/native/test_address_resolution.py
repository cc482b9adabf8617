# SPDX-License-Identifier: BSD-3-Clause
"""ARP at the ports: answers, questions, waiting frames and their end."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from ftmb._native.check import ffi, lib

OWN = "02:00:00:00:00:01"
PEER = "02:00:00:00:00:02"
SECOND = 1_000_000_000


def number(address: str) -> int:
    return int.from_bytes(ipaddress.IPv4Address(address).packed, "little")


@pytest.fixture
def resolution() -> Any:
    made = ffi.new("struct resolution *")
    assert lib.resolution_init(made, bytes.fromhex(OWN.replace(":", ""))) == 0
    assert lib.resolution_add_address(made, number("192.0.2.1"), number("255.255.255.0")) == 0
    yield made
    lib.resolution_release(made)


def receive(resolution: Any, frame: bytes, now: int = SECOND) -> Ether | None:
    answer = ffi.new("uint8_t[]", 42)
    due = lib.resolution_receive(resolution, frame, len(frame), now, answer)
    return Ether(bytes(ffi.buffer(answer))) if due else None


def prepare(resolution: Any, frame: bytes, now: int = SECOND) -> tuple[int, bytes, Ether | None]:
    memory = ffi.new("uint8_t[]", frame)
    request, has_request = ffi.new("uint8_t[]", 42), ffi.new("bool *")
    verdict = lib.resolution_prepare(resolution, memory, len(frame), now, request, has_request)
    sent = bytes(ffi.buffer(memory, len(frame)))
    return verdict, sent, Ether(bytes(ffi.buffer(request))) if has_request[0] else None


def packet(destination: str, mark: int = 0) -> bytes:
    ip = IP(src="192.0.2.1", dst=destination) / UDP(sport=mark, dport=9)
    return bytes(Ether(src="00:00:00:00:00:00", dst="00:00:00:00:00:00", type=0x0800) / ip)


def reply(address: str = "192.0.2.2") -> bytes:
    arp = ARP(op=2, hwsrc=PEER, psrc=address, hwdst=OWN, pdst="192.0.2.1")
    return bytes(Ether(src=PEER, dst=OWN, type=0x0806) / arp)


def request_for(address: str) -> bytes:
    arp = ARP(op=1, hwsrc=PEER, psrc="192.0.2.2", pdst=address)
    return bytes(Ether(src=PEER, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / arp)


def test_a_request_for_an_own_address_is_answered(resolution: Any) -> None:
    answer = receive(resolution, request_for("192.0.2.1"))
    assert answer is not None
    assert (answer.dst, answer.src) == (PEER, OWN)
    assert (answer[ARP].op, answer[ARP].psrc, answer[ARP].hwsrc) == (2, "192.0.2.1", OWN)


def test_a_request_for_another_address_is_not(resolution: Any) -> None:
    assert receive(resolution, request_for("192.0.2.9")) is None


def test_networks_that_it_answers_for_are_answered(resolution: Any) -> None:
    lib.resolution_add_answered(resolution, number("203.0.113.8"), number("255.255.255.248"))
    answer = receive(resolution, request_for("203.0.113.15"))
    assert answer is not None and answer[ARP].psrc == "203.0.113.15"
    assert receive(resolution, request_for("203.0.113.16")) is None


def test_a_frame_waits_for_the_answer_and_then_leaves(resolution: Any) -> None:
    verdict, _, request = prepare(resolution, packet("192.0.2.2"))
    assert verdict == lib.RESOLUTION_WAIT
    assert request is not None and request[ARP].pdst == "192.0.2.2"
    receive(resolution, reply())
    ready = lib.resolution_next_ready(resolution, SECOND)
    sent = Ether(bytes(ffi.buffer(ready.bytes, ready.length)))
    assert (sent.dst, sent.src, sent[IP].dst) == (PEER, OWN, "192.0.2.2")
    assert lib.resolution_next_ready(resolution, SECOND) == ffi.NULL
    assert prepare(resolution, packet("192.0.2.2"))[0] == lib.RESOLUTION_SEND


def test_frames_that_waited_leave_in_order(resolution: Any) -> None:
    for mark in range(10):
        prepare(resolution, packet("192.0.2.2", mark))
    receive(resolution, reply())
    marks = []
    while (ready := lib.resolution_next_ready(resolution, SECOND)) != ffi.NULL:
        marks.append(Ether(bytes(ffi.buffer(ready.bytes, ready.length)))[UDP].sport)
    assert marks == list(range(10))


def test_it_does_not_ask_for_every_frame(resolution: Any) -> None:
    requests = [prepare(resolution, packet("192.0.2.2"))[2] for _ in range(20)]
    assert sum(request is not None for request in requests) == 1
    assert prepare(resolution, packet("192.0.2.2"), 2 * SECOND)[2] is not None


def test_it_asks_again_while_a_frame_waits(resolution: Any) -> None:
    """A question or its answer may be lost, with no further packet to remind of it."""
    request = ffi.new("uint8_t[]", 42)
    assert not lib.resolution_ask_again(resolution, SECOND, request)
    prepare(resolution, packet("192.0.2.2"))
    assert not lib.resolution_ask_again(resolution, SECOND + 1000, request)
    assert lib.resolution_ask_again(resolution, 2 * SECOND, request)
    assert Ether(bytes(ffi.buffer(request)))[ARP].pdst == "192.0.2.2"
    receive(resolution, reply())
    assert not lib.resolution_ask_again(resolution, 3 * SECOND, request)


def test_waiting_is_bounded_in_number_and_time(resolution: Any) -> None:
    verdicts = [prepare(resolution, packet("192.0.2.2"))[0] for _ in range(300)]
    assert verdicts.count(lib.RESOLUTION_WAIT) == 256
    assert verdicts.count(lib.RESOLUTION_GIVE_UP) == 44
    assert lib.resolution_next_ready(resolution, 10 * SECOND) == ffi.NULL
    assert (resolution.waiting_count, resolution.given_up) == (0, 256)


def test_what_is_not_on_the_link_goes_to_the_gateway(resolution: Any) -> None:
    assert prepare(resolution, packet("198.51.100.7"))[0] == lib.RESOLUTION_GIVE_UP
    resolution.gateway = number("192.0.2.254")
    _, _, request = prepare(resolution, packet("198.51.100.7"))
    assert request is not None and request[ARP].pdst == "192.0.2.254"


def test_a_stranger_teaches_nothing(resolution: Any) -> None:
    """A gratuitous answer, not asked for and not to us, fills no table."""
    arp = ARP(op=2, hwsrc=PEER, psrc="192.0.2.2", hwdst=PEER, pdst="192.0.2.2")
    receive(resolution, bytes(Ether(src=PEER, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / arp))
    assert prepare(resolution, packet("192.0.2.2"))[0] == lib.RESOLUTION_WAIT


def test_a_neighbour_that_moved_is_followed(resolution: Any) -> None:
    """A gateway's failover tells so by a gratuitous request, to nobody in particular."""
    prepare(resolution, packet("192.0.2.2"))
    receive(resolution, reply())
    moved = ARP(op=1, hwsrc="02:00:00:00:00:09", psrc="192.0.2.2", pdst="192.0.2.2")
    receive(resolution, bytes(Ether(src=PEER, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / moved))
    while lib.resolution_next_ready(resolution, SECOND) != ffi.NULL:
        pass
    _, sent, _ = prepare(resolution, packet("192.0.2.2"))
    assert Ether(sent).dst == "02:00:00:00:00:09"


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=14, max_size=80))
def test_any_bytes_are_survived(raw: bytes) -> None:
    made = ffi.new("struct resolution *")
    lib.resolution_init(made, bytes(6))
    receive(made, raw)
    prepare(made, raw)
    lib.resolution_release(made)
