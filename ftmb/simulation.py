# SPDX-License-Identifier: BSD-3-Clause
"""Running the simulator: seeds in chunks over the cores, failures as they come.

The simulator itself is C (native/simulator/) and a program of its own, so that a run which crashes
is a failed seed and nothing more.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

PROGRAM = Path(__file__).parent / "_native/ftmb-simulator"
CHUNK = 250  # seeds that one start of the program runs
SEED_PATIENCE_S = 20.0  # a run takes milliseconds
EXIT_FAILURES, EXIT_CRASHED = 1, 3


@dataclass(frozen=True)
class Failure:
    """A seed whose run broke an invariant."""

    seed: int
    reason: str

    def how_to_repeat(self, mistake: str | None) -> str:
        planted = f" --mistake {mistake}" if mistake else ""
        return f"ftmb simulate --seeds {self.seed}{planted} --trace"


@dataclass
class Outcome:
    """What some seeds came to."""

    runs: int = 0
    steps: int = 0
    records: int = 0
    failovers: int = 0
    state_losses: int = 0
    doubled: int = 0  # packets, by failures under release "none"
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.runs += other.runs
        self.steps += other.steps
        self.records += other.records
        self.failovers += other.failovers
        self.state_losses += other.state_losses
        self.doubled += other.doubled
        self.failures += other.failures


def mistakes() -> dict[str, str]:
    """The mistakes that can be planted: names in kebab-case, and the rules that they break."""
    listing = subprocess.check_output([PROGRAM, "mistakes"], text=True)
    entries = (line.split("\t") for line in listing.splitlines())
    return {name.lower().replace("_", "-"): rule for name, rule in entries}


def trace(seed: int, mistake: str | None = None) -> Iterator[str]:
    """What happened in one run, line by line."""
    arguments = [str(PROGRAM), str(seed), str(seed + 1), *_named(mistake), "trace"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            yield line.rstrip("\n")


def run_seeds(first: int, last: int, mistake: str | None = None) -> Outcome:
    """Runs seeds first .. last - 1 one after the other, also behind one that crashes or hangs."""
    outcome = Outcome()
    while first < last:
        first = _run_until_crash(first, last, mistake, outcome)
    return outcome


def _named(mistake: str | None) -> list[str]:
    return [mistake.upper().replace("-", "_")] if mistake else []


def _run_until_crash(first: int, last: int, mistake: str | None, outcome: Outcome) -> int:
    """The seed to go on with."""
    arguments = [str(PROGRAM), str(first), str(last), *_named(mistake)]
    patience = SEED_PATIENCE_S + 0.5 * (last - first)
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        if last - first > 1:  # one of them hangs: look at each by itself
            for seed in range(first, last):
                _run_until_crash(seed, seed + 1, mistake, outcome)
        else:
            outcome.add(Outcome(1, failures=[Failure(first, "the run did not end")]))
        return last
    if done.returncode not in (0, EXIT_FAILURES, EXIT_CRASHED):
        raise RuntimeError(f"the simulator ended with {done.returncode}: {done.stderr}")
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if "seed" in entry:
            outcome.failures.append(Failure(entry["seed"], entry["failure"]))
        else:
            sums = ("runs", "steps", "records", "failovers", "state_losses", "doubled")
            outcome.add(Outcome(*(entry[name] for name in sums)))
    if done.returncode == EXIT_CRASHED:
        crashed = outcome.failures[-1].seed
        outcome.runs += crashed + 1 - first
        return crashed + 1
    return last


def run(
    first: int,
    last: int | None,
    *,
    mistake: str | None = None,
    jobs: int | None = None,
    report: Callable[[Outcome], bool],
) -> None:
    """Runs the seeds over `jobs` cores; `last` None: on and on.

    `report` is given what each chunk came to, in any order, and says whether to go on.
    """
    jobs = jobs or len(os.sched_getaffinity(0))
    starts = count(first, CHUNK) if last is None else iter(range(first, last, CHUNK))
    with ThreadPoolExecutor(jobs) as pool:
        running: set[Future[Outcome]] = set()
        goes_on = True
        while goes_on or running:
            while goes_on and len(running) < jobs and (start := next(starts, None)) is not None:
                end = start + CHUNK if last is None else min(start + CHUNK, last)
                running.add(pool.submit(run_seeds, start, end, mistake))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for chunk in done:
                goes_on = report(chunk.result()) and goes_on


def seeds_until_caught(mistake: str, bound: int) -> Failure | None:
    """The first seed that catches a planted mistake, below `bound`; None: it survived."""
    first = 0
    while first < bound:
        last = min(bound, max(first + 25, 2 * first))  # most are caught by the first few
        outcome = run_seeds(first, last, mistake)
        if outcome.failures:
            return min(outcome.failures, key=lambda failure: failure.seed)
        first = last
    return None
