# SPDX-License-Identifier: BSD-3-Clause
"""Captures: what is sent is what is in them, and what cannot be sent is refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter, PcapWriter, wrpcap

from ftmb import pktgen
from ftmb.errors import PktgenError
from ftmb.lab import Host, Lab, namespaces
from ftmb.pktgen.capture import read
from tests.pktgen.relay import opened

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
Make = Callable[..., pktgen.Settings]
SPACING_S = 0.001


def packets() -> list[Ether]:
    """To the lab's server and to nobody; each half a millisecond after the one before."""
    made = []
    for number in range(200):
        head = Ether(src="02:00:00:00:00:11", dst="02:00:00:00:00:22")
        head /= IP(src="10.77.0.2", dst="198.51.100.2", id=number)
        body = bytes(number % 256 for number in range(number * 7 % 1400))
        kinds = (
            UDP(sport=2000 + number % 9, dport=53) / body,
            TCP(sport=3000 + number % 5, dport=80, seq=number) / body,
            ICMP(id=77, seq=number) / body,
        )
        made.append(head / kinds[number % 3])
        made[-1].time = 1_000_000 + number * SPACING_S
    return made


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "trace.pcap"
    wrpcap(str(path), packets())
    return path


@pytest.fixture
def seen(lab: Lab) -> Iterator[Callable[[], list[bytes]]]:
    """IPv4 frames that come to the box's inner interface."""
    port: socket.socket = namespaces.call(lab.namespace(Host.BOX), lambda: opened("inside"))
    port.setblocking(False)

    def frames() -> list[bytes]:
        found = []
        while True:
            try:
                found.append(port.recv(2048))
            except BlockingIOError:
                return [frame for frame in found if frame[12:14] == b"\x08\x00"]

    yield frames
    port.close()


@as_root
@pytest.mark.parametrize("keep", [True, False])
def test_a_replay_is_the_capture_byte_for_byte(
    bridged: Make, relay: Any, seen: Any, capture: Path, keep: bool
) -> None:
    relay()
    replay = {"file": str(capture), "keep_ethernet": keep, "loops": 2}
    (trial,) = pktgen.run(bridged(kind="replay", replay=replay)).trials
    frames = [bytes(packet) for packet in packets()] * 2
    sent = seen()
    behind = 0 if keep else 12
    assert [frame[behind:] for frame in sent] == [frame[behind:] for frame in frames]
    assert (trial.sent, trial.out.received, trial.out.lost) == (400, 400, 0)
    assert (trial.ambiguous, trial.out.duplicated, trial.out.reordered) == (0, 0, 0)
    assert trial.out.latency is not None and trial.out.latency.count == 400


@as_root
def test_a_replay_through_a_router_is_known_again(
    routed: Lab, settings: Make, capture: Path
) -> None:
    replay = {"file": str(capture), "timing": "rate"}
    (trial,) = pktgen.run(settings(kind="replay", replay=replay, rates=(2000,))).trials
    assert (trial.rate_pps, trial.out.received, trial.out.lost) == (2000, 200, 0)


@as_root
def test_its_own_timing_and_a_speed(bridged: Make, relay: Any, capture: Path) -> None:
    """When packets are due, not when they arrive: 200 ms of capture, at half the speed."""
    end = relay("--drop", "4")
    replay = {"file": str(capture), "speed": 0.5}
    (trial,) = pktgen.run(bridged(kind="replay", replay=replay)).trials
    assert trial.rate_pps == pytest.approx(1 / SPACING_S / 2, rel=0.01)
    assert trial.out.last_ns is not None and trial.out.last_ns >= 199 * SPACING_S * 2 * 1e9 * 0.97
    assert trial.out.lost == end()["drop"] > 0


def test_flows_and_times_of_a_capture(capture: Path) -> None:
    found = read(str(capture))
    assert list(found.frames) == [bytes(packet) for packet in packets()]
    assert found.due_ns[0] == 0
    assert found.due_ns[-1] == pytest.approx(199 * SPACING_S * 1e9, abs=1000)
    assert found.flow_count == 3 + 5 + 1


def test_pcapng_and_nanoseconds(tmp_path: Path) -> None:
    ours = packets()
    with PcapNgWriter(str(tmp_path / "a.pcapng")) as writer:
        writer.write(ours)
    with PcapWriter(str(tmp_path / "b.pcap"), nano=True) as writer:
        writer.write(ours)
    for name in ("a.pcapng", "b.pcap"):
        found = read(str(tmp_path / name))
        assert list(found.frames) == [bytes(packet) for packet in ours], name
        assert found.due_ns[-1] == pytest.approx(199 * SPACING_S * 1e9, abs=1000), name


def bad_captures(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    ours = packets()
    good = tmp_path / "good.pcap"
    wrpcap(str(good), ours)
    content = good.read_bytes()
    cases = {
        "text": (b"kind = 'replay'\n" * 10, "not a capture"),
        "nothing": (b"", "not a capture"),
        "no-packets": (content[:24], "no packet in it"),
        "cut-body": (content[:-3], "ends in the middle of packet 200"),
        "cut-head": (content[: 24 + 7], "ends in the middle of packet 1"),
        "raw-ip": (content[:20] + (101).to_bytes(4, "little") + content[24:], "link type is 101"),
        "snapped": (content[:36] + (900).to_bytes(4, "little") + content[40:], "of its 900 bytes"),
    }
    for name, (changed, message) in cases.items():
        (tmp_path / name).write_bytes(changed)
        yield tmp_path / name, message
    wrpcap(str(tmp_path / "long"), [Ether() / IP() / UDP() / bytes(3000)])
    yield tmp_path / "long", "packet 1: 3042 bytes"
    yield tmp_path / "missing", "no such file"
    yield tmp_path, "cannot be read"


def test_bad_captures_are_refused_with_the_reason(tmp_path: Path) -> None:
    count = 0
    for path, message in bad_captures(tmp_path):
        with pytest.raises(PktgenError, match=message) as refused:
            read(str(path))
        assert str(path) in str(refused.value)
        count += 1
    assert count == 10
