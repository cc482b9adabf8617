# SPDX-License-Identifier: BSD-3-Clause
"""Keeps many interactive TCP connections open, as people at terminals do.

Each sends a line every 50 ms, whether or not the last one has been answered, and
compares what comes back byte for byte. Every reply is recorded with its time and the
time it took. A connection that is reset, answers wrongly or stays silent for too long
is counted as broken, and opened again.
"""

from __future__ import annotations

import argparse
import errno
import select
import socket
import time
from array import array
from collections import deque

from ftmb.drill.traffic.process import Stop, come_first, ready, write_results

PATIENCE_S = 8.0
DRAIN_S = 8.0
RETRY_S = 0.25
READ_SIZE = 65536
HELD_UP_S = 1.0  # if the program itself is late by this, nobody is called silent for a while


class Connection:
    """One conversation; `pending` is what was sent and has not come back."""

    def __init__(self, number: int, source: str) -> None:
        self.number = number
        self.source = source
        self.socket: socket.socket | None = None
        self.established = False
        self.retry_at_ns = 0
        self.line = 0
        self.pending = bytearray()
        self.sent_ns: deque[int] = deque()

    def next_line(self) -> bytes:
        self.line += 1
        words = f"{self.number} {self.line} "
        return (words + "etaoin shrdlu "[: 8 + self.line % 7] + "\n").encode()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.established = False
        self.pending.clear()
        self.sent_ns.clear()


class EchoClient:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.target = (arguments.target, arguments.port)
        sources = arguments.sources
        self.connections = [
            Connection(number, sources[number % len(sources)])
            for number in range(arguments.connections)
        ]
        self.by_descriptor: dict[int, Connection] = {}
        self.poll = select.epoll()
        self.interval_ns = int(arguments.interval * 1e9) // arguments.connections
        self.replies: array[int] = array("Q")  # connection, time, round trip: three for each
        self.breaks: list[tuple[int, int, str]] = []
        self.lines_sent = 0
        self.lines_matched = 0
        self.judged_from_ns = 0

    def open(self, connection: Connection, now_ns: int) -> None:
        new = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        new.setblocking(False)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        new.bind((connection.source, 0))
        connection.socket = new
        connection.sent_ns.append(now_ns)  # the connection itself must be answered in time
        self.by_descriptor[new.fileno()] = connection
        self.poll.register(new, select.EPOLLIN | select.EPOLLOUT)
        error = new.connect_ex(self.target)
        if error not in (0, errno.EINPROGRESS):
            self.broken(connection, now_ns, f"connect: {errno.errorcode[error]}")

    def broken(self, connection: Connection, now_ns: int, why: str) -> None:
        self.breaks.append((connection.number, now_ns, why))
        if connection.socket is not None:
            self.by_descriptor.pop(connection.socket.fileno(), None)
            self.poll.unregister(connection.socket)
        connection.close()
        connection.retry_at_ns = now_ns + int(RETRY_S * 1e9)

    def open_all(self, patience_s: float) -> None:
        """Raises SystemExit when not all can be opened in time."""
        deadline = time.monotonic() + patience_s
        for connection in self.connections:
            self.open(connection, time.monotonic_ns())
            self.receive(0)
        while not all(connection.established for connection in self.connections):
            self.receive(0.05)
            if self.breaks or time.monotonic() > deadline:
                opened = sum(connection.established for connection in self.connections)
                why = self.breaks[0][2] if self.breaks else "no answer"
                raise SystemExit(f"{opened} of {len(self.connections)} connections opened: {why}")

    def converse(self, stop: Stop) -> None:
        due_ns = time.monotonic_ns()
        turn = 0
        while not stop:
            now_ns = time.monotonic_ns()
            if now_ns - due_ns > HELD_UP_S * 1e9:  # as when the whole machine stood still
                self.judged_from_ns = now_ns + int(PATIENCE_S * 1e9)
            while due_ns <= now_ns:
                self.take_turn(self.connections[turn], now_ns)
                turn = (turn + 1) % len(self.connections)
                due_ns += self.interval_ns
            self.receive(max(0.001, (due_ns - now_ns) / 1e9))

    def take_turn(self, connection: Connection, now_ns: int) -> None:
        if connection.socket is None:
            if now_ns >= connection.retry_at_ns:
                self.open(connection, now_ns)
            return
        if self.is_silent(connection, now_ns):
            self.broken(connection, now_ns, "silent")
            return
        if not connection.established:
            return
        line = connection.next_line()
        try:
            sent = connection.socket.send(line)
        except OSError as error:
            self.broken(connection, now_ns, errno.errorcode.get(error.errno or 0, str(error)))
            return
        if sent != len(line):
            self.broken(connection, now_ns, "its buffer is full")
            return
        connection.pending += line
        connection.sent_ns.append(now_ns)
        self.lines_sent += 1

    def is_silent(self, connection: Connection, now_ns: int) -> bool:
        if not connection.sent_ns or now_ns < self.judged_from_ns:
            return False
        return now_ns - connection.sent_ns[0] > PATIENCE_S * 1e9

    def receive(self, timeout_s: float) -> None:
        for descriptor, events in self.poll.poll(timeout_s):
            connection = self.by_descriptor.get(descriptor)
            if connection is None or connection.socket is None:
                continue
            now_ns = time.monotonic_ns()
            if not connection.established:
                self.established(connection, connection.socket, now_ns)
            elif events:
                self.read(connection, connection.socket, now_ns)

    def established(self, connection: Connection, opened: socket.socket, now_ns: int) -> None:
        error = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.broken(connection, now_ns, f"connect: {errno.errorcode.get(error, str(error))}")
            return
        connection.established = True
        connection.sent_ns.clear()
        self.poll.modify(opened, select.EPOLLIN)

    def read(self, connection: Connection, opened: socket.socket, now_ns: int) -> None:
        try:
            data = opened.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self.broken(connection, now_ns, errno.errorcode.get(error.errno or 0, str(error)))
            return
        if not data or not connection.pending.startswith(data):
            self.broken(connection, now_ns, "wrong reply" if data else "closed by the far side")
            return
        del connection.pending[: len(data)]
        for _ in range(data.count(b"\n")):
            round_trip_ns = now_ns - connection.sent_ns.popleft()
            self.replies.extend((connection.number, now_ns, round_trip_ns))
            self.lines_matched += 1

    def drain(self) -> None:
        """Waits for the last replies; what does not come is a broken connection."""
        deadline = time.monotonic() + DRAIN_S
        while any(c.pending for c in self.connections) and time.monotonic() < deadline:
            self.receive(0.02)
        for connection in self.connections:
            if connection.pending or connection.socket is None:
                self.broken_at_end(connection)

    def broken_at_end(self, connection: Connection) -> None:
        self.breaks.append((connection.number, time.monotonic_ns(), "no reply at the end"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--interval", type=float, default=0.05)
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    client = EchoClient(arguments)
    client.open_all(patience_s=20)
    stop = Stop()
    come_first()
    ready()
    client.converse(stop)
    client.drain()
    figures = {
        "connections": arguments.connections,
        "lines_sent": client.lines_sent,
        "lines_matched": client.lines_matched,
        "breaks": client.breaks,
    }
    write_results(arguments.result, figures, {"replies": client.replies})


if __name__ == "__main__":
    main()
