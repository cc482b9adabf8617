# SPDX-License-Identifier: BSD-3-Clause
"""Ports in memory: for tests, and for benchmarks without a NIC."""

from __future__ import annotations

import errno
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
        self._replayed: Any = None

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

    def replay(self, frames: bytes, length: int, total: int) -> None:
        """Delivers frames of `length` bytes, lying in a row, in rounds until `total`."""
        self._replayed = ffi.from_buffer("uint8_t[]", frames)
        lib.memory_port_replay(self.pointer, self._replayed, len(frames) // length, length, total)

    def close(self) -> None:
        if self.pointer is not None:
            lib.memory_port_destroy(self.pointer)
            self.pointer = None
