# SPDX-License-Identifier: BSD-3-Clause
"""Every fuzzer over its whole corpus and all regressions, then on for a moment."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.fuzz.run_fuzzers import AIMS, REGRESSIONS, ROOT, fuzz, is_python, targets

SECONDS = 2


@pytest.fixture(scope="module")
def fuzzers() -> None:
    if shutil.which("clang") is None:
        pytest.skip("no clang")
    built = subprocess.run(
        ["make", "--silent", "-j2", "fuzzers"], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr


def test_every_target_has_an_aim_and_every_regression_a_target() -> None:
    assert sorted(AIMS) == targets()
    for path in REGRESSIONS.iterdir():
        assert path.name.partition("-")[0] in targets(), path


@pytest.mark.parametrize("target", targets())
def test_nothing_is_found(fuzzers: None, target: str) -> None:
    if is_python(target):
        pytest.importorskip("atheris")
    result = fuzz(target, SECONDS)
    assert result.returncode == 0, result.stderr[-6000:]
