# SPDX-License-Identifier: BSD-3-Clause
"""The packet helpers of elements, under sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Inative/include"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_headers_and_checksums(tmp_path: Path, seed: str) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = str(tmp_path / "packet_test")
    source = "tests/native/packet_test.c"
    command = [compiler, *FLAGS, *SANITIZE, source, "-o", program]
    subprocess.run(command, cwd=ROOT, check=True)
    result = subprocess.run([program, seed], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
