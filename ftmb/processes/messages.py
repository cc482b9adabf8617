# SPDX-License-Identifier: BSD-3-Clause
"""How the processes of a box speak to one another: JSON over a local SOCK_SEQPACKET socket.

One message is one packet, with descriptors beside it where memory is handed over. A process that
dies hangs up at once, which is how its death is noticed. The server asks the kernel who calls
(SO_PEERCRED) and serves its own user and root alone.

A message is an object with a "kind"; the kinds stand in logger.py and replica.py beside the code
that answers them.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

MESSAGE_SIZE_MAX = 1 << 18
DESCRIPTORS_MAX = 200
CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
Message = dict[str, Any]


def written_descriptor(name: str, data: bytes) -> int:
    """A sealed memory file, for what is too long for a message."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def read_descriptor(descriptor: int) -> bytes:
    """The whole of it; whoever else holds it may read it too."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


class Refused(Exception):
    """The other side sent something that is no message, or may not call."""


class HungUp(Exception):
    """The other side is gone."""


def whole_number(value: object) -> int:
    """A count or a time as a message may carry it; Refused for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise Refused(f"no whole number of 63 bits: {str(value)[:40]}")
    return value


def whole_numbers(values: list[int], count: int) -> list[int]:
    """So many of them."""
    if len(values) != count:
        raise Refused(f"{len(values)} numbers where {count} were expected")
    return [whole_number(value) for value in values]


class Channel:
    """One end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MESSAGE_SIZE_MAX)

    @classmethod
    def connect(cls, path: Path) -> Channel:
        """To the logger process of a box; OSError if there is none."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return cls(connection)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Message, descriptors: list[int] | None = None) -> None:
        """Sends; raises HungUp if nobody is there any more."""
        data = json.dumps(message).encode()
        if len(data) > MESSAGE_SIZE_MAX:
            raise ValueError(f"a message of {len(data)} bytes is too large")
        try:
            socket.send_fds(self.socket, [data], descriptors or [], socket.MSG_NOSIGNAL)
        except OSError as error:  # whatever the reason, it cannot be reached any more
            raise HungUp from error

    def receive(self) -> tuple[Message, list[int]]:
        """The next message and its descriptors, which are the caller's to close."""
        try:
            data, descriptors, flags, _ = socket.recv_fds(
                self.socket, MESSAGE_SIZE_MAX, DESCRIPTORS_MAX, socket.MSG_CMSG_CLOEXEC
            )
        except (ConnectionError, BlockingIOError) as error:
            raise HungUp from error
        if not data:
            raise HungUp
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            self._close_all(descriptors)
            raise Refused("a message was cut short")
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            self._close_all(descriptors)
            raise Refused("not JSON, or nested too deeply") from error
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            self._close_all(descriptors)
            raise Refused("a message without a kind")
        return message, descriptors

    @staticmethod
    def _close_all(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    def hear(self) -> Message:
        """The next message; descriptors beside it, for which nobody asked, are closed."""
        message, descriptors = self.receive()
        self._close_all(descriptors)
        return message

    def close(self) -> None:
        self.socket.close()


class Server:
    """The logger process's door."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        path.unlink(missing_ok=True)
        old_mask = os.umask(0o177)
        try:
            self.socket.bind(str(path))
        finally:
            os.umask(old_mask)
        self.socket.listen(64)

    def fileno(self) -> int:
        return self.socket.fileno()

    def accept(self) -> tuple[Channel, int]:
        """The caller and its process id; Refused for another user."""
        connection, _ = self.socket.accept()
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        pid, user, _ = CREDENTIALS.unpack(raw)
        if user not in (0, os.geteuid()):
            connection.close()
            raise Refused(f"user {user} may not control this box")
        connection.setblocking(False)  # nobody who does not read may hold up the server
        return Channel(connection), pid

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)
