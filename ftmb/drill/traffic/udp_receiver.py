# SPDX-License-Identifier: BSD-3-Clause
"""Records every datagram of the numbered stream and when it came.

Nothing is worked out while it receives: the kernel writes each datagram into the
next slot of a large buffer. What its own socket had to drop is read from the kernel,
so that it is not mistaken for a loss on the way.
"""

from __future__ import annotations

import argparse
import os
import socket
import time
from array import array
from pathlib import Path

from ftmb.drill.traffic.process import Stop, come_first, ready, write_results
from ftmb.drill.traffic.udp_format import DATAGRAM

SO_RCVBUFFORCE = 33
RECEIVE_BUFFER_SIZE = 256 << 20
CHUNK_SLOTS = 1 << 16
POLL_S = 0.2


def socket_drops(receiver: socket.socket) -> int:
    """Datagrams that did not fit into the socket's buffer."""
    inode = str(os.fstat(receiver.fileno()).st_ino)
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] == inode:
            return int(fields[12])
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()

    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_SIZE)
    receiver.bind((arguments.address, arguments.port))
    receiver.settimeout(POLL_S)
    stop = Stop()
    come_first()
    ready()

    size = DATAGRAM.size
    clock = time.monotonic_ns
    chunks: list[bytearray] = []
    arrivals: array[int] = array("Q")
    slot = CHUNK_SLOTS
    view = memoryview(b"")
    while True:
        if slot == CHUNK_SLOTS:
            chunks.append(bytearray(CHUNK_SLOTS * size))
            view = memoryview(chunks[-1])
            slot = 0
        try:
            length = receiver.recv_into(view[slot * size : (slot + 1) * size])
        except TimeoutError:
            if stop:
                break
            continue
        if length == size:
            arrivals.append(clock())
            slot += 1

    datagrams: array[int] = array("Q")
    datagrams.frombytes(b"".join(chunks)[: len(arrivals) * size])
    write_results(
        arguments.result,
        {"received": len(arrivals), "socket_overflow": socket_drops(receiver)},
        {"datagrams": datagrams, "arrivals": arrivals},
    )


if __name__ == "__main__":
    main()
