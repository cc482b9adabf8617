# SPDX-License-Identifier: BSD-3-Clause
"""Sources, compiled as an element is: objects to look into, and what the compiler warns of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftmb.kit import HEADERS
from ftmb.kit.lint.breach import Breach, LintError

# As little as possible is inlined away from where it stands, but what depends on the flow of
# values is found by an optimiser alone.
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-g0", "-fno-lto",
         "-Wuninitialized", "-Wmaybe-uninitialized", "-Winit-self", "-Wdiscarded-qualifiers",
         "-fanalyzer", "-Wanalyzer-use-of-uninitialized-value",
         "-fdiagnostics-format=json"]  # fmt: skip
QUOTATION_MARK = re.compile("[\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}]")
# The first name in quotes; the compiler may add to it what the name means to it at that place.
NAME = re.compile(r"'\W*(\w+?)(?:_\d+)?\b")
KINDS = {
    "-Wuninitialized": "uninitialised",
    "-Wmaybe-uninitialized": "uninitialised",
    "-Winit-self": "uninitialised",
    "-Wanalyzer-use-of-uninitialized-value": "uninitialised",
    "-Wdiscarded-qualifiers": "const",
}


def compiler() -> str:
    """gcc, whose warnings are asked for."""
    found = shutil.which(os.environ.get("CC", "gcc")) or shutil.which("gcc")
    if found is None:
        raise LintError("there is no compiler: install gcc, or set CC")
    return found


def include_flags(include: list[Path]) -> list[str]:
    return [f"-I{folder}" for folder in (HEADERS, *include)]


def compile_source(source: Path, target: Path, include: list[Path]) -> Iterator[Breach]:
    """Compiles one file; what the compiler says of it, errors among it."""
    command = [compiler(), *FLAGS, *include_flags(include), "-c", str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        # After an error that ends all, words follow.
        told: list[dict[str, Any]] = json.JSONDecoder().raw_decode(done.stderr or "[]")[0]
    except ValueError:
        raise LintError(f"{source} cannot be compiled: {done.stderr.strip()}") from None
    for one in told:
        kind = KINDS.get(one.get("option", ""), "source" if one["kind"] != "warning" else None)
        if kind is not None and one["kind"] != "note":
            place: dict[str, Any] = {"file": str(source), "line": 0}
            if one["locations"]:
                place = one["locations"][0]["caret"]
            message = QUOTATION_MARK.sub("'", one["message"])
            quoted = NAME.search(message)
            what = quoted[1] if quoted else message
            if kind == "uninitialised":
                message = f"of {what} bytes are read that were not written before"
            yield Breach(place["file"], place["line"], kind, what, message)
