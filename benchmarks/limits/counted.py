# SPDX-License-Identifier: BSD-3-Clause
"""Counts what the roles execute and which lines they miss, under valgrind's callgrind.

Callgrind simulates two levels of caches. So the same program runs twice, at the same time: once
with the core's own L2 as the last level, once with the L3. Caches are simulated by the addresses
that the process uses, and each role has mapped the logs for itself; a line of a log that another
role wrote is therefore missed at all levels when it is first touched: that is what comes over from
another core.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.limits.cases import ROLES
from benchmarks.limits.profile import Cost, Dump, functions_of, parse
from ftmb.errors import FtmbError

BUILD = Path("build/limits")
CORE = BUILD / "modules/_core.abi3.so"
MARKS = BUILD / "marks.so"
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
LINE = 64
COUNTED_FUNCTIONS = 5
COPYING = ("memcpy", "memmove", "copy_frame")  # how the names of functions that copy frames begin
SECONDS_MAX = 300
TOGGLES = ("stepping_logger", "stepping_process")  # only what runs inside them counts
USUAL = {"L1i": (32 << 10, 8), "L1": (48 << 10, 12), "L2": (1 << 20, 16), "L3": (32 << 20, 16)}


def require_valgrind() -> None:
    """FtmbError that says what to do."""
    if shutil.which("valgrind") is None:
        raise FtmbError(
            "valgrind is not installed, which counts instructions and misses: `make setup` as "
            "root, or apt-get install valgrind"
        )


def build() -> None:
    """What is counted and what measures, by the Makefile."""
    made = subprocess.run(["make", "--silent", "limits"], capture_output=True, text=True)
    if made.returncode != 0:
        raise FtmbError(f"`make limits` failed:\n{(made.stdout + made.stderr)[-2000:]}")


def _size_of(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def simulated(size: int, ways: int) -> tuple[int, int]:
    """(bytes, ways) of the largest cache within `size` whose sets are a power of two."""
    sets = 1 << max(0, (size // (ways * LINE)).bit_length() - 1)
    ways = size // (sets * LINE)
    return sets * ways * LINE, ways


def caches() -> dict[str, tuple[int, int]]:
    """This machine's, or usual ones where it does not tell."""
    found = dict(USUAL)
    for index in sorted(CACHES.glob("index*")):
        level, kind, size, ways = (
            (index / name).read_text().strip()
            for name in ("level", "type", "size", "ways_of_associativity")
        )
        found[f"L{level}" + ("i" if kind == "Instruction" else "")] = simulated(
            _size_of(size), int(ways) or 16
        )
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "FTMB_NATIVE": str(CORE.parent)}


def stepped_command(cases: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.limits.stepped", str(MARKS), *cases]


def cycles_of(cases: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By case: packets of a turn, each role's cycles a packet of the same code at full speed."""
    done = subprocess.run(stepped_command(cases), env=_environment(), capture_output=True,
                          text=True, timeout=SECONDS_MAX)  # fmt: skip
    if done.returncode != 0:
        raise FtmbError(f"the stepped box failed:\n{done.stderr[-2000:]}")
    result: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return result


def _valgrind(last: tuple[int, int], into: Path) -> list[str]:
    known = caches()

    def option(name: str, cache: tuple[int, int]) -> str:
        return f"--{name}={cache[0]},{cache[1]},{LINE}"

    return [
        "valgrind", "--tool=callgrind", "--cache-sim=yes", "--instr-atstart=no",
        "--dump-instr=yes", "--dump-line=no", *(f"--toggle-collect={name}" for name in TOGGLES),
        option("I1", known["L1i"]), option("D1", known["L1"]), option("LL", last),
        f"--callgrind-out-file={into}/dump", f"--log-file={into}/log",
    ]  # fmt: skip


@contextlib.contextmanager
def _running(commands: Sequence[list[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """All at once; none is left behind."""
    started = [
        subprocess.Popen(command, env=_environment(), stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
        for command in commands
    ]  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


Counted = dict[str, dict[str, Cost]]  # by "case/role" and function, of a whole turn


def _read(folder: Path) -> Counted:
    by_role: dict[str, list[Dump]] = {}
    for path in folder.glob("dump.*"):
        with path.open() as lines:
            dump = parse(lines)
        if dump.trigger:
            by_role.setdefault(dump.trigger, []).append(dump)
    return {role: functions_of(dumps, CORE) for role, dumps in by_role.items()}


def _under_valgrind(cases: Sequence[str], into: Path) -> tuple[Counted, Counted]:
    """What was counted with the L2 and with the L3 as the last level."""
    folders = [into / level for level in ("L2", "L3")]
    for folder in folders:
        folder.mkdir()
    commands = [
        _valgrind(caches()[folder.name], folder) + stepped_command(cases) for folder in folders
    ]
    with _running(commands) as processes:
        for process, folder in zip(processes, folders, strict=True):
            _, told = process.communicate(timeout=SECONDS_MAX)
            if process.returncode != 0:
                log = (folder / "log").read_text() if (folder / "log").exists() else ""
                raise FtmbError(f"valgrind failed:\n{(log + told)[-2000:]}")
    return _read(folders[0]), _read(folders[1])


def count(cases: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By case and role: what figures() tells, and `cycles` a packet of the same code when it runs
    without valgrind. FtmbError if valgrind fails."""
    bare = cycles_of(cases)
    with tempfile.TemporaryDirectory(prefix="callgrind-", dir=BUILD) as name:
        l2, l3 = _under_valgrind(cases, Path(name))
    result: dict[str, dict[str, Any]] = {case: {} for case in cases}
    for case in cases:
        for role in ROLES:
            if (key := f"{case}/{role}") in l3:
                told = figures(l2[key], l3[key], bare[case]["packets"])
                result[case][role] = {"cycles": bare[case]["cycles"][role], **told}
    return result


def figures(l2: dict[str, Cost], l3: dict[str, Cost], packets: int) -> dict[str, Any]:
    """A packet's instructions, reads that missed L1, L2 and L3, writes that missed L3 (lines of a
    log that are written anew): of all, of what copies frames, of the most expensive functions."""

    def of(names: Iterable[str]) -> dict[str, float]:
        sums, small = Cost(), Cost()
        for name in names:
            sums.add(l3[name])
            small.add(l2.get(name, Cost()))
        return {
            "instructions": round(sums.instructions / packets, 2),
            "l1": round(sums.l1_reads / packets, 3),
            "l2": round(small.last_reads / packets, 3),
            "l3": round(sums.last_reads / packets, 3),
            "written": round(sums.last_writes / packets, 3),
        }

    first = sorted(l3, key=lambda name: l3[name].instructions, reverse=True)[:COUNTED_FUNCTIONS]
    return {
        **of(l3),
        "copying": of(name for name in l3 if name.startswith(COPYING)),
        "functions": [{"name": name, **of([name])} for name in first],
    }
