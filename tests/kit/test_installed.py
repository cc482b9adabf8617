# SPDX-License-Identifier: BSD-3-Clause
"""ftmb installed as any package, not from its tree: headers, templates and fixture are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.test_new_element import TREE, output_of


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `pip install .` fills it, without what ftmb depends on."""
    tree = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(TREE / name, tree)
    for folder in ("ftmb", "recovery"):
        shutil.copytree(TREE / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    into = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", str(into), str(tree)],
        check=True,
    )  # fmt: skip
    return into


def test_an_element_is_made_built_and_tested(installed: Path, tmp_path: Path) -> None:
    """The dependencies are this run's, ftmb itself is the installed one."""
    paths = {"PYTHONPATH": str(installed), "PATH": f"{installed / 'bin'}:{os.environ['PATH']}"}
    python = [sys.executable, "-P"]
    where = "import ftmb; print(ftmb.__file__)"
    assert output_of([*python, "-c", where], tmp_path, **paths).startswith(str(installed))
    command = f"{sys.executable} -P -m ftmb"
    made = [*command.split(), "new-element", "counter"]
    assert "written" in output_of(made, tmp_path, **paths)
    make = ["make", f"FTMB={command}", f"PYTHON={sys.executable} -P"]
    assert f"-I{installed}" in output_of([*make, "all"], tmp_path / "counter", **paths)
    assert "0 breaches" in output_of([*make, "lint"], tmp_path / "counter", **paths)
    assert "16 passed" in output_of([*make, "test"], tmp_path / "counter", **paths)
