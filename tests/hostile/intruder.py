# SPDX-License-Identifier: BSD-3-Clause
"""A process that was handed descriptors like a replica, and tries everything to write through them:
`intruder.py read-only|writable DESCRIPTOR`. Prints what succeeded, one a line; nothing else.

`writable` descriptors (output logs, a process's own page) are its to write, but not to resize.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
]  # fmt: skip
LIBC.mprotect.argtypes = LIBC.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
MAP_FAILED = ctypes.c_void_p(-1).value
PUNCH_HOLE_KEEP_SIZE = 3
MADV_REMOVE = 9
F_SEAL_WRITE = 8


def checked(result: int) -> int:
    if result in (-1, MAP_FAILED):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mapped(descriptor: int, protection: int) -> int:
    return checked(LIBC.mmap(None, 4096, protection, mmap.MAP_SHARED, descriptor, 0))


def poke(descriptor: int) -> None:
    """In a child, since it ends by SIGSEGV where it should."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        address = mapped(descriptor, mmap.PROT_READ)
        LIBC.madvise(address, 4096, 0)
        ctypes.memset(address, 0x55, 64)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV):
        return
    raise OSError("the kernel ended it")


def again(descriptor: int, flags: int = os.O_RDWR) -> int:
    """By its name, which root may open for writing."""
    return os.open(f"/proc/self/fd/{descriptor}", flags)


def resizing(descriptor: int) -> dict[str, Callable[[], object]]:
    size = os.fstat(descriptor).st_size
    return {
        "shrink": lambda: os.ftruncate(again(descriptor), 0),
        "grow": lambda: os.ftruncate(again(descriptor), size * 2),
        "truncate on opening": lambda: again(descriptor, os.O_RDWR | os.O_TRUNC),
        "append": lambda: os.pwrite(again(descriptor), b"x", size),
        "allocate more": lambda: os.posix_fallocate(again(descriptor), size, 4096),
    }


def writing(descriptor: int) -> dict[str, Callable[[], object]]:
    both = mmap.PROT_READ | mmap.PROT_WRITE
    return {
        "map writable": lambda: mapped(descriptor, both),
        "open again and map writable": lambda: mapped(again(descriptor), both),
        "make a mapping writable": lambda: checked(
            LIBC.mprotect(mapped(descriptor, mmap.PROT_READ), 4096, both)
        ),
        "open again and make a mapping writable": lambda: checked(
            LIBC.mprotect(mapped(again(descriptor), mmap.PROT_READ), 4096, both)
        ),
        "write": lambda: os.pwrite(descriptor, b"x", 0),
        "open again and write": lambda: os.pwrite(again(descriptor), b"x", 0),
        "punch a hole": lambda: checked(
            LIBC.fallocate(
                again(descriptor), PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(4096)
            )
        ),
        "take pages away": lambda: checked(
            LIBC.madvise(mapped(again(descriptor), mmap.PROT_READ), 4096, MADV_REMOVE)
        ),
        "write into a mapping": lambda: poke(descriptor),
        "open again and write into a mapping": lambda: poke(again(descriptor)),
        "stop its owner from writing": lambda: fcntl.fcntl(
            again(descriptor), fcntl.F_ADD_SEALS, F_SEAL_WRITE
        ),
    }


def main() -> None:
    descriptor = int(sys.argv[2])
    attempts = resizing(descriptor)
    if sys.argv[1] == "read-only":
        attempts |= writing(descriptor)
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        print(name)


if __name__ == "__main__":
    main()
