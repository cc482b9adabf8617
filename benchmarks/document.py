# SPDX-License-Identifier: BSD-3-Clause
"""Fills docs/performance.md from build/bench/report.json: tables between markers, and pictures.

What stands between `<!-- figures: NAME -->` and `<!-- end -->` is replaced by the tables of that
section, so that no figure in the text was written by hand.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks.report import pictures, store
from benchmarks.report.sections import sections_of
from benchmarks.report.table import Table, for_markdown

DOCUMENT = Path("docs/performance.md")
PREFIX = "performance-"
MARKED = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_YET = "*Not measured yet: `make bench`, then `python -m benchmarks document`.*\n"


def machine_table(report: dict[str, Any]) -> str:
    """What the figures below it were measured on."""
    table = Table("The machine of these figures", ("", ""))
    for key, value in report.get("machine", {}).items():
        told = (
            ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        table.add(key.replace("_", " "), "not told" if told is None else str(told))
    return for_markdown(table)


def filled(text: str, report: dict[str, Any], chosen: Collection[str] = ()) -> str:
    """The document with the report's figures; a section that was not measured says so. `chosen`:
    these sections alone, and the others as they were; none: all."""
    found = {
        name: "\n\n".join(map(for_markdown, tables)) for name, _, tables in sections_of(report)
    }
    if report.get("machine"):
        found["machine"] = machine_table(report)

    def replace(match: re.Match[str]) -> str:
        if chosen and match[2] not in chosen:
            return match[0]
        figures = found.get(match[2])
        told = report.get("measured", {}).get(match[2])
        when = f"\n\nMeasured {told['at']}, revision {told['revision']}." if told else ""
        return match[1] + (f"{figures}{when}\n" if figures else NOT_YET) + match[3]

    return MARKED.sub(replace, text)


def fill(
    chosen: Collection[str] = (), document: Path = DOCUMENT, folder: Path = store.FOLDER
) -> list[Path]:
    """Writes the document and, beside it, the pictures; what was written. With sections `chosen`
    no pictures, which are of a whole report."""
    report = store.load(folder)
    document.write_text(filled(document.read_text(), report, chosen))
    written = [document]
    if chosen:
        return written
    for found in pictures.draw(report, folder).values():
        for _, picture in found:
            target = document.parent / (PREFIX + picture.name)
            shutil.copyfile(picture, target)
            written.append(target)
    return written
