# SPDX-License-Identifier: BSD-3-Clause
"""Return codes of the C libraries as exceptions."""

from __future__ import annotations

import errno
import os
from typing import Any

from ftmb._native._core import ffi, lib  # type: ignore[import-not-found]


class NativeError(OSError):
    """A C function failed; `errno` says how, the message what was being done."""

    def __init__(self, code: int, doing: str) -> None:
        number = abs(code)
        super().__init__(number, f"{doing}: {os.strerror(number)}")


def check(code: int, doing: str) -> int:
    """`code` if it is no error, else NativeError."""
    if code < 0:
        raise NativeError(code, doing)
    return code


def created(pointer: Any, error: Any, doing: str) -> Any:
    """A pointer that a constructor returned, with its error in `error[0]`."""
    if pointer == ffi.NULL:
        raise NativeError(error[0] or -errno.ENOMEM, doing)
    return pointer


def text(pointer: Any) -> str:
    """A C string, or '' for NULL. A message may have been cut in the middle of a character."""
    return "" if pointer == ffi.NULL else bytes(ffi.string(pointer)).decode(errors="replace")


__all__ = ["NativeError", "check", "created", "ffi", "lib", "text"]
