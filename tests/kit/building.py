# SPDX-License-Identifier: BSD-3-Clause
"""Elements outside the tree, compiled as their authors would."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ftmb.kit import HEADERS

FLAGS = ["-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", f"-I{HEADERS}", "-w"]


def build(source: Path, target: Path, *more: str) -> Path:
    """The shared object of one source."""
    command = ["cc", *FLAGS, *more, "-shared", "-o", str(target), str(source)]
    subprocess.run(command, check=True)
    return target
