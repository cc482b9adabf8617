# SPDX-License-Identifier: BSD-3-Clause
"""The process that has the ports: python -m ftmb.pktgen.process DESCRIPTOR.

It speaks over a socket with the one who started it (session.py) and ends when that one does. It
owns EAL, which is once in a process, and enters the namespaces, so that no caller has to.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from ftmb._native import dpdk
from ftmb.errors import FtmbError
from ftmb.pktgen.capture import read
from ftmb.pktgen.ends import OpenEnd, look_at, network_of, require_room
from ftmb.pktgen.order import Order, Planner, longest_frame
from ftmb.pktgen.settings import Endpoint, Settings
from ftmb.pktgen.trial import execute
from ftmb.processes.ports import eal_arguments, runtime_folder


class Generator:
    """Both ends, open."""

    def __init__(self, transmit: Endpoint, receive: Endpoint, settings: Settings) -> None:
        self.exits = contextlib.ExitStack()
        home = open("/proc/self/ns/net")  # noqa: SIM115 - for as long as the process lives
        self.home = f"/proc/self/fd/{home.fileno()}"
        self.kept = home
        interfaces = look_at(transmit), look_at(receive)
        capture = read(settings.replay.file) if settings.replay is not None else None
        longest = longest_frame(settings.frames, capture)
        for interface in interfaces:
            require_room(interface, longest)
        flows = settings.flows
        self.sources = network_of(interfaces[0], flows.sources, "transmit", "sources")
        self.targets = network_of(interfaces[1], flows.destinations, "receive", "destinations")
        dpdk.start(
            eal_arguments(
                {
                    "logger": {"core": settings.core},
                    "memory": {"hugepages": "auto"},
                    "ports": [{"device": "net_"}],
                }
            )
        )
        with contextlib.suppress(OSError):  # EAL makes it, and never uses it
            runtime_folder().rmdir()
        with contextlib.ExitStack() as exits:
            self.ends = []
            for index, interface in enumerate(interfaces):
                end = OpenEnd(interface, index, settings.device, self.home)
                exits.callback(end.close)
                self.ends.append(end)
            self.ends[0].stand_for([self.sources])
            self.ends[1].stand_for([self.targets])
            self.next_hop = self.ends[0].next_hop(self.targets[0], self.ends[1])
            self.exits = exits.pop_all()
        self.planner = Planner(
            sources=self.sources,
            targets=self.targets,
            own_ethernet=interfaces[0].ethernet,
            next_hop_ethernet=self.next_hop,
            capture=capture,
        )

    def devices(self) -> tuple[str, ...]:
        return tuple(f"{end.interface.name} ({end.device.split(',')[0]})" for end in self.ends)

    def execute(self, order: Order, connection: Connection, stop: threading.Event) -> Any:
        """One trial; tells of its progress over the connection."""

        def progress(packets: int, sent: int, received: int) -> None:
            connection.send(("progress", packets, sent, received))

        transmit, receive = (end.end for end in self.ends)
        return execute(self.planner.run(order), transmit, receive, progress, stop)

    def close(self) -> None:
        self.exits.close()


class Server:
    """Serves one caller. Orders are carried out by the main thread, to which EAL belongs; a second
    thread listens, so that a run can be stopped."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.stop = threading.Event()
        self.orders: list[Any] = []
        self.arrived = threading.Condition()

    def listen(self) -> None:
        while True:
            try:
                message = self.connection.recv()
            except (EOFError, OSError):
                message = ("close",)
                self.stop.set()
            if message[0] == "stop":
                self.stop.set()
                continue
            with self.arrived:
                self.orders.append(message)
                self.arrived.notify()
            if message[0] == "close":
                return

    def next(self) -> Any:
        with self.arrived:
            self.arrived.wait_for(lambda: self.orders)
            return self.orders.pop(0)

    def serve(self) -> None:
        generator: Generator | None = None
        try:
            while (message := self.next())[0] != "close":
                try:
                    if message[0] == "open":
                        generator = Generator(*message[1:])
                        answer: Any = generator.devices()
                    else:
                        assert generator is not None, "it opens first"
                        self.stop.clear()
                        answer = generator.execute(message[1], self.connection, self.stop)
                except (FtmbError, dpdk.PortError, MemoryError) as error:
                    self.connection.send(("failed", str(error) or "there is not enough memory"))
                else:
                    self.connection.send(("done", answer))
        finally:
            if generator is not None:
                generator.close()


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    server = Server(Connection(int(arguments[0])))
    threading.Thread(target=server.listen, name="listener", daemon=True).start()
    try:
        server.serve()
    except (BrokenPipeError, ConnectionResetError):
        return 1  # the caller is gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
