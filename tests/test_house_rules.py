# SPDX-License-Identifier: BSD-3-Clause
"""The checker of the house rules finds what it is meant to find."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("rules", ROOT / "scripts" / "check_house_rules.py")
assert SPEC is not None and SPEC.loader is not None
rules = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rules)

MARK = "SPDX-License-Identifier: BSD-3-Clause"


def found(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text)
    return "\n".join(rules.breaches(path))


def test_the_project_keeps_them() -> None:
    assert [line for path in rules.project_files() for line in rules.breaches(path)] == []


@pytest.mark.parametrize("name", ["a.py", "a.c", "a.h", "a.sh", "a.toml", "a.md", "Makefile"])
def test_a_missing_mark(tmp_path: Path, name: str) -> None:
    assert "does not begin" in found(tmp_path, name, "x\n")
    assert found(tmp_path, name, f"# {MARK}\n") == ""


def test_long_functions_and_files(tmp_path: Path) -> None:
    function = "static int\nlong_one(int x)\n{\n" + "    x++;\n" * 69 + "}\n"
    assert "71 lines; 70" in found(tmp_path, "a.c", f"/* {MARK} */\n" + function)
    one_line = "int long_one(int x) {\n" + "    x++;\n" * 69 + "}\n"
    assert "71 lines; 70" in found(tmp_path, "a.c", f"/* {MARK} */\n" + one_line)
    table = "static const int table[] = {\n" + "    1,\n" * 90 + "};\n"
    assert found(tmp_path, "a.c", f"/* {MARK} */\n" + table) == ""
    assert "450 are allowed" in found(tmp_path, "a.c", f"/* {MARK} */\n" + "\n" * 450)
    assert "350 are allowed" in found(tmp_path, "a.py", f"# {MARK}\n" + "\n" * 350)


def test_unfinished_work_and_cffi(tmp_path: Path) -> None:
    word = "TO" + "DO"
    assert "to be done" in found(tmp_path, "a.py", f"# {MARK}\n# {word}: later\n")
    assert "only ftmb/_native" in found(tmp_path, "a.py", f"# {MARK}\nfrom cffi import FFI\n")
