# SPDX-License-Identifier: BSD-3-Clause
"""A table of figures: the same one on the page, on the terminal and in the documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.table import Table as RichTable

LONG_COLUMN = "what limits it"


@dataclass
class Table:
    """Rows of text; `command` repeats what it shows, `note` says what it means."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""
    command: str = ""

    def add(self, *cells: object) -> None:
        self.rows.append([shown(cell) for cell in cells])


def shown(value: object) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        size = abs(value)
        digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
        return f"{value:,.{digits}f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(shown(item) for item in value)
    return str(value)


def with_spread(figure: dict[str, Any] | None) -> str:
    """Median, smallest and largest."""
    if figure is None:
        return "not measured"
    return between(figure["median"], (figure["min"], figure["max"]))


def between(median: Any, limits: Any) -> str:
    """The same of figures that are kept apart."""
    if not limits:
        return shown(median)
    return f"{shown(float(median))} ({shown(float(limits[0]))} to {shown(float(limits[1]))})"


def for_terminal(table: Table) -> RichTable:
    """Without the column that is too wide for most terminals."""
    if table.columns[-1] == LONG_COLUMN:
        rows = [row[:-1] for row in table.rows]
        table = Table(table.title, table.columns[:-1], rows, table.note, table.command)
    drawn = RichTable(title=table.title, title_justify="left", caption_justify="left",
                      caption=table.note or None)  # fmt: skip
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def for_markdown(table: Table) -> str:
    lines = [f"**{table.title}**", ""]
    lines += ["| " + " | ".join(table.columns) + " |"]
    lines += ["|" + "|".join("---" if i == 0 else "---:" for i in range(len(table.columns))) + "|"]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows
    ]
    if table.note:
        lines += ["", table.note]
    if table.command:
        lines += ["", f"Again: `{table.command}`"]
    return "\n".join(lines)
