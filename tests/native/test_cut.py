# SPDX-License-Identifier: BSD-3-Clause
"""The cut against a brute-force greatest fixed point."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ftmb._native.check import ffi, lib

MASK = 63
UNSET = (1 << 64) - 1  # in a place that has no vector of its own
Vectors = list[list[list[int]]]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Vectors, list[int]]:
    """Vectors D(i, n) that never shrink, and what was received of each worker."""
    workers = draw(st.integers(1, 3))
    vectors: Vectors = []
    for worker in range(workers):
        rows = [[0] * workers]
        for number in range(1, draw(st.integers(0, 5)) + 1):
            row = [max(old, draw(st.integers(0, 5))) for old in rows[-1]]
            row[worker] = number
            rows.append(row)
        vectors.append(rows)
    received = [draw(st.integers(0, len(rows) - 1)) for rows in vectors]
    return vectors, received


def brute_force(vectors: Vectors, received: list[int]) -> list[int]:
    """The join of all closed cuts, which is closed itself."""
    greatest = [0] * len(received)
    for cut in itertools.product(*(range(r + 1) for r in received)):
        if all(
            entry <= limit
            for worker, number in enumerate(cut)
            for entry, limit in zip(vectors[worker][number], cut, strict=True)
        ):
            greatest = [max(a, b) for a, b in zip(greatest, cut, strict=True)]
    return greatest


def advance(vectors: Vectors, received: list[int], cut: list[int]) -> tuple[list[int], int]:
    workers = len(received)
    queues = ffi.new("struct cut_queue[]", workers)
    kept = []
    for worker, rows in enumerate(vectors):
        flat = ffi.new("uint64_t[]", [UNSET] * ((MASK + 1) * workers))
        changed = ffi.new("uint64_t[]", MASK + 1)
        last: list[int] = []
        for number, row in enumerate(rows):
            others = row[:worker] + row[worker + 1 :]
            changed[number & MASK] = number if others != last else changed[(number - 1) & MASK]
            if others != last:
                for index, entry in enumerate(row):
                    flat[(number & MASK) * workers + index] = entry if index != worker else 0
            last = others
        kept.append((flat, changed))
        queues[worker].received = received[worker]
        queues[worker].vectors = flat
        queues[worker].changed = changed
        queues[worker].mask = MASK
    result = ffi.new("uint64_t[]", cut)
    advanced = lib.cut_advance(queues, workers, result)
    return list(result), advanced


@settings(max_examples=500, deadline=None)
@given(histories())
def test_it_is_the_greatest_closed_cut(history: tuple[Vectors, list[int]]) -> None:
    vectors, received = history
    cut, advanced = advance(vectors, received, [0] * len(received))
    assert cut == brute_force(vectors, received)
    assert advanced == sum(cut)


@settings(max_examples=300, deadline=None)
@given(histories(), st.data())
def test_step_by_step_it_is_the_same(
    history: tuple[Vectors, list[int]], data: st.DataObject
) -> None:
    vectors, received = history
    cut = [0] * len(received)
    so_far = [0] * len(received)
    while so_far != received:
        open_queues = [i for i, r in enumerate(received) if so_far[i] < r]
        so_far[data.draw(st.sampled_from(open_queues))] += 1
        cut, _ = advance(vectors, so_far, cut)
        assert cut == brute_force(vectors, so_far)


def test_two_records_that_need_each_other_are_committed_together() -> None:
    vectors = [[[0, 0], [1, 1]], [[0, 0], [1, 1]]]
    assert advance(vectors, [1, 0], [0, 0]) == ([0, 0], 0)
    assert advance(vectors, [1, 1], [0, 0]) == ([1, 1], 2)


def test_half_a_record_is_not_enough() -> None:
    """Worker 1's record needs worker 0's first, whose second half needs worker 2's: not there."""
    vectors = [[[0, 0, 0], [1, 0, 1]], [[0, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]]]
    assert advance(vectors, [1, 1, 0], [0, 0, 0])[0] == [0, 0, 0]
    assert advance(vectors, [1, 1, 1], [0, 0, 0])[0] == [1, 1, 1]
