# SPDX-License-Identifier: BSD-3-Clause
"""What every traffic program does: stop on SIGTERM, say ready, write results."""

from __future__ import annotations

import gc
import json
import signal
from array import array
from pathlib import Path
from types import FrameType
from typing import Any

from ftmb import priority


class Stop:
    """True once the program was asked to end."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._request)
        signal.signal(signal.SIGINT, self._request)

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested = True

    def __bool__(self) -> bool:
        return self.requested


def come_first() -> None:
    """For a program whose own times are told. Its host stands for a machine of its own, but here it
    shares the cores with the box, whose threads would come before it: what it then waits is no
    stall of a connection."""
    priority.session_comes_first(priority.LOGGER_NICE)
    priority.come_first(priority.LOGGER_NICE)


def ready() -> None:
    """From here on no garbage collection: its pauses would be measured as stalls."""
    gc.freeze()
    gc.disable()
    print("ready", flush=True)


def write_results(base: str, figures: dict[str, Any], columns: dict[str, array[int]]) -> None:
    for name, column in columns.items():
        with open(f"{base}.{name}", "wb") as file:
            column.tofile(file)
    temporary = Path(f"{base}.json.new")
    temporary.write_text(json.dumps(figures))
    temporary.rename(f"{base}.json")
