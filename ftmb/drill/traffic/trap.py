# SPDX-License-Identifier: BSD-3-Clause
"""Counts packets that come to places of its host, also those that nobody there would answer.

The kernel picks them out (a filter on a packet socket), so nothing else costs anything.
"""

from __future__ import annotations

import argparse
import ctypes
import socket
import struct
from collections import Counter
from collections.abc import Sequence

from ftmb.drill.traffic.process import Stop, ready, write_results

POLL_S = 0.2
SO_ATTACH_FILTER = 26
ETHERNET_IPV4 = 0x0800
PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
HEADER_SIZE_MAX = 64
# Instructions of the kernel's packet filter (linux/filter.h).
LOAD_BYTE, LOAD_HALF_BEHIND_HEADER, LOAD_WORD = 0x30, 0x48, 0x20
LOAD_HEADER_LENGTH, JUMP_IF_EQUAL, RETURN = 0xB1, 0x15, 0x06

Place = tuple[str, str, int]  # protocol, address, port
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value


def filter_for(places: Sequence[Place]) -> list[Instruction]:
    """Accepts an IPv4 packet (no Ethernet header before it) that goes to one of the places."""
    program: list[Instruction] = []
    for protocol, address, port in places:
        (number,) = struct.unpack("!I", socket.inet_aton(address))
        program += [
            (LOAD_BYTE, 0, 0, 9),
            (JUMP_IF_EQUAL, 0, 6, PROTOCOLS[protocol]),
            (LOAD_WORD, 0, 0, 16),
            (JUMP_IF_EQUAL, 0, 4, number),
            (LOAD_HEADER_LENGTH, 0, 0, 0),
            (LOAD_HALF_BEHIND_HEADER, 0, 0, 2),
            (JUMP_IF_EQUAL, 0, 1, port),
            (RETURN, 0, 0, HEADER_SIZE_MAX),
        ]
    return [*program, (RETURN, 0, 0, 0)]


def open_trap(places: Sequence[Place]) -> socket.socket:
    """The protocol comes last, so that nothing is taken before the filter is there."""
    trap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    program = b"".join(struct.pack("HBBI", *one) for one in filter_for(places))
    buffer = ctypes.create_string_buffer(program)
    count = len(program) // struct.calcsize("HBBI")
    trap.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", count, ctypes.addressof(buffer))
    )
    trap.bind(("eth0", ETHERNET_IPV4))
    trap.settimeout(POLL_S)
    return trap


def place_of(packet: bytes) -> str:
    """As the command line names it."""
    name = {number: name for name, number in PROTOCOLS.items()}[packet[9]]
    header_size = 4 * (packet[0] & 0xF)
    (port,) = struct.unpack_from("!H", packet, header_size + 2)
    return f"{name} {socket.inet_ntoa(packet[16:20])} {port}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", nargs=3, action="append", metavar=("PROTOCOL", "ADDRESS", "PORT"))
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    places = [(protocol, address, int(port)) for protocol, address, port in arguments.at]
    trap = open_trap(places)
    came: Counter[str] = Counter()
    stop = Stop()
    ready()
    while True:
        try:
            came[place_of(trap.recv(HEADER_SIZE_MAX))] += 1
        except TimeoutError:
            if stop:
                break
    write_results(arguments.result, {"came": came}, {})


if __name__ == "__main__":
    main()
