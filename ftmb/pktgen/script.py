# SPDX-License-Identifier: BSD-3-Clause
"""Scripts: TOML files of the same form as a box's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftmb.configuration.loading import Kind, check_data, load_as
from ftmb.pktgen.settings import Settings, problems

SCRIPT = Kind(
    Settings,
    problems,
    {("kind",): "; allowed: 'latency', 'throughput', 'flows' or 'replay'"},
)


def load(path: str | Path) -> Settings:
    """Reads and checks a script; raises ConfigurationError with all its problems."""
    return load_as(SCRIPT, path)


def override(settings: Settings, changes: Mapping[tuple[str, ...], Any]) -> Settings:
    """The settings with some keys, given by their paths, changed; None changes nothing.

    Raises ConfigurationError, under the option's name, when the whole does not fit together.
    """
    data: dict[str, Any] = settings.model_dump(exclude_unset=True)
    for path, value in changes.items():
        if value is None:
            continue
        table = data
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value
    return check_data(SCRIPT, data, lambda path: "with the options given")
