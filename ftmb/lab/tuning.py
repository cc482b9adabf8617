# SPDX-License-Identifier: BSD-3-Clause
"""A setting of the whole machine that a busy lab needs, put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BACKLOG = Path("/proc/sys/net/core/netdev_max_backlog")
BACKLOG_MIN = 20_000


@contextmanager
def long_backlog() -> Iterator[None]:
    """Packets that a core has yet to take from a wire: the usual 1000 are too few for bursts."""
    before = BACKLOG.read_text().strip()
    if int(before) < BACKLOG_MIN:
        BACKLOG.write_text(str(BACKLOG_MIN))
    try:
        yield
    finally:
        BACKLOG.write_text(before)
