# SPDX-License-Identifier: BSD-3-Clause
"""build/bench/report.json, in sections that are measured at different times.

A section that is measured again replaces or adds to what was there; the others stay, each with
the time and the revision at which it was measured. The page and the targets follow from the whole.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import targets
from benchmarks.machine import machine, settings

Report = dict[str, Any]
FOLDER = Path("build/bench")
# Sections whose rows are measured one by one; a row that is measured anew replaces its own alone.
MERGED = ("throughput", "pipelined", "sizes", "shared", "shared_by_element", "snapshot", "failover")


def load(folder: Path = FOLDER) -> Report:
    """What was measured until now; empty if nothing was."""
    try:
        report: Report = json.loads((folder / "report.json").read_text())
        return report
    except FileNotFoundError:
        return {}


def update(sections: dict[str, Any], folder: Path = FOLDER, *, draws: bool = True) -> None:
    """Merges sections into report.json and, unless more is to come, draws report.html again."""
    from benchmarks.report.page import draw

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        report = merge(load(folder), sections)
        _write(folder / "report.json", json.dumps(report, indent=2) + "\n")
        if draws:
            _write(folder / "report.html", draw(report, folder))


def merge(report: Report, sections: dict[str, Any]) -> Report:
    """The report with these sections in it."""
    here = machine()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    merged: Report = {**report, "machine": here, "settings": settings()}
    merged["measured"] = dict(report.get("measured", {}))
    for name, section in sections.items():
        if name == "command":
            merged[name] = section
            continue
        before = report.get(name)
        is_added = name in MERGED and isinstance(before, dict) and isinstance(section, dict)
        merged[name] = _added(before, section) if is_added else section
        merged["measured"][name] = {"at": now, "revision": here["revision"]}
    merged["targets"] = targets.compute(merged)
    return merged


def _added(before: Any, section: Any) -> dict[str, Any]:
    result = dict(before)
    for key, value in section.items():
        is_nested = isinstance(value, dict) and isinstance(before.get(key), dict)
        is_row = is_nested and "command" in value
        result[key] = _added(before[key], value) if is_nested and not is_row else value
    return result


def _write(path: Path, text: str) -> None:
    """Whole or not at all, whoever interrupts."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
