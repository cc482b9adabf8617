# SPDX-License-Identifier: BSD-3-Clause
"""Which boxes run here: each has a folder of its name, with a socket, in the run directory."""

from __future__ import annotations

import os
from pathlib import Path

from ftmb.errors import NotRunningError

SOCKET_NAME = "control.sock"


def run_directory() -> Path:
    return Path(os.environ.get("FTMB_RUN_DIRECTORY", "/run/ftmb"))


def running_names() -> list[str]:
    try:
        sockets = run_directory().glob(f"*/{SOCKET_NAME}")
        return sorted(socket.parent.name for socket in sockets)
    except FileNotFoundError:
        return []


def choose(name: str | None) -> str:
    """The box that the user means; raises NotRunningError when that is not clear."""
    names = running_names()
    if name is not None:
        if name in names:
            return name
        others = f"; running: {', '.join(names)}" if names else ""
        raise NotRunningError(f"no box '{name}' is running here{others}")
    if not names:
        raise NotRunningError("no box is running here; start one with: ftmb up CONFIG.toml")
    if len(names) > 1:
        raise NotRunningError(f"several boxes are running; name one of: {', '.join(names)}")
    return names[0]
