# SPDX-License-Identifier: BSD-3-Clause
"""The structured log: one JSON object a line on standard error.

Written with the standard library alone: a logging framework's import takes longer than a replica
takes to start, and every millisecond of that is time without protection.
"""

from __future__ import annotations

import datetime
import json
import os
import sys


def note(event: str, **fields: object) -> None:
    """Writes one event with its fields; never raises, since a full disk must not end a process."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    line = json.dumps({"time": now, "pid": os.getpid(), "event": event, **fields}, default=str)
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except OSError:
        pass
