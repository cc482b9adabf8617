# SPDX-License-Identifier: BSD-3-Clause
"""Captures for a replay: pcap and pcapng files, read by scapy."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ftmb._native.pktgen import FLOW, Trace
from ftmb.errors import PktgenError

ETHERNET = 1  # the link type
FRAME_MIN, FRAME_MAX = 14, 1514
SIZE_MAX = 1 << 30
FILE_HEADER, PACKET_HEADER = 24, 16  # of a pcap
PROTOCOLS_WITH_PORTS = (6, 17)


@dataclass(frozen=True)
class Capture:
    """Frames of a file, in its order; `due_ns` never falls and begins with 0."""

    frames: tuple[bytes, ...]
    due_ns: np.ndarray
    flows: np.ndarray  # frames of one direction of one connection have one number

    @property
    def flow_count(self) -> int:
        return int(self.flows.max()) + 1


def read(path: str) -> Capture:
    """Raises PktgenError for whatever cannot be sent as it was."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    from scapy.error import Scapy_Exception
    from scapy.utils import RawPcapNgReader, RawPcapReader

    def refuse(reason: str) -> PktgenError:
        return PktgenError(f"{path}: {reason}")

    try:
        if Path(path).stat().st_size > SIZE_MAX:
            raise refuse(f"a capture of more than {SIZE_MAX >> 20} MiB: cut it with editcap -c")
        with RawPcapReader(path) as reader:
            is_pcapng = isinstance(reader, RawPcapNgReader)
            if not is_pcapng and reader.linktype != ETHERNET:
                raise refuse(f"its link type is {reader.linktype}; Ethernet (1) is needed")
            frames: list[bytes] = []
            times: list[int] = []
            for content, about in reader:
                frames.append(_frame(content, about, len(frames) + 1, refuse))
                times.append(_time_ns(about, getattr(reader, "nano", False)))
            whole = FILE_HEADER + sum(PACKET_HEADER + len(frame) for frame in frames)
            if not is_pcapng and whole != Path(path).stat().st_size:
                raise refuse(f"it ends in the middle of packet {len(frames) + 1}")
    except FileNotFoundError:
        raise refuse("there is no such file") from None
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}") from None
    except (Scapy_Exception, EOFError) as error:
        raise refuse(f"this is not a capture (pcap or pcapng): {error}") from None
    if not frames:
        raise refuse("there is no packet in it")
    due = np.maximum.accumulate(np.array(times, dtype=np.int64) - times[0])
    return Capture(tuple(frames), np.maximum(due, 0).astype(np.uint64), _flow_numbers(frames))


def _frame(content: bytes, about: Any, number: int, refuse: Any) -> bytes:
    if getattr(about, "linktype", ETHERNET) not in (ETHERNET, None):
        raise refuse(f"packet {number}: its link type is {about.linktype}; Ethernet (1) is needed")
    captured = getattr(about, "caplen", None) or len(content)
    if len(content) < captured:
        raise refuse(f"it ends in the middle of packet {number}")
    if about.wirelen is not None and about.wirelen > len(content):
        raise refuse(
            f"packet {number}: only {len(content)} of its {about.wirelen} bytes were captured: "
            "capture without a limit (tcpdump -s 0)"
        )
    if not FRAME_MIN <= len(content) <= FRAME_MAX:
        raise refuse(
            f"packet {number}: {len(content)} bytes; a frame has {FRAME_MIN} to {FRAME_MAX}: "
            "capture with the interface's segmentation offloads off"
        )
    return content


def _time_ns(about: Any, is_nano: bool) -> int:
    """pcap has seconds and a fraction, pcapng one number in units of its own resolution."""
    if hasattr(about, "sec"):
        return int(about.sec) * 1_000_000_000 + int(about.usec) * (1 if is_nano else 1000)
    if about.tshigh is None:
        return 0
    ticks = int(about.tshigh) << 32 | int(about.tslow)
    return ticks * 1_000_000_000 // int(about.tsresol)


def _flow_numbers(frames: list[bytes]) -> np.ndarray:
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(_flow_of(frame), len(known)) for frame in frames], np.uint32)


def _flow_of(frame: bytes) -> bytes:
    """Addresses, protocol and ports of IPv4; other frames by their Ethernet type."""
    if frame[12:14] != b"\x08\x00" or len(frame) < 34:
        return frame[12:14]
    at = 14 + (frame[14] & 15) * 4
    later = (frame[20] & 0x1F) or frame[21]
    ports = frame[at : at + 4] if frame[23] in PROTOCOLS_WITH_PORTS and not later else b""
    return frame[26:34] + frame[23:24] + ports


def trace_of(
    capture: Capture,
    *,
    due_ns: np.ndarray | None,
    round_ns: int,
    patience_ns: int,
    keep_ethernet: bool,
) -> Trace:
    """What is sent."""
    lengths = np.array([len(frame) for frame in capture.frames], dtype=np.uint16)
    offsets = np.zeros(len(lengths), dtype=np.uint64)
    offsets[1:] = np.cumsum(lengths[:-1], dtype=np.uint64)
    return Trace(
        content=np.frombuffer(b"".join(capture.frames), dtype=np.uint8).copy(),
        offsets=offsets,
        lengths=lengths,
        flows=capture.flows,
        due_ns=due_ns,
        round_ns=round_ns,
        patience_ns=patience_ns,
        keep_ethernet=keep_ethernet,
    )


def flows_in_order(capture: Capture) -> np.ndarray:
    """The flow of each packet of a round, as a table of flows in the order of sending."""
    table = np.zeros(len(capture.flows), dtype=FLOW)
    table["number"] = capture.flows
    return table
