# SPDX-License-Identifier: BSD-3-Clause
"""Copies of a standby's state, taken while it replays: each is the state between two records."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process
from ftmb._native.tables import CopyError, StateCopy, tables_of
from tests.native.test_succession import MONITOR, Stepped, stepped
from tests.native.test_threads import LiveBox, become_master, live_box, snapshot_into

__all__ = ["live_box", "stepped"]  # fixtures

COPIES = 60
PACKETS = 200_000_000  # more than will be needed
HOSTS, TOTALS = 0, 1  # the monitor's tables


@pytest.fixture
def memory() -> Iterator[Callable[[Process], mmap.mmap | None]]:
    """Maps a copy that a standby makes; None when it cannot be made at once."""
    made: list[mmap.mmap] = []

    def copy(standby: Process) -> mmap.mmap | None:
        descriptor = os.memfd_create("copy")
        try:
            begun = standby.begin_snapshot_in_replay(descriptor)
            if begun is None:
                return None
            assert os.waitpid(begun.child, 0)[1] == 0
            made.append(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
            return made[-1]
        finally:
            os.close(descriptor)

    yield copy
    for mapped in made:
        mapped.close()


def protected(live_box: Callable[..., LiveBox]) -> tuple[LiveBox, Process]:
    box = live_box("monitor", 2, is_logged=True)
    master, peer = box.replica()
    for worker in range(box.workers):
        master.set_start(worker, *box.logger.start_of(worker))
    master.start()
    become_master(box, master, peer)
    box.logger.open_ports()
    standby, standby_peer = box.replica()
    snapshot_into(box, master, standby, standby_peer)
    return box, standby


def test_a_copy_is_the_state_between_two_records(
    live_box: Callable[..., LiveBox], memory: Callable[[Process], mmap.mmap | None]
) -> None:
    """Both workers write the totals and the hosts' table; in each record the one adds up to the
    other."""
    box, standby = protected(live_box)
    box.ports[0].send(PACKETS)
    seen = []
    for _ in range(COPIES):
        if (mapped := memory(standby)) is None:
            continue
        copy = StateCopy(mapped, box.pipeline)
        hosts, totals = (copy.rows(0, table, 0) for table in (HOSTS, TOTALS))
        assert hosts["packets"].sum() + totals["untracked"][0] == totals["packets"][0]
        assert hosts["bytes"].sum() == totals["bytes"][0]
        assert len(hosts) == totals["hosts"][0]
        seen.append(int(totals["packets"][0]))
        copy.close()
    assert seen == sorted(seen)
    assert len(set(seen)) > COPIES // 4, "it must have been replaying meanwhile"
    box.ports[0].send(0)
    assert not box.logger.master_is_rejected()


def test_a_copy_waits_for_what_is_committed_and_holds_nobody_up(
    stepped: Callable[..., Stepped], memory: Callable[[Process], mmap.mmap | None]
) -> None:
    """Nobody steps the standby meanwhile, so it cannot get there; nor is it stopped by that."""
    box = stepped(MONITOR, workers=2)
    (master, master_peer), (standby, standby_peer) = box.replica(1), box.replica(2)
    box.logger.change_master(master_peer)
    box.logger.set_standby(standby_peer)
    standby.begin()
    box.run(master, 4)
    # Each time a record of each worker: stepped by one thread, nobody may wait for another.
    box.arrive(0, 20, size=60)
    box.run(master, 8)
    assert box.logger.committed() != standby_peer.replayed()
    assert memory(standby) is None
    box.arrive(20, 20, size=60)  # beyond where it was to halt
    box.run(master, 8)
    box.run(standby, 32)
    assert box.logger.committed() == standby_peer.replayed()
    mapped = memory(standby)
    assert mapped is not None
    copy = StateCopy(mapped, box.pipeline)
    assert copy.rows(0, TOTALS, 0)["packets"][0] == 40
    copy.close()


def test_a_copy_of_something_else_is_refused(
    live_box: Callable[..., LiveBox], memory: Callable[[Process], mmap.mmap | None]
) -> None:
    box, standby = protected(live_box)
    mapped = memory(standby)
    assert mapped is not None
    other = Pipeline(
        [{"element": "forward", "options": {"first": "left", "second": "right"}}],
        ["left", "right"],
        2,
    )
    with pytest.raises(CopyError, match="another configuration"):
        StateCopy(mapped, other)
    with pytest.raises(CopyError, match="no copy"):
        StateCopy(bytes(1 << 17), box.pipeline)
    with pytest.raises(CopyError, match="no copy"):
        StateCopy(b"short", box.pipeline)


def test_a_damaged_copy_is_not_read_beyond_its_end(
    live_box: Callable[..., LiveBox], memory: Callable[[Process], mmap.mmap | None]
) -> None:
    """Each word of the element's head in turn made the largest there is."""
    box, standby = protected(live_box)
    mapped = memory(standby)
    assert mapped is not None
    whole = np.frombuffer(mapped, np.uint8).copy()
    head = int.from_bytes(b"FTMBAREN"[::-1], "little")
    assert int(whole[:8].view("<u8")[0]) == head
    copy = StateCopy(whole, box.pipeline)
    totals = copy.rows(0, TOTALS, 0)
    start = whole.tobytes().find(totals[0].tobytes()[:16])
    copy.close()
    for word in range(tables_of("monitor")[TOTALS].row_size // 8):
        damaged = whole.copy()
        damaged[start + 8 * word : start + 8 * word + 8] = 0xFF
        copy = StateCopy(damaged, box.pipeline)
        try:
            assert len(copy.rows(0, HOSTS, 0)) <= len(whole) // 24
        except CopyError:
            pass
        copy.close()
