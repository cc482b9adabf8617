# SPDX-License-Identifier: BSD-3-Clause
"""What `ftmb state show` would show of a box in memory, from a snapshot of its master."""

from __future__ import annotations

import mmap
import os
from typing import Any

from ftmb._native.tables import StateCopy, tables_of
from ftmb.state.frames import Query, select
from ftmb.testing.box import Box


def rows_of(
    box: Box, table: str, *, place: int = 0, worker: int | None = None
) -> list[dict[str, Any]]:
    """The rows in use of an element's table; `worker` None: those of all, or the shared ones."""
    descriptor = os.memfd_create("state")
    try:
        assert os.waitpid(box.master.begin_snapshot(descriptor).child, 0)[1] == 0
        memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    copy = StateCopy(memory, box.pipeline)
    tables = tables_of(box.pipeline.elements[place])
    number = next(index for index, found in enumerate(tables) if found.name == table)
    described = tables[number]
    every = range(box.workers) if worker is None else (worker,)
    found: list[dict[str, Any]] = []
    for one in (0,) if described.is_shared else every:
        rows = copy.rows(place, number, one)
        found += select(described, rows, Query(), copy.now_ns).to_dicts()
    copy.close()
    memory.close()
    return found
