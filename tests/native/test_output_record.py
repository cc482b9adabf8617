# SPDX-License-Identifier: BSD-3-Clause
"""Checking records that a dying master may have written: right ones pass, all others are named."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftmb._native.check import ffi, lib

HEADER = struct.Struct("<IIQIIIIII")
SLOT = struct.Struct("<HBBIQ")
PAL = struct.Struct("<IIQQII")
DEPENDENCY = struct.Struct("<QII")
WORKERS = 2
PORTS = 2


def aligned(size: int) -> int:
    return (size + 15) & ~15


@dataclass
class Record:
    """A right record of one packet and one PAL; tests change a field to make it wrong."""

    size: int | None = None
    epoch: int = 7
    number: int = 5
    input_count: int = 1
    slot_count: int | None = None
    pal_count: int | None = None
    pals_offset: int | None = None
    vector_count: int = 0
    dependency_count: int | None = None
    slots: list[tuple[int, int, int | None]] = field(default_factory=lambda: [(60, 1, None)])
    pals: list[tuple[int, int, int, int, int]] = field(default_factory=lambda: [(0, 3, 1, 9, 1)])
    vectors: list[int] = field(default_factory=list)
    dependencies: list[tuple[int, int]] = field(default_factory=lambda: [(4, 1)])

    def encode(self) -> bytes:
        body = b""
        for length, port, stride in self.slots:
            real = aligned(SLOT.size + length)
            body += SLOT.pack(length, port, 0, real if stride is None else stride, 0)
            body += bytes(real - SLOT.size)
        offset = lib.OUTPUT_RECORD_HEADER_SIZE + len(body)
        for access, variable, epoch, count, owner in self.pals:
            body += PAL.pack(access, variable, epoch, count, owner, 0)
        body += struct.pack(f"<{len(self.vectors)}Q", *self.vectors)
        for record, worker in self.dependencies:
            body += DEPENDENCY.pack(record, worker, 0)
        size = aligned(lib.OUTPUT_RECORD_HEADER_SIZE + len(body))

        def chosen(value: int | None, right: int) -> int:
            return right if value is None else value

        header = HEADER.pack(
            chosen(self.size, size),
            self.epoch,
            self.number,
            self.input_count,
            chosen(self.slot_count, len(self.slots)),
            chosen(self.pal_count, len(self.pals)),
            chosen(self.pals_offset, offset),
            self.vector_count,
            chosen(self.dependency_count, len(self.dependencies)),
        )
        whole = header.ljust(lib.OUTPUT_RECORD_HEADER_SIZE, b"\0") + body
        return whole.ljust(size, b"\0")


def check(raw: bytes, available: int | None = None) -> int:
    return check_and_take(raw, available)[0]


def check_and_take(raw: bytes, available: int | None = None) -> tuple[int, Any]:
    """The fault, and what leaves."""
    memory = ffi.new("uint8_t[]", raw.ljust(lib.OUTPUT_RECORD_HEADER_SIZE, b"\0"))
    header = ffi.new("struct output_record *")
    ffi.memmove(header, memory, ffi.sizeof("struct output_record"))
    previous = ffi.new("uint64_t[]", [4, 4])
    expected = ffi.new(
        "struct record_expectation *",
        {
            "available": len(raw) if available is None else available,
            "number": 5,
            "input_available": 3,
            "vector": previous,
            "epoch": 7,
            "workers": WORKERS,
            "ports": PORTS,
            "is_logged": True,
        },
    )
    dependencies = ffi.new("struct dependency[]", WORKERS)
    outputs = ffi.new("struct record_outputs *")
    return int(lib.output_record_check(header, memory, expected, dependencies, outputs)), outputs


def test_a_right_record_passes() -> None:
    assert check(Record().encode()) == lib.RECORD_FINE


@pytest.mark.parametrize(
    "slots",
    [[], [(60, 0, None), (60, 0xFF, None), (1500, 0x81, None)], [(0, 1, None)] * 64],
    ids=["none", "sent, dropped and again", "as many as there can be"],
)
def test_records_of_many_shapes_pass(slots: list[tuple[int, int, int | None]]) -> None:
    assert check(Record(slots=slots).encode()) == lib.RECORD_FINE


def test_what_leaves_is_taken_in_the_same_walk() -> None:
    """Its digest is of the packets that leave and of their order, of nothing else."""
    two = [(60, 0, None), (60, 0xFF, None), (1500, 0x81, None)]
    fault, outputs = check_and_take(Record(slots=two).encode())
    assert fault == lib.RECORD_FINE and outputs.count == 2
    only = check_and_take(Record(slots=[two[0], two[2]]).encode())[1]
    assert (only.digest, only.count) == (outputs.digest, 2)
    assert check_and_take(Record(slots=[two[2], two[0]]).encode())[1].digest != outputs.digest
    assert check_and_take(Record(slots=two[1:2]).encode())[1].digest == 0


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (Record(size=16), lib.RECORD_BAD_SIZE),
        (Record(size=1 << 30), lib.RECORD_BAD_SIZE),
        (Record(slot_count=65), lib.RECORD_BAD_SIZE),
        (Record(pal_count=100_000), lib.RECORD_BAD_SIZE),
        (Record(pals_offset=1 << 20), lib.RECORD_BAD_SIZE),
        (Record(vector_count=2), lib.RECORD_BAD_SIZE),
        (Record(dependency_count=2), lib.RECORD_BAD_SIZE),
        (Record(dependencies=[(4, 1), (4, 1)]), lib.RECORD_BAD_SIZE),
        (Record(epoch=6), lib.RECORD_BAD_EPOCH),
        (Record(number=4), lib.RECORD_BAD_NUMBER),
        (Record(number=6), lib.RECORD_BAD_NUMBER),
        (Record(input_count=0), lib.RECORD_BAD_INPUT),
        (Record(input_count=4), lib.RECORD_BAD_INPUT),
        (Record(input_count=33), lib.RECORD_BAD_INPUT),
        (Record(slots=[(60, 2, None)]), lib.RECORD_BAD_SLOT),
        (Record(slots=[(60, 0x82, None)]), lib.RECORD_BAD_SLOT),
        (Record(slots=[(60, 1, 16)]), lib.RECORD_BAD_SLOT),
        (Record(slots=[(60, 1, 1 << 31)]), lib.RECORD_BAD_SLOT),
        (Record(slots=[(60, 1, None)], slot_count=2), lib.RECORD_BAD_SLOT),
        (Record(pals=[(0, 3, 1, 9, WORKERS)]), lib.RECORD_BAD_PAL),
        (Record(pals=[(1, 3, 1, 9, 0), (1, 4, 1, 9, 0)]), lib.RECORD_BAD_PAL),
        (Record(dependencies=[(4, 0)]), lib.RECORD_BAD_VECTOR),
        (Record(dependencies=[(4, WORKERS)]), lib.RECORD_BAD_VECTOR),
    ],
)
def test_what_is_wrong_is_named(record: Record, fault: int) -> None:
    assert check(record.encode()) == fault


def test_a_record_that_is_not_all_there_is_refused() -> None:
    raw = Record().encode()
    assert check(raw, available=len(raw) - 16) == lib.RECORD_BAD_SIZE


@settings(max_examples=1000, deadline=None)
@given(st.binary(min_size=48, max_size=600))
def test_random_bytes_are_refused(raw: bytes) -> None:
    assert check(raw) != lib.RECORD_FINE


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_record_with_bytes_changed_never_reads_beyond_itself(
    changes: list[tuple[int, int]],
) -> None:
    """The verdict may be either; the memory behind the record is not there to be read."""
    raw = bytearray(Record(slots=[(60, 1, None), (100, 0, None)]).encode())
    for place, value in changes:
        raw[place % len(raw)] = value
    assert 0 <= check(bytes(raw)) < lib.RECORD_FAULTS
