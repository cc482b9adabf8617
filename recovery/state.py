# SPDX-License-Identifier: BSD-3-Clause
"""How a box is, in one word."""

from __future__ import annotations

from ftmb.recovery.protection import Protection


def state_of(protection: Protection) -> str:
    """Starting, protected, protecting, unprotected or failed."""
    if protection.is_protected:
        return "protected"
    if protection.master is None:
        return "failed" if protection.was_ready else "starting"
    if not protection.wants_standby:
        return "unprotected"
    if not protection.was_ready:
        return "starting"
    return "protecting" if protection.standby is not None else "unprotected"
