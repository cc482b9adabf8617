# SPDX-License-Identifier: BSD-3-Clause
"""Rule files: which there are, and each rule of them with its place."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_BYTES_MAX = 1 << 28


@dataclass(frozen=True)
class Origin:
    """Where a rule stands: a file's line (from 1), or a place of a list (from 0)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"rules[{self.line + 1}]"


@dataclass(frozen=True)
class RuleText:
    origin: Origin
    text: str


class NotRead(Exception):
    """A file cannot be had; the message says which and why."""


def matching(pattern: str, folder: Path) -> list[Path]:
    """The files of a pattern, in order of their names; raises NotRead if there is none."""
    path = folder / Path(pattern).expanduser()
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    found = [name for name in found if not name.is_dir()]
    if not found:
        raise NotRead(f"{path}: there is no such file")
    return found


def read_text(path: Path) -> str:
    """Raises NotRead. Bytes that are not UTF-8 are kept, for contents."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise NotRead(f"{path}: it has more than {FILE_BYTES_MAX >> 20} MiB")
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise NotRead(f"{path}: cannot be read: {error.strerror}") from None


def rules_of(text: str, file: str) -> Iterator[RuleText]:
    """A line for each; one that ends in a backslash goes on in the next. `#` begins a comment."""
    held, began = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not held and (not line or line.startswith("#")):
            continue
        began = began if held else number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        yield RuleText(Origin(file, began), (held + line).strip())
        held = ""
    if held.strip():
        yield RuleText(Origin(file, began), held.strip())
