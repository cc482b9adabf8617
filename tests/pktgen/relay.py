# SPDX-License-Identifier: BSD-3-Clause
"""A wire with known faults: relay.py INSIDE OUTSIDE [--drop N] [--copy N] [--swap N] [--damage N].

Passes frames between two interfaces. Of the UDP packets that go from INSIDE to OUTSIDE, every N-th
is dropped, sent twice, held until the next of its flow has passed, or has a byte of its payload
changed. Says what it did, as JSON, when it is told to end.
"""

from __future__ import annotations

import argparse
import json
import select
import signal
import socket

ETH_P_ALL = 3
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
STAMP_AND_HEADERS = 60


class Faults:
    def __init__(self, every: argparse.Namespace) -> None:
        self.every = every
        self.seen = 0
        self.held: dict[bytes, bytes] = {}
        self.counts = {"drop": 0, "copy": 0, "swap": 0, "damage": 0}

    def _is_due(self, fault: str, offset: int) -> bool:
        """The offsets keep two faults from meeting in one packet."""
        every = getattr(self.every, fault)
        return bool(every) and self.seen % every == offset

    def pass_on(self, frame: bytes) -> list[bytes]:
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            return [frame]
        self.seen += 1
        flow = frame[34:36]
        if flow in self.held:
            self.counts["swap"] += 1
            return [frame, self.held.pop(flow)]
        if self._is_due("drop", 1):
            self.counts["drop"] += 1
            return []
        if self._is_due("copy", 2):
            self.counts["copy"] += 1
            return [frame, frame]
        if self._is_due("swap", 3):
            self.held[flow] = frame
            return []
        if self._is_due("damage", 4):
            self.counts["damage"] += 1
            place = STAMP_AND_HEADERS + self.seen % (len(frame) - STAMP_AND_HEADERS)
            return [frame[:place] + bytes([frame[place] ^ 0x40]) + frame[place + 1 :]]
        return [frame]


def opened(interface: str) -> socket.socket:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    port.bind((interface, 0))
    return port


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("inside")
    parser.add_argument("outside")
    for fault in ("drop", "copy", "swap", "damage"):
        parser.add_argument(f"--{fault}", type=int, default=0)
    arguments = parser.parse_args()
    inside, outside = opened(arguments.inside), opened(arguments.outside)
    faults = Faults(arguments)
    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    print("ready", flush=True)
    while not told:
        ready, _, _ = select.select([inside, outside], [], [], 0.05)
        if inside in ready:
            for frame in faults.pass_on(inside.recv(2048)):
                outside.send(frame)
        if outside in ready:
            inside.send(outside.recv(2048))
    print(json.dumps(faults.counts | {"held": len(faults.held)}), flush=True)


if __name__ == "__main__":
    main()
