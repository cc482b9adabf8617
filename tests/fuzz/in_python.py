# SPDX-License-Identifier: BSD-3-Clause
"""What the fuzzers in Python share: libFuzzer by atheris, or a plain run over files.

`NAME_fuzzer.py [libFuzzer's options] FOLDER...`, or `NAME_fuzzer.py --replay FOLDER` for measuring
what a corpus reaches.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path


def is_replay() -> bool:
    """Whether nothing is to be instrumented."""
    return sys.argv[1:2] == ["--replay"]


def run(try_input: Callable[[bytes], None]) -> None:
    """Does not return when it fuzzes."""
    if is_replay():
        for path in sorted(Path(sys.argv[2]).iterdir()):
            try_input(path.read_bytes())
        return
    import atheris

    # libFuzzer starts itself again, for a merge: by this name it can.
    arguments = [os.environ.get("FTMB_FUZZER", sys.argv[0]), *sys.argv[1:]]
    atheris.Setup(arguments, try_input)
    atheris.Fuzz()
