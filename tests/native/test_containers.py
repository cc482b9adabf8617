# SPDX-License-Identifier: BSD-3-Clause
"""The containers of the arena, by random operations against models, under sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    "tests/native/containers_test.c",
    *(f"native/arena/{name}.c" for name in ("hash_table", "free_list", "timer_wheel")),
]
VARIANTS = {
    "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "without SSE2": ["-O1", "-DHASH_TABLE_SCALAR", "-fsanitize=undefined"],
    "optimized": ["-O3", "-march=native"],
}


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda name: name)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("containers") / "containers_test"
    flags = [
        "-std=gnu11",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Inative",
        *VARIANTS[request.param],
    ]
    subprocess.run([compiler, *flags, *SOURCES, "-o", str(path)], cwd=ROOT, check=True)
    return path


@pytest.mark.parametrize("seed", range(1, 6))
def test_containers_agree_with_their_models(program: Path, seed: int) -> None:
    result = subprocess.run([str(program), str(seed)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
