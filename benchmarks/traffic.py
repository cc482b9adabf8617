# SPDX-License-Identifier: BSD-3-Clause
"""Frames for measuring, one UDP flow each, in shuffled order.

The order matters: flows met in the order in which they were created flatter every table. Sizes are
named as they are on the wire; a frame in memory has no FCS, so it is 4 bytes shorter.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np

FCS_SIZE = 4
FRAME_SIZE = 64 - FCS_SIZE
SHUFFLE_SEED = 20150817
PORTS_PER_HOST = 16
FLOWS_MAX = PORTS_PER_HOST << 24
CHUNK = 1 << 18  # frames made at a time, so that what they are made of stays small
PAYLOADS = ("zero", "repeated", "new")
PAYLOADS_REPEATED = 64  # payloads that come again and again
HEADERS_SIZE = 42
IMIX = ((64, 7), (594, 4), (1518, 1))  # bytes on the wire and how many of them in twelve


@dataclass(frozen=True)
class Traffic:
    """`frames` in a row, `stride` bytes each, of which `lengths` (None: all) are sent."""

    frames: mmap.mmap
    stride: int
    lengths: np.ndarray | None = None

    @property
    def count(self) -> int:
        return len(self.frames) // self.stride

    @property
    def mean_size(self) -> float:
        """Bytes of a frame in memory."""
        return float(self.stride if self.lengths is None else self.lengths.mean())


def untouched_by_fork(size: int) -> mmap.mmap:
    """Memory that a snapshot's child does not get: it is the benchmark's, no replica's."""
    memory = mmap.mmap(-1, size)
    memory.madvise(mmap.MADV_DONTFORK)
    return memory


def _put16(frames: np.ndarray, offset: int, values: np.ndarray | int) -> None:
    numbers = np.asarray(values)
    frames[:, offset] = numbers >> 8
    frames[:, offset + 1] = numbers & 0xFF


def _write(frames: np.ndarray, number: np.ndarray, sizes: np.ndarray) -> None:
    """Headers of Ethernet, IPv4 and UDP: flow `number` has a source address and port of its own."""
    frames[:, 0:6] = (2, 0, 0, 0, 0, 2)
    frames[:, 6:12] = (2, 0, 0, 0, 0, 1)
    _put16(frames, 12, 0x0800)
    frames[:, 14] = 0x45
    _put16(frames, 16, sizes - 14)
    frames[:, 22] = 64
    frames[:, 23] = 17
    host = number // PORTS_PER_HOST + (1 << 16)
    frames[:, 26] = 10
    frames[:, 27] = host >> 16
    frames[:, 28] = host >> 8 & 0xFF
    frames[:, 29] = host & 0xFF
    frames[:, 30:34] = (192, 0, 2, 1)
    _put16(frames, 34, 1024 + number % PORTS_PER_HOST)
    _put16(frames, 36, 53)
    _put16(frames, 38, sizes - 34)
    words = frames[:, 14:34].astype(np.uint32)
    total = (words[:, 0::2] * 256 + words[:, 1::2]).sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    _put16(frames, 24, ~total & 0xFFFF)


def _make(count: int, stride: int, sizes: np.ndarray | None) -> mmap.mmap:
    if not 0 < count <= FLOWS_MAX - (PORTS_PER_HOST << 16):
        raise ValueError(f"there are {FLOWS_MAX - (PORTS_PER_HOST << 16):,} flows at most")
    number = np.random.default_rng(SHUFFLE_SEED).permutation(np.arange(count, dtype=np.uint32))
    memory = untouched_by_fork(count * stride)
    frames = np.frombuffer(memory, dtype=np.uint8).reshape(count, stride)
    for start in range(0, count, CHUNK):
        end = min(start + CHUNK, count)
        every = sizes[start:end].astype(np.int64) if sizes is not None else np.array(stride)
        _write(frames[start:end], number[start:end].astype(np.int64), every)
    return memory


def flows(count: int) -> Traffic:
    """`count` frames of 64 bytes on the wire, each of a flow of its own from inside."""
    return Traffic(_make(count, FRAME_SIZE, None), FRAME_SIZE)


def sized_flows(count: int, size: int, payload: str = "zero") -> Traffic:
    """The same with frames of `size` bytes on the wire; `payload` is one of PAYLOADS."""
    stride = size - FCS_SIZE
    memory = _make(count, stride, None)
    if payload != "zero":
        frames = np.frombuffer(memory, dtype=np.uint8).reshape(count, stride)
        generator = np.random.default_rng(SHUFFLE_SEED + 2)
        kinds = count if payload == "new" else min(count, PAYLOADS_REPEATED)
        drawn = generator.integers(0, 256, (kinds, stride - HEADERS_SIZE), dtype=np.uint8)
        frames[:, HEADERS_SIZE:] = drawn[np.arange(count) % kinds]
    return Traffic(memory, stride)


def imix_flows(count: int) -> Traffic:
    """The same with the simple Internet mix: 7 of 64, 4 of 594 and 1 of 1,518 bytes."""
    weights = np.array([weight for _, weight in IMIX]) / sum(weight for _, weight in IMIX)
    generator: Any = np.random.default_rng(SHUFFLE_SEED + 1)
    sizes = np.array([size - FCS_SIZE for size, _ in IMIX], dtype=np.uint16)
    lengths = generator.choice(sizes, size=count, p=weights)
    stride = int(sizes.max())
    return Traffic(_make(count, stride, lengths), stride, lengths)
