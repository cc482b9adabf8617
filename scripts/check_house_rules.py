# SPDX-License-Identifier: BSD-3-Clause
"""Checks the house rules that a tool can check; prints each breach as file:line: rule.

- every source file begins with its SPDX mark;
- a C function has at most 70 lines, a .c file 450, a Python module 350;
- nothing is left marked as to be done;
- only ftmb/_native knows cffi.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPDX = "SPDX-License-Identifier: BSD-3-Clause"
SPDX_WITHIN_LINES = 3
MARKED_SUFFIXES = {".py", ".c", ".h", ".sh", ".mk", ".toml", ".md"}
MARKED_NAMES = {"Makefile", "run", ".gitignore", ".clang-format", "LICENSE"}
C_FUNCTION_LINES_MAX = 70
C_FILE_LINES_MAX = 450
PYTHON_MODULE_LINES_MAX = 350
TO_BE_DONE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
CFFI_IMPORT = re.compile(r"^\s*(?:import cffi|from cffi)\b")
C_FUNCTION_START = re.compile(r"^[A-Za-z_].*\)\s*\{?\s*$|^\{")

Breach = tuple[int, str]


def project_files() -> list[Path]:
    """Every file that git tracks or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in sorted(listing.split("\0")) if name and (ROOT / name).is_file()]


def spdx_breaches(path: Path, lines: list[str]) -> Iterator[Breach]:
    wanted = path.suffix in MARKED_SUFFIXES or path.name in MARKED_NAMES
    if wanted and lines and not any(SPDX in line for line in lines[:SPDX_WITHIN_LINES]):
        yield 1, f"the file does not begin with '{SPDX}'"


def length_breaches(path: Path, lines: list[str]) -> Iterator[Breach]:
    bound = {".c": C_FILE_LINES_MAX, ".py": PYTHON_MODULE_LINES_MAX}.get(path.suffix)
    if bound is not None and len(lines) > bound:
        yield bound, f"{len(lines)} lines; {bound} are allowed"


def c_function_breaches(path: Path, lines: list[str]) -> Iterator[Breach]:
    """A function's body runs from a '{' in the first column to the next '}' in the first column."""
    if path.suffix not in {".c", ".h"}:
        return
    start: int | None = None
    for number, line in enumerate(lines, 1):
        if start is None and C_FUNCTION_START.match(line) and line.rstrip().endswith("{"):
            start = number
        elif start is not None and line.startswith("}"):
            if number - start + 1 > C_FUNCTION_LINES_MAX:
                length = number - start + 1
                yield start, f"a function of {length} lines; {C_FUNCTION_LINES_MAX} are allowed"
            start = None


def word_breaches(path: Path, lines: list[str]) -> Iterator[Breach]:
    for number, line in enumerate(lines, 1):
        if TO_BE_DONE.search(line):
            yield number, "something is marked as to be done"


def cffi_breaches(path: Path, lines: list[str]) -> Iterator[Breach]:
    if path.suffix != ".py" or path.is_relative_to(ROOT / "ftmb" / "_native"):
        return
    for number, line in enumerate(lines, 1):
        if CFFI_IMPORT.match(line):
            yield number, "cffi is imported; only ftmb/_native may"


CHECKS = (spdx_breaches, length_breaches, c_function_breaches, word_breaches, cffi_breaches)


def breaches(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return [f"{name}:{number}: {rule}" for check in CHECKS for number, rule in check(path, lines)]


def main() -> int:
    found = [line for path in project_files() for line in breaches(path)]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
