# SPDX-License-Identifier: BSD-3-Clause
"""Maglev's table: against the paper's example and claims, and an implementation of our own of the
paper's pseudo-code (Eisenbud et al., NSDI 2016: section 3.4, table 1, section 5.3)."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["tests/elements/maglev_table.c", "elements/load_balancer/balancer_maglev.c"]
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Ielements",
         "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]  # fmt: skip
SMALL, LARGE, BACKENDS = 65537, 655373, 1000  # of the paper's section 5.3
WORD = (1 << 64) - 1
PRIMES = [3, 5, 7, 11, 13, 31, 101, 251, 1009]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("maglev") / "maglev_table"
    subprocess.run([compiler, *FLAGS, *SOURCES, "-o", str(path)], cwd=ROOT, check=True)
    return path


@dataclass(frozen=True)
class Named:
    """A backend as the element names it: address, port and protocol."""

    name: bytes
    weight: int = 1


def named(number: int, weight: int = 1) -> Named:
    address = bytes(10) + b"\xff\xff" + ipaddress.IPv4Address(0x0A000000 + number).packed
    return Named(address + (8080).to_bytes(2, "big") + b"\x06", weight)


def made(program: Path, size: int, lines: Sequence[str]) -> np.ndarray:
    told = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([str(program), str(size)], input=told.encode(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, "<u2")


def table(program: Path, size: int, backends: Sequence[Named]) -> np.ndarray:
    return made(program, size, [f"name {b.name.hex()} {b.weight}" for b in backends])


# ---- The reference: the paper's words in Python, permutations written out ----


def hashed(name: bytes, seed: int) -> int:
    """FNV-1a behind a seed, then the mixer of MurmurHash3."""
    value = (0xCBF29CE484222325 ^ seed) * 0x100000001B3 & WORD
    for byte in name:
        value = (value ^ byte) * 0x100000001B3 & WORD
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor & WORD
    return value ^ value >> 33


def permutation(backend: Named, size: int) -> list[int]:
    offset = hashed(backend.name, 1) % size
    skip = hashed(backend.name, 2) % (size - 1) + 1
    return [(offset + place * skip) % size for place in range(size)]


def reference(size: int, backends: Sequence[Named]) -> list[int]:
    """POPULATE of the paper; a weight is how often a backend has its turn, the heaviest always."""
    permutations = [permutation(backend, size) for backend in backends]
    heaviest = max(backend.weight for backend in backends)
    following = [0] * len(backends)
    turns = [0] * len(backends)
    entries = [-1] * size
    filled = rounds = 0
    while True:
        rounds += 1
        for number, backend in enumerate(backends):
            if rounds * backend.weight // heaviest == turns[number]:
                continue
            turns[number] += 1
            while entries[permutations[number][following[number]]] >= 0:
                following[number] += 1
            entries[permutations[number][following[number]]] = number
            following[number] += 1
            filled += 1
            if filled == size:
                return entries


# ---- Against what others wrote ----


def test_the_papers_table_1(program: Path) -> None:
    """Offsets and skips of B0 to B2 with 7 places, before and after B1 is removed."""
    orders = ["order 3 4 1", "order 0 2 1", "order 3 1 1"]
    assert made(program, 7, orders).tolist() == [1, 0, 1, 0, 2, 2, 0]
    without = np.array([0, 2])[made(program, 7, [orders[0], orders[2]])]
    assert without.tolist() == [0, 0, 0, 0, 2, 2, 2]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_papers_balance(program: Path, size: int) -> None:
    """All get the same number of places, one more or less; more than 100 for each are within 1%."""
    for count in (1, 2, 10, 100, BACKENDS):
        counts = np.bincount(table(program, size, [named(n) for n in range(count)]))
        assert len(counts) == count
        assert counts.max() - counts.min() <= 1
        if size > 100 * count:
            assert counts.max() <= 1.01 * counts.min()


def changed(program: Path, size: int, gone: int) -> float:
    """The share of all entries that belonged to who stays, and changed hands, when some go."""
    staying = [number for number in range(BACKENDS) if number % (BACKENDS // gone) != 0]
    assert len(staying) == BACKENDS - gone
    before = table(program, size, [named(n) for n in range(BACKENDS)])
    after = np.array(staying)[table(program, size, [named(n) for n in staying])]
    kept = np.isin(before, staying)
    return float((before != after)[kept].sum()) / size


def test_the_papers_disruption(program: Path) -> None:
    """Section 5.3: more changes the more fail at once, and fewer the larger the table is."""
    small = [changed(program, SMALL, gone) for gone in (1, 5, 10, 50)]
    large = [changed(program, LARGE, gone) for gone in (1, 5, 10, 50)]
    assert small == sorted(small)
    assert all(more > less for more, less in zip(small, large, strict=True))
    assert small[0] < 0.01, "one of a thousand moves hardly anybody else"


# ---- Against the reference ----


@pytest.mark.parametrize(("size", "count"), [(SMALL, 10), (SMALL, 100)])
def test_the_papers_table_size(program: Path, size: int, count: int) -> None:
    backends = [named(number, 1 + number % 3) for number in range(count)]
    assert table(program, size, backends).tolist() == reference(size, backends)


names = st.binary(min_size=19, max_size=19)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_table_is_the_references(program: Path, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(PRIMES))
    chosen = data.draw(st.lists(names, min_size=1, max_size=min(size - 1, 40), unique=True))
    backends = [Named(name, data.draw(st.integers(1, 256))) for name in chosen]
    assert table(program, size, backends).tolist() == reference(size, backends)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 256), min_size=1, max_size=60))
def test_shares_follow_weights(program: Path, weights: list[int]) -> None:
    size = 65537
    backends = [named(number, weight) for number, weight in enumerate(weights)]
    counts = np.bincount(table(program, size, backends), minlength=len(weights))
    rounds = counts[int(np.argmax(weights))]
    shares = rounds * np.array(weights) / max(weights)
    assert (abs(counts - shares) <= 2).all()
