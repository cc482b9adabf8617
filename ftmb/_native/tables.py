# SPDX-License-Identifier: BSD-3-Clause
"""Elements' tables, as their constant descriptions in C have them, out of a copy of the state."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ftmb._native.check import check, ffi, lib, text
from ftmb._native.elements import raw_classes, strings
from ftmb._native.pipeline import Pipeline

FIELD_TYPES = {
    lib.FTMB_FIELD_NUMBER: "number",
    lib.FTMB_FIELD_ADDRESS: "address",
    lib.FTMB_FIELD_ADDRESS_AS_NUMBER: "address",
    lib.FTMB_FIELD_ADDRESS_AS_NUMBERS: "address as numbers",
    lib.FTMB_FIELD_PREFIX: "prefix",
    lib.FTMB_FIELD_CHOICE: "choice",
    lib.FTMB_FIELD_FLAGS: "flags",
    lib.FTMB_FIELD_SECONDS: "seconds",
    lib.FTMB_FIELD_SECONDS_LEFT: "seconds left",
    lib.FTMB_FIELD_PARTS: "parts",
    lib.FTMB_FIELD_PROTOCOL: "protocol",
    lib.FTMB_FIELD_TEXT: "text",
}
METRICS = {
    lib.FTMB_METRIC_NONE: None,
    lib.FTMB_METRIC_LABEL: "label",
    lib.FTMB_METRIC_TOP: "top",
    lib.FTMB_METRIC_COUNTER: "counter",
    lib.FTMB_METRIC_GAUGE: "gauge",
}
NUMBER_FORMATS = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}
Rows = npt.NDArray[np.void]  # a structured array


class CopyError(ValueError):
    """What was read is no copy of this box's state."""


@dataclass(frozen=True)
class Field:
    """One column; `names` of a choice's values or of flags' bits, `unit_ns` of seconds, `parts`
    that are one; `metric` is "label", "top", "counter", "gauge" or None."""

    name: str
    help: str
    type: str
    format: str  # of numpy
    offset: int
    names: tuple[str, ...]
    unit_ns: int
    parts: int = 0
    metric: str | None = None


@dataclass(frozen=True)
class Table:
    """What an element shows of its state: one table for all workers, or one for each."""

    name: str
    help: str
    fields: tuple[Field, ...]
    row_size: int
    is_shared: bool

    def dtype(self) -> np.dtype[np.void]:
        """Of a row as it lies in memory."""
        return np.dtype(
            {
                "names": [field.name for field in self.fields],
                "formats": [field.format for field in self.fields],
                "offsets": [field.offset for field in self.fields],
                "itemsize": self.row_size,
            }
        )


def _format(raw: Any) -> str:
    if raw.type == lib.FTMB_FIELD_ADDRESS:
        return ">u4" if raw.size == 4 else f"V{raw.size}"
    if raw.type in (lib.FTMB_FIELD_ADDRESS_AS_NUMBERS, lib.FTMB_FIELD_PREFIX):
        return f"V{raw.size}"
    if raw.type == lib.FTMB_FIELD_TEXT:
        return f"S{raw.size}"
    return NUMBER_FORMATS[raw.size]


def _fields(raw: Any) -> tuple[Field, ...]:
    found: list[Field] = []
    while raw.fields[len(found)].name != ffi.NULL:
        field = raw.fields[len(found)]
        found.append(
            Field(
                name=text(field.name),
                help=text(field.help),
                type=FIELD_TYPES[field.type],
                format=_format(field),
                offset=field.offset,
                names=strings(field.names),
                unit_ns=field.unit_ns,
                parts=field.parts,
                metric=METRICS[field.metric],
            )
        )
    return tuple(found)


def tables_of(element: str) -> tuple[Table, ...]:
    """What an element can show."""
    return _tables(raw_classes()[element])


@cache
def _tables(element: Any) -> tuple[Table, ...]:
    found: list[Table] = []
    raw = element.tables
    while raw != ffi.NULL and raw[len(found)].name != ffi.NULL:
        table = raw[len(found)]
        found.append(
            Table(
                name=text(table.name),
                help=text(table.help),
                fields=_fields(table),
                row_size=table.row_size,
                is_shared=table.is_shared,
            )
        )
    return tuple(found)


class StateCopy:
    """A copy of a box's state in memory that nobody writes; borrows the memory and the pipeline."""

    def __init__(self, memory: Any, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._bytes = ffi.from_buffer("uint8_t[]", memory)
        self._raw = ffi.new(
            "struct state_copy *",
            {"bytes": self._bytes, "size": len(self._bytes), "pipeline": pipeline.pointer},
        )
        fault = lib.state_copy_check(self._raw, pipeline.digest)
        if fault != 0:
            other = fault == -errno.EINVAL
            what = "of a box with another configuration" if other else "no copy of a box's state"
            raise CopyError(f"this is {what}")
        self.workers = int(lib.state_copy_workers(self._raw))
        self.now_ns = int(lib.state_copy_now_ns(self._raw))

    def rows(self, place: int, number: int, worker: int) -> Rows:
        """The rows in use of table `number` of the element at this place of the pipeline."""
        table = tables_of(self.pipeline.elements[place])[number]
        first = ffi.new("const void **")
        count = lib.state_copy_rows(self._raw, place, number, worker, first)
        if count == -errno.ENOENT:  # what a setting of the element leaves out
            return np.zeros(0, table.dtype())
        if count == -errno.EPROTO:
            raise CopyError(f"the table {table.name} of worker {worker} is damaged")
        check(count, f"reading the table {table.name}")
        used = np.zeros(count, np.uint8)
        lib.state_copy_mark_used(
            self._raw, place, number, worker, first[0], count, ffi.from_buffer("uint8_t[]", used)
        )
        whole = np.frombuffer(ffi.buffer(first[0], count * table.row_size), table.dtype())
        return whole[np.flatnonzero(used)]

    def close(self) -> None:
        """Lets the memory go."""
        ffi.release(self._bytes)
