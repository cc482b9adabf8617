# SPDX-License-Identifier: BSD-3-Clause
"""Ports that end in a file: what elements report, a line of JSON each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ftmb._native.check import created, ffi, lib

BUFFER_SIZE = 16 << 20  # bytes that wait for the disk, before the port counts as busy


class JournalPort:
    """Appends to a file, in a thread of its own."""

    def __init__(self, path: Path, buffer_size: int = BUFFER_SIZE) -> None:
        error = ffi.new("int *")
        self.pointer = created(
            lib.journal_port_create(os.fsencode(path), buffer_size, error),
            error,
            f"opening {path}",
        )

    def base(self) -> Any:
        """What Logger.add_port takes."""
        return lib.journal_port_base(self.pointer)

    def fault(self) -> str | None:
        """Why the file does not take what is written; None: it does."""
        number = int(lib.journal_port_fault(self.pointer))
        return os.strerror(number) if number else None

    def close(self) -> None:
        """Once what is waiting is written, or the file does not take it."""
        if self.pointer is not None:
            lib.journal_port_destroy(self.pointer)
            self.pointer = None
