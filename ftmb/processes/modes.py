# SPDX-License-Identifier: BSD-3-Clause
"""What the configuration's `protection` and `release` together mean for the processes."""

from __future__ import annotations

from typing import Any

from ftmb._native.logger import MEBIBYTE, LoggerSettings


def is_protected_by_replay(configuration: dict[str, Any]) -> bool:
    """Whether a standby follows the logs: else nothing but input and output is logged."""
    return configuration["protection"] == "standby" and configuration["release"] != "checkpoint"


def checkpoint_interval(configuration: dict[str, Any]) -> float | None:
    """Seconds, where a failed master is brought back from the last snapshot of it."""
    if configuration["protection"] == "standby" and configuration["release"] == "checkpoint":
        return float(configuration["checkpoint_ms"]) / 1000
    return None


def logger_settings(configuration: dict[str, Any], idle: str) -> LoggerSettings:
    """Of the logger process's C side."""
    logs = configuration["logs"]
    return LoggerSettings(
        workers=configuration["workers"]["count"],
        idle=idle,
        input_size=logs["input_mib"] * MEBIBYTE,
        access_size=logs["access_mib"] * MEBIBYTE,
        output_size=logs["output_mib"] * MEBIBYTE,
        is_logged=is_protected_by_replay(configuration),
        release=configuration["release"],
        pal=configuration["pal"],
    )
