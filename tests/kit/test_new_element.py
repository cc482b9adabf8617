# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb new-element`: what it writes is built, linted, tested, failed over, as its user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftmb.command_line import ExitStatus, run
from ftmb.kit import new_element
from ftmb.kit.lint import lint

TREE = Path(__file__).parent.parent.parent
LINES_MAX = 60


def output_of(command: list[str], folder: Path, **environment: str) -> str:
    """Of a command that must succeed, with the `ftmb` and Python of this run."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    whole = {**os.environ, "PATH": path, **environment}
    done = subprocess.run(command, cwd=folder, env=whole, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_outside_the_tree_it_is_built_linted_and_failed_over(made: Path) -> None:
    source = made / f"{made.name}.c"
    assert len(source.read_text().splitlines()) <= LINES_MAX
    assert "0 breaches" in output_of(["make", "lint"], made)
    said = output_of(["make", "test", "PYTHON=python -P"], made)
    assert "16 passed" in said  # of which every second one fails over
    assert made.name in output_of(["ftmb", "check", "box.toml"], made)


def test_its_tests_see_a_mistake(made: Path) -> None:
    """That of not taking the variable: replay's order is another one, and shows."""
    source = made / f"{made.name}.c"
    text = source.read_text()
    for call in ("ftmb_shared_acquire", "ftmb_shared_release"):
        text = text.replace(f"{call}(", "(void)(")
    text = text.replace("totals->packets++;", "totals->packets += 1 + (ftmb_random(context) & 1);")
    source.write_text(text)
    with pytest.raises(AssertionError, match="failed"):
        output_of(["make", "test", "PYTHON=python -P"], made)


def test_inside_the_tree_it_is_one_of_the_projects_elements(name: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in ("elements", "native"):
        shutil.copytree(TREE / folder, tree / folder)
    made = new_element.inside(name, tree)
    assert tree / f"tests/elements/test_{name}.py" in made.files
    assert f"[`{name}`]({name}/README.md)" in (tree / "elements/README.md").read_text()
    assert lint([tree / "elements" / name]) == []
    style = f"--style=file:{TREE / '.clang-format'}"
    sources = [str(path) for path in made.files if path.suffix == ".c"]
    output_of(["clang-format", style, "--dry-run", "-Werror", *sources], tree)

    # The core once more, with the list of elements that it now has.
    archive = shutil.copy(TREE / "build/native/libftmb_core.a", tree)
    flags = ["-std=gnu11", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-I", "native/include"]
    for source in sources:
        output_of(["cc", *flags, "-I", "elements", "-c", source], tree)
    objects = [Path(source).with_suffix(".o").name for source in sources]
    output_of(["ar", "r", archive, *objects], tree)
    build = [sys.executable, str(TREE / "ftmb/_native/build.py")]
    output_of([*build, "core", str(tree), str(tree / "modules")], tree)
    tested = [sys.executable, "-m", "pytest", "-q", f"tests/elements/test_{name}.py"]
    assert "16 passed" in output_of(tested, tree, FTMB_NATIVE=str(tree / "modules"))


def test_the_list_of_elements_stays_in_order(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(TREE / "elements", tree / "elements")
    for name in ("zebra", "aardvark", "mole"):
        new_element.inside(name, tree)
    listed = (tree / "elements/elements.c").read_text()
    names = [line.strip("& ,\n").removesuffix("_class") for line in listed.splitlines()
             if line.startswith("    &")]  # fmt: skip
    assert names == sorted(names) and {"zebra", "aardvark", "mole", "nat"} <= set(names)
    rows = new_element.TABLE_ROW.findall((tree / "elements/README.md").read_text())
    assert rows == sorted(rows) and len(rows) == len(names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nat", "there is an element 'nat' already"),
        ("int", "cannot be an element's name"),
        ("class", "cannot be an element's name"),
        ("Counter", "cannot be an element's name"),
        ("../counter", "cannot be an element's name"),
        ("c" * 33, "cannot be an element's name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new-element", name, "--into", str(tmp_path / "new")]) == ExitStatus.NOT_STARTED
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_is_there_is_not_written_over(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "README.md").write_text("mine")
    (made / f"{made.name}.c").unlink()
    assert run(["new-element", made.name, "--into", str(made)]) == ExitStatus.NOT_STARTED
    assert "there already" in capsys.readouterr().err
    assert (made / "README.md").read_text() == "mine"
    assert not (made / f"{made.name}.c").exists()


def test_it_is_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mole"
    assert run(["new-element", "mole", "--into", str(folder), "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert all(Path(path).is_file() for path in told["files"])
    assert told["next"][1] == "make"
