# SPDX-License-Identifier: BSD-3-Clause
"""Ports in memory: for tests, and generators of traffic for benchmarks without a NIC."""

from __future__ import annotations

import errno
from mmap import mmap
from typing import Any

from ftmb._native.check import NativeError, check, ffi, lib

FRAME_SIZE_MAX: int = lib.FTMB_FRAME_SIZE_MAX


class MemoryPort:
    """Frames are pushed in and popped out by the program itself."""

    def __init__(self, capacity: int = 4096) -> None:
        self.pointer = lib.memory_port_create(capacity)
        if self.pointer == ffi.NULL:
            raise NativeError(-errno.ENOMEM, "making a port in memory")
        self._buffer = ffi.new("uint8_t[]", FRAME_SIZE_MAX)

    def base(self) -> Any:
        """What Logger.add_port takes."""
        return lib.memory_port_base(self.pointer)

    def push(self, frame: bytes) -> None:
        """Queues a frame for the input logger."""
        if len(frame) > FRAME_SIZE_MAX:
            raise ValueError(f"a frame has at most {FRAME_SIZE_MAX} bytes, not {len(frame)}")
        check(lib.memory_port_push(self.pointer, frame, len(frame)), "pushing a frame")

    def pop(self) -> bytes | None:
        """The next frame that was sent, if there is one."""
        length = lib.memory_port_pop(self.pointer, self._buffer)
        return bytes(ffi.buffer(self._buffer, length)) if length else None

    def close(self) -> None:
        if self.pointer is not None:
            lib.memory_port_destroy(self.pointer)
            self.pointer = None


class GeneratorPort:
    """A source of traffic, and a sink that measures how long frames were on their way.

    `frames` holds frames of `length` bytes in a row, sent round and round. Without an interval
    they come as fast as they are taken; with one, each is due at its time, however late it is
    taken (open loop), and carries that time in its last 8 bytes.
    """

    def __init__(self, frames: bytearray | mmap, length: int, samples: Any = None) -> None:
        count = len(frames) // length if length else 0
        self._frames = ffi.from_buffer("uint8_t[]", frames)
        self._samples = ffi.NULL if samples is None else ffi.from_buffer("uint32_t[]", samples)
        samples_max = 0 if samples is None else len(samples)
        self.pointer = lib.generator_port_create(
            self._frames, count, length, self._samples, samples_max
        )
        if self.pointer == ffi.NULL:
            raise NativeError(-errno.ENOMEM, "making a generator port")

    def base(self) -> Any:
        """What Logger.add_port takes."""
        return lib.generator_port_base(self.pointer)

    def send(self, total: int, interval_ns: int = 0) -> None:
        """Starts sending `total` frames."""
        lib.generator_port_send(self.pointer, total, interval_ns)

    def set_lengths(self, lengths: Any) -> None:
        """An array of 16-bit numbers, one for each frame, of which each is in `length` bytes."""
        self._lengths = ffi.from_buffer("uint16_t[]", lengths)
        lib.generator_port_set_lengths(self.pointer, self._lengths)

    def set_window(self, sink: GeneratorPort | None, window: int = 0) -> None:
        """No more than `window` frames on their way to `sink`; None: as many as there come."""
        lib.generator_port_set_window(self.pointer, sink.pointer if sink else ffi.NULL, window)

    def left(self) -> int:
        """Frames still to be sent."""
        return int(lib.generator_port_left(self.pointer))

    def samples(self) -> int:
        """How many times were taken at this port, in nanoseconds, into `samples`."""
        return int(lib.generator_port_samples(self.pointer))

    def discard_samples(self) -> None:
        """What was measured up to here does not count; nothing may be on its way."""
        lib.generator_port_discard_samples(self.pointer)

    def close(self) -> None:
        if self.pointer is not None:
            lib.generator_port_destroy(self.pointer)
            self.pointer = None


def cycles() -> int:
    """The cycle counter that busy_cycles are counted in."""
    return int(lib.cycles_now())
