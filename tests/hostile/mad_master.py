# SPDX-License-Identifier: BSD-3-Clause
"""A master of a box in this process that has gone mad: its workers are held, and its memory, which
is all that it can write, is the test's."""

from __future__ import annotations

import mmap
import os
import struct

from ftmb.testing import TICK_NS, Box
from tests.native.test_output_record import Record

RING_HEADER = 4096
WRITTEN_OFFSET = 64
CONSUMED_OFFSET = 128


class MadMaster:
    """Writes what it likes into one worker's output log."""

    def __init__(self, box: Box, worker: int = 0) -> None:
        self.box = box
        self.worker = worker
        if worker == 0:  # all of the master's workers; the others' logs come with it
            box.master.hold()
        descriptor = box.master_peer.output_descriptors[worker]
        self.size = os.fstat(descriptor).st_size
        self.memory = mmap.mmap(descriptor, self.size)
        self.position = self.written()

    def written(self) -> int:
        (value,) = struct.unpack_from("<Q", self.memory, WRITTEN_OFFSET)
        return int(value)

    def publish(self, position: int) -> None:
        struct.pack_into("<Q", self.memory, WRITTEN_OFFSET, position % (1 << 64))

    def write(self, position: int, content: bytes) -> None:
        """Into the ring, from a position that never wraps."""
        data_size = self.size - RING_HEADER
        for start in range(0, len(content), data_size):
            self._write_part(position + start, content[start : start + data_size])

    def _write_part(self, position: int, content: bytes) -> None:
        at = RING_HEADER + position % (self.size - RING_HEADER)
        first = content[: self.size - at]
        self.memory[at : at + len(first)] = first
        rest = content[len(first) :]
        self.memory[RING_HEADER : RING_HEADER + len(rest)] = rest

    def record(self) -> Record:
        """A right one, to be made wrong: of one packet, that depends on nothing."""
        counts = self.box.logger.queue_counts(self.worker)
        return Record(
            epoch=self.box.master_peer.epoch,
            number=counts["received"] + 1,
            pals=[],
            dependencies=[],
        )

    def let_a_tick_pass(self) -> None:
        """So that there is input for a record to consume."""
        self.box._now_ns += TICK_NS
        self.box.step()

    def send(self, content: bytes) -> None:
        """Appends it, publishes it, and lets the loggers look."""
        self.write(self.position, content)
        self.position += len(content)
        self.publish(self.position)
        self.box.step()

    def rejected(self) -> list[str]:
        """The reasons that were counted."""
        counts = self.box.logger.counts()["rejected"]
        return [reason for reason, count in counts.items() for _ in range(count)]

    def close(self) -> None:
        self.memory.close()
        if self.worker == 0:
            self.box.master.release()
