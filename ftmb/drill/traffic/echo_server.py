# SPDX-License-Identifier: BSD-3-Clause
"""Sends back whatever comes in on its TCP connections."""

from __future__ import annotations

import argparse
import select
import socket

from ftmb.drill.traffic.process import Stop, come_first, ready

POLL_S = 0.2
READ_SIZE = 65536


class EchoServer:
    def __init__(self, address: str, port: int) -> None:
        self.listener = socket.create_server((address, port), backlog=4096)
        self.listener.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listener, select.EPOLLIN)
        self.connections: dict[int, socket.socket] = {}
        self.unsent: dict[int, bytes] = {}

    def serve(self, stop: Stop) -> None:
        while not stop:
            for descriptor, _events in self.poll.poll(POLL_S):
                if descriptor == self.listener.fileno():
                    self.accept()
                else:
                    self.echo(descriptor)

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections[connection.fileno()] = connection
            self.poll.register(connection, select.EPOLLIN)

    def echo(self, descriptor: int) -> None:
        connection = self.connections[descriptor]
        waiting = self.unsent.pop(descriptor, b"")
        try:
            data = waiting or connection.recv(READ_SIZE)
            if not data:
                raise ConnectionResetError
            rest = data[connection.send(data) :]
        except BlockingIOError:
            rest = waiting
        except OSError:
            self.close(descriptor)
            return
        if rest:
            self.unsent[descriptor] = rest
        self.poll.modify(descriptor, select.EPOLLOUT if rest else select.EPOLLIN)

    def close(self, descriptor: int) -> None:
        self.poll.unregister(descriptor)
        self.connections.pop(descriptor).close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    server = EchoServer(arguments.address, arguments.port)
    stop = Stop()
    come_first()
    ready()
    server.serve(stop)


if __name__ == "__main__":
    main()
