# SPDX-License-Identifier: BSD-3-Clause
"""Who comes first on a busy machine: who notices a failure, then who must be ready to follow.

All of them sleep most of the time. Worker and packet threads choose for themselves
(native/host/idle.h).
"""

from __future__ import annotations

import os

LOGGER_NICE = -20
REPLICA_NICE = -10  # once it is master or standby: its snapshot must not be held up
BACKGROUND_NICE = 10  # memory for the replica after next: packets come first


def come_first(nice: int) -> None:
    """For the calling process and what it starts; without the privilege it stays as it is."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        pass
