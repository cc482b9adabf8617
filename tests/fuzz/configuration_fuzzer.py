# SPDX-License-Identifier: BSD-3-Clause
"""A configuration of any bytes: it is valid, or gives problems with lines, and nothing else."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.fuzz.in_python import is_replay, run


def watched() -> contextlib.AbstractContextManager[object]:
    """Imports inside it are instrumented."""
    if is_replay():
        return contextlib.nullcontext()
    import atheris

    watch: contextlib.AbstractContextManager[object] = atheris.instrument_imports(
        include=["ftmb.configuration", "tomllib"]
    )
    return watch


with watched():
    from tests.fuzz.test_any_configuration import check


def try_input(data: bytes) -> None:
    check(data.decode(errors="replace"))


if __name__ == "__main__":
    run(try_input)
