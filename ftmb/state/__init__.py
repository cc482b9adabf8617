# SPDX-License-Identifier: BSD-3-Clause
"""Looking at the state of a running box: elements' tables as numpy arrays.

    with ftmb.state.read("lab") as state:
        sessions = state.array("nat", "sessions")     # a structured array, a row for each in use
        sessions["inside_port"].max()

The standby is asked for a copy, which it makes as the master makes a snapshot: it forks between two
records. The master has no part in it.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import recfunctions

from ftmb import orchestrator
from ftmb._native.pipeline import Pipeline
from ftmb._native.tables import CopyError, Rows, StateCopy, Table, tables_of
from ftmb.errors import NotRunningError, StateError

WORKER = "worker"  # the field that is put before those of a table that each worker has


@dataclass(frozen=True)
class Place:
    """A table of an element, which stands at a place in the pipeline."""

    place: int
    element: str  # its name in this box
    kind: str  # of element
    number: int
    table: Table


class State:
    """A copy of one box's state; a context manager, whose arrays stay valid after it."""

    def __init__(self, name: str, copy: StateCopy, memory: mmap.mmap, told: dict[str, Any]) -> None:
        self.name = name
        self.pause_ns: int = told["pause_ns"]
        self.records: list[int] = told["records"]
        self.now_ns = copy.now_ns  # of the box's clock: the last input that is in the copy
        self._copy = copy
        self._memory = memory

    def tables(self) -> list[Place]:
        """All that there is to see, in the order of the pipeline."""
        pipeline = self._copy.pipeline
        return [
            Place(place, pipeline.names[place], element, number, table)
            for place, element in enumerate(pipeline.elements)
            for number, table in enumerate(tables_of(element))
        ]

    def find(self, element: str, table: str | None = None) -> Place:
        """`table` None: the element's first."""
        places = self.tables()
        of_element = [found for found in places if found.element == element]
        if not of_element:
            known = sorted({found.element for found in places})
            shown = f"has these: {', '.join(known)}" if known else "has nothing to show"
            raise StateError(f"no element '{element}' with tables in this box; it {shown}")
        chosen = [found for found in of_element if table in (None, found.table.name)]
        if not chosen:
            names = ", ".join(dict.fromkeys(found.table.name for found in of_element))
            raise StateError(f"{element} has no table '{table}'; it has: {names}")
        return chosen[0]

    def array(self, element: str, table: str | None = None) -> Rows:
        """The rows in use, of all workers."""
        place = self.find(element, table)
        if place.table.is_shared:
            return self._copy.rows(place.place, place.number, 0)
        parts = []
        for worker in range(self._copy.workers):
            rows = self._copy.rows(place.place, place.number, worker)
            number = np.full(len(rows), worker, "u1")
            parts.append(_with_worker(rows, number))
        return np.concatenate(parts)

    def __enter__(self) -> State:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._copy.close()
        self._memory.close()


def _with_worker(rows: Rows, number: Any) -> Rows:
    packed = recfunctions.repack_fields(rows)
    fields = [(WORKER, "u1"), *((name, packed.dtype[name]) for name in packed.dtype.names or ())]
    whole = np.empty(len(rows), np.dtype(fields))
    whole[WORKER] = number
    for name in packed.dtype.names or ():
        whole[name] = packed[name]
    return whole


def read(name: str) -> State:
    """Of the box of this name, as its standby has it now. NotRunningError when there is none."""
    pipeline = Pipeline.of(orchestrator.configuration_of(name))
    descriptor = os.memfd_create("ftmb-state", os.MFD_CLOEXEC)
    try:
        told = orchestrator.copy_state(name, descriptor)
        memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)
    try:
        return State(name, StateCopy(memory, pipeline), memory, told)
    except CopyError as error:
        raise NotRunningError(f"box '{name}': {error}") from error
