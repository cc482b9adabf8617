# SPDX-License-Identifier: BSD-3-Clause
"""Frames for measuring: 64 bytes on the wire (60 without the FCS), one UDP flow each, shuffled.

The order matters: flows met in the order in which they were created flatter every table.
"""

from __future__ import annotations

import numpy as np

FRAME_SIZE = 60
SHUFFLE_SEED = 20150817
PORTS_PER_HOST = 16


def _put16(frames: np.ndarray, offset: int, values: np.ndarray | int) -> None:
    numbers = np.asarray(values)
    frames[:, offset] = numbers >> 8
    frames[:, offset + 1] = numbers & 0xFF


def flows(count: int) -> bytearray:
    """`count` frames, each of a flow of its own from inside, in shuffled order."""
    number = np.random.default_rng(SHUFFLE_SEED).permutation(count)
    frames = np.zeros((count, FRAME_SIZE), dtype=np.uint8)
    frames[:, 0:6] = (2, 0, 0, 0, 0, 2)
    frames[:, 6:12] = (2, 0, 0, 0, 0, 1)
    _put16(frames, 12, 0x0800)
    frames[:, 14] = 0x45
    _put16(frames, 16, FRAME_SIZE - 14)
    frames[:, 22] = 64
    frames[:, 23] = 17
    host = number // PORTS_PER_HOST
    frames[:, 26:28] = (10, 1)
    frames[:, 28] = host >> 8
    frames[:, 29] = host & 0xFF
    frames[:, 30:34] = (192, 0, 2, 1)
    _put16(frames, 34, 1024 + number % PORTS_PER_HOST)
    _put16(frames, 36, 53)
    _put16(frames, 38, FRAME_SIZE - 34)
    words = frames[:, 14:34].astype(np.uint32)
    total = (words[:, 0::2] * 256 + words[:, 1::2]).sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    _put16(frames, 24, ~total & 0xFFFF)
    return bytearray(frames.tobytes())
