# SPDX-License-Identifier: BSD-3-Clause
"""The packet generator over ports in memory: what it sends, and what it makes of anything."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from ftmb._native.memory import MemoryPort
from ftmb._native.pktgen import Collector, End, Loop, Plan, Trace, Unreachable
from ftmb.pktgen.settings import Flows
from ftmb.pktgen.traffic import flow_table, in_order_of_sending, sizes_and_order

SENDER, RECEIVER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
SOURCES = ipaddress.IPv4Network("10.0.0.2/32")
TARGETS = ipaddress.IPv4Network("192.0.2.2/32")
INTERVAL_NS = 1000


class Bench:
    """A generator whose wire is the test itself."""

    def __init__(
        self,
        packets: int,
        *,
        flow_count: int = 7,
        frames: tuple[int, ...] | str = (64,),
        reply: bool = False,
        run: int = 1,
        trace: Trace | None = None,
    ) -> None:
        self.ports = MemoryPort(packets + 64), MemoryPort(packets + 64)
        ethernets = (SENDER, RECEIVER)
        self.ends = tuple(
            End(port.base(), ethernet) for port, ethernet in zip(self.ports, ethernets, strict=True)
        )
        flows = Flows(count=flow_count)
        table = flow_table(flows, SOURCES, TARGETS)
        sizes, size_order = sizes_and_order(frames, 1)
        plan = Plan(
            flows=in_order_of_sending(table, flows, packets),
            trace=trace,
            sizes=sizes,
            size_order=size_order,
            packets=packets,
            interval_ns=INTERVAL_NS,
            span_ns=packets * INTERVAL_NS,
            overtime_ns=10**12,
            source_ethernet=SENDER,
            next_hop_ethernet=RECEIVER,
            run=run,
        )
        self.loop = Loop(plan, *self.ends, "spin", 10**12)
        count = flow_count if trace is None else int(trace.flows.max()) + 1
        self.out = Collector(packets, count, 64)
        self.back = Collector(packets, count, 64) if reply else None
        self.loop.start(self.out, self.back)
        self.packets = packets

    def sent(self) -> list[bytes]:
        """All that is to be sent."""
        while self.loop.sent() < self.packets:
            self.loop.step()
        return drained(self.ports[0])

    def deliver(self, frames: list[bytes], to: int = 1) -> None:
        for first in range(0, len(frames), 32):
            for frame in frames[first : first + 32]:
                self.ports[to].push(frame)
            self.loop.step()

    def close(self) -> None:
        self.loop.finish()
        self.loop.close()
        for end, port in zip(self.ends, self.ports, strict=True):
            end.close()
            port.close()


def drained(port: MemoryPort) -> list[bytes]:
    return list(iter(port.pop, None))


@pytest.fixture
def bench() -> Iterator[Any]:
    made: list[Bench] = []

    def make(*arguments: Any, **options: Any) -> Bench:
        made.append(Bench(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_frames_are_right_in_every_field(bench: Any) -> None:
    frames = bench(4092, flow_count=50, frames="imix").sent()
    sizes = [len(frame) + 4 for frame in frames]
    assert {size: sizes.count(size) for size in set(sizes)} == {64: 2387, 594: 1364, 1518: 341}
    for frame in random.Random(1).sample(frames, 200):
        packet = Ether(frame)
        again = packet.copy()
        del again[IP].chksum, again[UDP].chksum, again[IP].len, again[UDP].len
        assert bytes(again) == frame
        assert (packet.src, packet.dst) == ("02:00:00:00:00:01", "02:00:00:00:00:02")
        assert (packet[IP].src, packet[IP].dst) == ("10.0.0.2", "192.0.2.2")
    ports = [Ether(frame)[UDP].sport for frame in frames[:50]]
    assert sorted(ports) == list(range(1024, 1074)) and ports != sorted(ports)


def test_what_arrives_whole_is_counted_once(bench: Any) -> None:
    run = bench(500)
    run.deliver(run.sent())
    assert (run.out.received, run.out.duplicated, run.out.corrupted) == (500, 0, 0)
    assert run.out.reordered == 0
    assert np.count_nonzero(run.out.latency_ns) == 500
    assert int(run.out.bins.sum()) == 500
    assert sorted(run.out.flows["received"].tolist()) == [71, 71, 71, 71, 72, 72, 72]


def test_losses_copies_and_changes_of_order_are_told_by_flow(bench: Any) -> None:
    run = bench(700)
    frames = run.sent()
    lost = frames.pop(100)
    frames.append(frames[10])
    moved = frames.pop(200)
    frames.insert(207, moved)  # behind the next one of its flow
    run.deliver(frames)
    flows = run.out.flows

    def flow_of(frame: bytes) -> int:
        return int(Ether(frame)[UDP].sport) - 1024

    assert (run.out.received, run.out.duplicated, run.out.reordered) == (699, 1, 1)
    assert flows["received"].sum() == 699 and flows["received"][flow_of(lost)] == 99
    assert np.flatnonzero(flows["duplicated"]).tolist() == [flow_of(frames[10])]
    assert np.flatnonzero(flows["reordered"]).tolist() == [flow_of(moved)]


@pytest.mark.parametrize("size", [64, 200])
def test_any_bit_that_changed_is_noticed(bench: Any, size: int) -> None:
    """But for the Ethernet header and what a router changes, each bit of the packet."""
    run = bench(1, flow_count=1, frames=(size,))
    (frame,) = run.sent()
    for place in range(14, len(frame)):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[place] ^= 1 << bit
            run.deliver([bytes(damaged)])
    counts = run.ends[1].counts()
    assert run.out.received == 0
    assert run.out.corrupted + counts["foreign"] + run.out.stale == (len(frame) - 14) * 8
    assert counts["foreign"] <= 5 * 8  # version, protocol, magic and what is in them
    assert run.out.flows["corrupted"][0] > 0


def test_cut_and_lengthened_packets_are_corrupted(bench: Any) -> None:
    run = bench(1, flow_count=1, frames=(400,))
    (frame,) = run.sent()
    run.deliver([frame[:length] for length in range(60, len(frame))])
    run.deliver([frame + b"\0"])
    assert (run.out.received, run.out.corrupted) == (0, len(frame) - 60 + 1)


def test_packets_of_another_run_are_stale(bench: Any) -> None:
    frames = bench(10, run=1).sent()
    later = bench(10, run=2)
    later.sent()
    later.deliver(frames)
    assert (later.out.received, later.out.stale) == (0, 10)


def test_what_was_never_sent_is_impossible(bench: Any) -> None:
    frames = bench(100).sent()
    fewer = bench(50)
    fewer.sent()
    fewer.deliver(frames)
    assert (fewer.out.received, fewer.out.impossible) == (50, 50)


def test_answers_swap_everything_and_are_counted(bench: Any) -> None:
    run = bench(100, reply=True, frames=(64, 300))
    frames = run.sent()
    run.deliver(frames)
    answers = drained(run.ports[1])
    assert len(answers) == 100
    for frame, answer in zip(frames, answers, strict=True):
        there, back = Ether(frame), Ether(answer)
        again = back.copy()
        del again[IP].chksum, again[UDP].chksum
        assert bytes(again) == answer
        assert (there.src, there.dst) == (back.dst, back.src)
        assert (there[IP].src, there[UDP].sport) == (back[IP].dst, back[UDP].dport)
        assert (there[IP].dst, there[UDP].dport) == (back[IP].src, back[UDP].sport)
    run.deliver(answers, to=0)
    assert run.back.received == 100
    run.deliver(answers, to=1)  # an answer is none of the receiving end's
    assert run.out.duplicated == 0


def test_an_end_answers_arp_and_finds_the_next_hop(bench: Any) -> None:
    run = bench(1)
    sender = run.ends[0]
    sender.add_address(ipaddress.IPv4Interface("10.0.0.2/24"))
    with pytest.raises(Unreachable, match="no address and no gateway"):
        sender.resolve(ipaddress.IPv4Address("192.0.2.2"), run.ends[1], 0.05)
    sender.set_gateway(ipaddress.IPv4Address("10.0.0.1"))
    with pytest.raises(Unreachable, match="nobody answers"):
        sender.resolve(ipaddress.IPv4Address("192.0.2.2"), run.ends[1], 0.05)
    (question,) = [Ether(frame) for frame in drained(run.ports[0]) if ARP in Ether(frame)]
    assert (question[ARP].pdst, question[ARP].psrc) == ("10.0.0.1", "10.0.0.2")
    gateway = "02:00:00:00:00:99"
    answer = Ether(src=gateway, dst="02:00:00:00:00:01") / ARP(
        op=2, hwsrc=gateway, psrc="10.0.0.1", hwdst="02:00:00:00:00:01", pdst="10.0.0.2"
    )
    run.ports[0].push(bytes(answer))
    found = sender.resolve(ipaddress.IPv4Address("192.0.2.2"), run.ends[1], 5)
    assert found.hex(":") == gateway
    run.ends[1].add_network(ipaddress.IPv4Network("192.0.2.0/30"))
    asked = Ether(src=gateway, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=1, hwsrc=gateway, psrc="192.0.2.1", pdst="192.0.2.3"
    )
    run.deliver([bytes(asked)])
    (said,) = [Ether(frame) for frame in drained(run.ports[1])]
    assert (said[ARP].psrc, said[ARP].hwsrc) == ("192.0.2.3", "02:00:00:00:00:02")


def test_packets_follow_a_box_that_takes_over(bench: Any) -> None:
    """As the next hop's address moves by a gratuitous ARP (RFC 5227) in the middle of a run."""
    run = bench(2000)
    sender = run.ends[0]
    sender.add_address(ipaddress.IPv4Interface("192.0.2.1/24"))

    def takes_over(ethernet: str) -> None:
        claim = ARP(op=1, hwsrc=ethernet, psrc="192.0.2.2", pdst="192.0.2.2")
        run.ports[0].push(bytes(Ether(src=ethernet, dst="ff:ff:ff:ff:ff:ff") / claim))

    with pytest.raises(Unreachable):
        sender.resolve(ipaddress.IPv4Address("192.0.2.2"), run.ends[1], 0.01)
    answer = ARP(
        op=2, hwsrc="02:00:00:00:00:02", psrc="192.0.2.2", hwdst=SENDER.hex(":"), pdst="192.0.2.1"
    )
    run.ports[0].push(bytes(Ether(src="02:00:00:00:00:02", dst=SENDER.hex(":")) / answer))
    sender.resolve(ipaddress.IPv4Address("192.0.2.2"), run.ends[1], 5)
    drained(run.ports[0])
    while run.loop.sent() < 32:
        run.loop.step()
    before = drained(run.ports[0])
    takes_over("02:00:00:00:00:77")
    run.loop.step()
    drained(run.ports[0])
    after = run.sent()
    assert {frame[:6] for frame in before} == {RECEIVER}
    assert {frame[:6].hex(":") for frame in after} == {"02:00:00:00:00:77"}


def trace_of(frames: list[bytes], patience_ns: int) -> Trace:
    lengths = np.array([len(frame) for frame in frames], dtype=np.uint16)
    return Trace(
        content=np.frombuffer(b"".join(frames), dtype=np.uint8).copy(),
        offsets=np.concatenate([[0], np.cumsum(lengths[:-1])]).astype(np.uint64),
        lengths=lengths,
        flows=np.zeros(len(frames), dtype=np.uint32),
        due_ns=np.arange(len(frames), dtype=np.uint64) * 10,
        round_ns=10 * len(frames),
        patience_ns=patience_ns,
        keep_ethernet=True,
    )


def translated(frame: bytes) -> bytes:
    """As a NAT would send it on."""
    packet = Ether(frame)
    packet.src, packet.dst = "02:00:00:00:00:09", "02:00:00:00:00:02"
    packet[IP].src, packet[IP].ttl = "198.51.100.1", packet[IP].ttl - 1
    packet[UDP].sport = 40000
    del packet[IP].chksum, packet[UDP].chksum
    return bytes(packet)


def udp(number: int, identification: int | None = None) -> bytes:
    identification = number if identification is None else identification
    return bytes(
        Ether(src="02:00:00:00:00:05", dst="02:00:00:00:00:02")
        / IP(src="10.0.0.2", dst="192.0.2.2", id=identification)
        / UDP(sport=1000 + number, dport=53)
        / bytes(number % 40)
    )


def test_a_capture_is_sent_as_it_is_and_known_behind_a_nat(bench: Any) -> None:
    frames = [udp(number) for number in range(300)]
    run = bench(600, trace=trace_of(frames, 10**12))
    sent = run.sent()
    assert sent == frames * 2
    assert run.loop.ambiguous() == 0
    arriving = [translated(frame) for frame in frames]
    run.deliver([frame for number, frame in enumerate(arriving) if number != 7])
    run.deliver(arriving)
    assert (run.out.received, run.out.duplicated) == (599, 0)
    run.deliver([*arriving[:3], translated(udp(5, identification=4711))])
    assert (run.out.received, run.out.duplicated) == (599, 3)
    assert run.ends[1].counts()["foreign"] == 1


def test_frames_alike_are_said_to_be(bench: Any) -> None:
    frames = [udp(1), udp(2), udp(1), udp(3), udp(1)]
    run = bench(5, trace=trace_of(frames, 10**12))
    assert run.loop.ambiguous() == 3
    run.sent()
    run.deliver([translated(frame) for frame in frames])
    run.deliver([translated(frames[0])])
    assert (run.out.received, run.out.duplicated) == (5, 1)


def test_a_rewritten_payload_is_noticed_though_its_checksum_is_right(bench: Any) -> None:
    run = bench(1, flow_count=1, frames=(200,))
    (frame,) = run.sent()
    packet = Ether(frame[:-2] + frame[-1:] + frame[-2:-1])
    del packet[UDP].chksum
    run.deliver([bytes(packet)])
    assert (run.out.received, run.out.corrupted) == (0, 1)
