# SPDX-License-Identifier: BSD-3-Clause
"""A program that sends raw frames in batches, run inside a host of the lab.

    python -m benchmarks.frame_sender CONTROL INTERFACE ETHERNET FLOWS

It sends the frames of benchmarks/traffic.py over a packet socket's transmit ring (packet_mmap, see
packet(7)), so that one system call sends a whole batch. What it is to do stands in the file
CONTROL, which it shares with whoever started it: how many frames at once as fast as they go, and
then how many a second. It ends when its starter does.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.traffic import FRAME_SIZE, flows

SOL_PACKET = 263
PACKET_TX_RING, PACKET_LOSS, PACKET_QDISC_BYPASS = 13, 14, 20
SLOT_SIZE, SLOTS, BLOCK_SIZE = 128, 1024, 4096
DATA_OFFSET = 32  # behind struct tpacket_hdr, as transmitting has it
STATUS_AVAILABLE, STATUS_SEND = 0, 1
BATCH_MAX = 256
PAUSE_S = 0.0005
CONTROL = np.dtype([("at_once", "<u8"), ("rate", "<u8"), ("sent", "<u8"), ("ready", "<u8")])


class Control:
    """The file by which sender and starter talk: four numbers, each with one writer."""

    def __init__(self, path: Path, *, is_new: bool) -> None:
        if is_new:
            path.write_bytes(bytes(CONTROL.itemsize))
        with path.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), CONTROL.itemsize)
        self._numbers = np.frombuffer(self._memory, dtype=CONTROL)

    def __getitem__(self, name: str) -> int:
        return int(self._numbers[name][0])

    def __setitem__(self, name: str, value: int) -> None:
        self._numbers[name][0] = value


class TransmitRing:
    """Frames of FRAME_SIZE bytes by one interface."""

    def __init__(self, interface: str) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(SOL_PACKET, PACKET_LOSS, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        blocks = SLOT_SIZE * SLOTS // BLOCK_SIZE
        request = struct.pack("IIII", BLOCK_SIZE, blocks, SLOT_SIZE, SLOTS)
        self.socket.setsockopt(SOL_PACKET, PACKET_TX_RING, request)
        self.socket.bind((interface, 0))
        memory = mmap.mmap(self.socket.fileno(), SLOT_SIZE * SLOTS)
        self.slots = np.frombuffer(memory, dtype=np.uint8).reshape(SLOTS, SLOT_SIZE)
        self.status = self.slots[:, 0:8].view(np.uint64)[:, 0]
        self.slots[:, 8:12].view(np.uint32)[:, 0] = FRAME_SIZE
        self.next = 0

    def send(self, frames: np.ndarray) -> int:
        """How many of them went; the rest found no room."""
        count = min(len(frames), SLOTS - self.next)
        taken = self.status[self.next : self.next + count]
        busy = np.flatnonzero(taken != STATUS_AVAILABLE)
        count = int(busy[0]) if len(busy) else count
        if count:
            here = slice(self.next, self.next + count)
            self.slots[here, DATA_OFFSET : DATA_OFFSET + FRAME_SIZE] = frames[:count]
            self.status[here] = STATUS_SEND
            self.next = (self.next + count) % SLOTS
        self.socket.send(b"")
        return count


def run(control: Control, interface: str, ethernet: bytes, flow_count: int) -> None:
    """Until the starter has gone."""
    memory = flows(flow_count).frames
    frames = np.frombuffer(memory, dtype=np.uint8).reshape(flow_count, FRAME_SIZE)
    frames[:, 0:6] = np.frombuffer(ethernet, dtype=np.uint8)
    ring = TransmitRing(interface)
    at, starter = 0, os.getppid()
    due, rate = time.monotonic(), 0
    control["ready"] = 1
    while os.getppid() == starter:
        waiting = control["at_once"] - control["sent"]
        if waiting <= 0:
            now = time.monotonic()
            if control["rate"] != rate or now - due > 0.1:  # what was not sent in time is not due
                rate, due = control["rate"], now
            waiting = int((now - due) * rate)
            due += waiting / rate if rate else 0
        if waiting <= 0:
            time.sleep(PAUSE_S)
            continue
        while waiting > 0:
            sent = ring.send(frames[at : at + min(waiting, BATCH_MAX)])
            at = (at + sent) % flow_count
            waiting -= sent if sent else waiting
            if control["at_once"] > control["sent"]:
                control["sent"] = control["sent"] + sent


if __name__ == "__main__":
    path, interface, ethernet, count = sys.argv[1:5]
    run(Control(Path(path), is_new=False), interface, bytes.fromhex(ethernet), int(count))
