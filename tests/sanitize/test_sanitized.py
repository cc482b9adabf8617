# SPDX-License-Identifier: BSD-3-Clause
"""The core under the address, undefined-behaviour and thread sanitizers; see sanitized.py."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.sanitize.sanitized import ROOT, TESTS, run

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler"),
    pytest.mark.timeout(900),
]
PROBES = {"thread": "data race", "address": "heap-buffer-overflow"}


@pytest.mark.parametrize("kind", TESTS)
def test_nothing_is_found(kind: str) -> None:
    status, said = run(kind, TESTS[kind])
    assert status == 0, said[:6000] + "\n...\n" + said[-2000:]
    assert " passed" in said


@pytest.mark.parametrize("kind", TESTS)
def test_it_would_be_found(kind: str) -> None:
    """A test that breaks the rules on purpose: the sanitizer is there, and is listened to."""
    probe = ROOT / "tests/sanitize/probe.py"
    status, said = run(kind, [f"{probe}::test_{kind}"])
    assert status != 0
    assert PROBES[kind] in said, said[-8000:]


def test_a_thousand_schedules_of_a_whole_box() -> None:
    """The simulator under the address and undefined-behaviour sanitizers: failures included. Its
    threads are contexts on stacks of their own, so that stacks themselves are not watched."""
    program = ROOT / "build/sanitize/address/ftmb-simulator"
    build = ["make", "--silent", "-j2", "simulator", "SANITIZE=address"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    result = subprocess.run(
        [program, "0", "1000"],
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-8000:]
    assert '"runs": 1000, "failures": 0' in result.stdout
