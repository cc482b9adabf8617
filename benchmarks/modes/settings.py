# SPDX-License-Identifier: BSD-3-Clause
"""The ways to protect a box, or not to, that are compared: settings of the same binary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mode:
    """`release`, `pal` and `protection` as in a box's configuration; times in ms."""

    name: str
    title: str
    protection: str = "standby"
    release: str = "parallel"
    pal: str = "hand-overs"
    checkpoint_ms: int | None = None

    @property
    def is_replayed(self) -> bool:
        """Whether a standby follows the logs."""
        return self.protection == "standby" and self.release != "checkpoint"

    def configuration(self) -> dict[str, Any]:
        """Keys of a box's TOML."""
        keys: dict[str, Any] = {
            "protection": self.protection,
            "release": self.release,
            "pal": self.pal,
        }
        return keys | ({"checkpoint_ms": self.checkpoint_ms} if self.checkpoint_ms else {})


MODES = (
    Mode("unprotected", "no protection", protection="none"),
    Mode("parallel", "ftmb"),
    Mode("no_commit", "no output commit", release="none"),
    Mode("every_access", "every access logged", pal="every-access"),
    Mode("checkpoint_25", "checkpoints, 25 ms", release="checkpoint", checkpoint_ms=25),
    Mode("checkpoint_50", "checkpoints, 50 ms", release="checkpoint", checkpoint_ms=50),
)
