# SPDX-License-Identifier: BSD-3-Clause
"""The master process of a real box, with somebody else at its hands: the memory that it may write,
by its own descriptors under /proc, and its own end of the socket, by pidfd_getfd(2)."""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_PIDFD_GETFD = 438
WRITTEN_OFFSET = 64


class Possessed:
    """Does what a master gone mad could do, while that master goes on."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def _descriptors(self, prefix: str) -> list[Path]:
        found = []
        for path in sorted(Path(f"/proc/{self.pid}/fd").iterdir(), key=lambda path: int(path.name)):
            try:
                if os.readlink(path).startswith(prefix):
                    found.append(path)
            except OSError:
                continue
        return found

    def memory(self, name: str) -> list[mmap.mmap]:
        """Mappings of its memory of that name; those of output logs and of its page are mapped by
        it, so their descriptors may be closed: map_files names them still."""
        found: list[mmap.mmap] = []
        seen: set[int] = set()
        for path in sorted(Path(f"/proc/{self.pid}/map_files").iterdir()):
            if f"memfd:{name}" not in os.readlink(path):
                continue
            descriptor = os.open(path, os.O_RDWR)
            status = os.fstat(descriptor)
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                found.append(mmap.mmap(descriptor, status.st_size))
            os.close(descriptor)
        assert found, name
        return found

    def socket(self) -> socket.socket:
        """Its connection to the logger process."""
        handle = os.pidfd_open(self.pid)
        for path in self._descriptors("socket:"):
            taken = LIBC.syscall(SYS_PIDFD_GETFD, handle, int(path.name), 0)
            if taken < 0:
                continue
            connection = socket.socket(fileno=taken)
            if connection.family == socket.AF_UNIX and connection.type == socket.SOCK_SEQPACKET:
                os.close(handle)
                return connection
            connection.close()
        raise AssertionError("the master has no connection")
