# SPDX-License-Identifier: BSD-3-Clause
"""A leak in a real process is found; noise and settling down are not taken for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftmb.command_line import ExitStatus, run
from ftmb.soak.growth import ALLOWED, MEBIBYTE, Sample, judge, of_machine, of_process, take_sample

LEAKING = """
import os, sys, time
kept = []
print("ready", flush=True)
for line in sys.stdin:
    what = line.strip()
    if what == "descriptors":
        kept.append(os.open("/dev/null", os.O_RDONLY))
    elif what == "resident_bytes":
        kept.append(b"x" * (4 << 20))
    print("done", flush=True)
"""


@pytest.fixture
def leaking() -> Iterator[subprocess.Popen[str]]:
    """A process that leaks what it is told to."""
    with subprocess.Popen(
        [sys.executable, "-c", LEAKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.mark.parametrize("what", ["descriptors", "resident_bytes", "nothing"])
def test_a_leak_is_found(leaking: subprocess.Popen[str], what: str) -> None:
    assert leaking.stdin is not None and leaking.stdout is not None
    samples = []
    for number in range(15):
        print(what, file=leaking.stdin, flush=True)
        assert leaking.stdout.readline() == "done\n"
        samples.append(take_sample({"logger": leaking.pid}, time.monotonic(), number))
    own = [growth for growth in judge(samples) if growth.name.startswith("logger ")]
    assert len(own) == 4
    grown = [growth.name for growth in own if growth.is_too_much]
    assert grown == ([] if what == "nothing" else [f"logger {what}"]) or (
        what == "resident_bytes" and set(grown) == {"logger mappings", "logger resident_bytes"}
    )


def series(values: list[float]) -> list[Sample]:
    return [Sample(float(at), at, {"descriptors": value}) for at, value in enumerate(values)]


@given(st.lists(st.integers(100, 104), min_size=12, max_size=100))
def test_noise_is_not_growth(values: list[int]) -> None:
    assert not any(growth.is_too_much for growth in judge(series([float(v) for v in values])))


@given(st.integers(12, 200), st.floats(0.5, 10))
def test_what_goes_on_growing_is_found_in_the_end(count: int, step: float) -> None:
    grown = judge(series([100 + step * number for number in range(count)]))
    assert [growth.is_too_much for growth in grown] == [True] or step * count < 12


def test_a_first_high_does_not_hide_growth_and_settling_is_none() -> None:
    settling = judge(series([100.0, 300.0, *([200.0] * 28)]))
    assert not settling[0].is_too_much and settling[0].largest <= 300.0
    assert judge(series([1.0] * 3)) == []


def test_every_measure_has_an_allowance() -> None:
    measures = {*of_process(os.getpid()), *of_machine(), "processes"}
    assert measures == set(ALLOWED)
    assert of_process(os.getpid())["resident_bytes"] > MEBIBYTE


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_a_short_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a real box; that nothing grows is for longer ones to say."""
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    arguments = ["--minutes", "0.3", "--seed", "3", "--connections", "20", "--udp-rate", "1000"]
    status = run(["soak", *arguments, "--output", str(tmp_path / "soak")])
    report: dict[str, Any] = json.loads((tmp_path / "soak/report.json").read_text())
    assert report["broken"] == [] and status == ExitStatus.OK
    assert sum(report["failures_by_kind"].values()) >= 5 and report["failovers"] > 0
    assert report["growth"] and len(report["samples"]) >= 6
    assert report["drill"]["udp"]["lost"] == report["drill"]["digest"]["mismatched"] == 0
    assert (tmp_path / "soak/report.png").stat().st_size > 10_000
