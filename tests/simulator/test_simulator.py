# SPDX-License-Identifier: BSD-3-Clause
"""The simulator finds nothing in the code as it is, and every mistake that is planted in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ftmb import simulation
from ftmb.command_line import ExitStatus, run

NATIVE = simulation.PROGRAM.parent
REGRESSIONS = Path(__file__).with_name("regression_seeds.txt")
SEEDS = int(os.environ.get("FTMB_SIMULATE_SEEDS", "20000"))
MISTAKE_SEEDS = 10_000


def regression_seeds() -> list[int]:
    lines = REGRESSIONS.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


@pytest.mark.timeout(900)
def test_no_schedule_breaks_an_invariant() -> None:
    total = simulation.Outcome()

    def report(outcome: simulation.Outcome) -> bool:
        total.add(outcome)
        return not outcome.failures

    simulation.run(0, SEEDS, report=report)
    told = [f"{failure.reason}: {failure.how_to_repeat(None)}" for failure in total.failures]
    assert not told, told[0]
    assert total.runs == SEEDS
    assert total.doubled > SEEDS / 100, "release none must double what left too early"
    assert total.failovers > SEEDS and total.state_losses > SEEDS / 4, "it must be put to the test"


def test_seeds_that_failed_once_pass() -> None:
    for seed in regression_seeds():
        assert simulation.run_seeds(seed, seed + 1).failures == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mistake", simulation.mistakes())
def test_a_planted_mistake_is_caught(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    caught = simulation.seeds_until_caught(mistake, MISTAKE_SEEDS)
    assert caught is not None, f"{mistake} survived {MISTAKE_SEEDS} seeds"
    with capsys.disabled():
        print(f"\n{mistake}: caught after {caught.seed + 1} seeds", end=" ")


def test_there_are_enough_mistakes() -> None:
    assert len(simulation.mistakes()) >= 16


@pytest.mark.parametrize("seed", [1, 4, 11])
def test_the_same_seed_gives_the_same_run_byte_for_byte(seed: int) -> None:
    steps = list(simulation.trace(seed))
    assert len(steps) > 500
    assert steps == list(simulation.trace(seed))
    assert steps != list(simulation.trace(seed + 1))


def test_a_run_does_not_depend_on_the_runs_before_it() -> None:
    alone = [simulation.run_seeds(seed, seed + 1) for seed in range(40, 60)]
    together = simulation.run_seeds(40, 60)
    assert together.steps == sum(outcome.steps for outcome in alone)
    assert together.records == sum(outcome.records for outcome in alone)


def test_a_failing_seed_is_told_with_the_line_that_repeats_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["simulate", "--seeds", "0:50", "--mistake", "released-before-commit"]
    assert run(arguments) == ExitStatus.GUARANTEE_BROKEN
    told = capsys.readouterr().out
    (line, *_) = [line for line in told.splitlines() if "again: " in line]
    repeated = line.split("again: ftmb ")[1].split()
    assert run(repeated) == ExitStatus.OK
    assert "output commit: a record is released that is not committed" in capsys.readouterr().out


def test_bad_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["--seeds", "9:3"],
        ["--seeds", "x"],
        ["--mistake", "none-such"],
        ["--trace"],
    ):
        assert run(["simulate", *arguments]) == ExitStatus.USAGE
        assert capsys.readouterr().err


@pytest.mark.parametrize("module", ["_core.abi3.so", "_dpdk.abi3.so"])
def test_a_normal_build_knows_neither_points_nor_mistakes(module: str) -> None:
    symbols = subprocess.check_output(["nm", "-a", NATIVE / module], text=True)
    assert "simulation_" not in symbols
    assert b"simulation_mistake" in simulation.PROGRAM.read_bytes(), "or this test sees nothing"
