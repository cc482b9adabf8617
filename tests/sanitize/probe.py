# SPDX-License-Identifier: BSD-3-Clause
"""Breaks the rules on purpose, to see that a sanitizer says so; run by test_sanitized.py alone."""

from __future__ import annotations

import threading

from ftmb._native.check import ffi, lib
from ftmb._native.memory import MemoryPort


def test_address() -> None:
    short = ffi.new("uint8_t[]", bytes(12) + b"\x08\x00" + bytes(6))
    lib.steering_hash(short, 40)


def test_thread() -> None:
    port = MemoryPort(1 << 16)  # for one thread at a time
    frame = bytes(64)

    def push() -> None:
        for _ in range(3_000):
            lib.memory_port_push(port.pointer, frame, len(frame))

    threads = [threading.Thread(target=push) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
