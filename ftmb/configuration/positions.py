# SPDX-License-Identifier: BSD-3-Clause
"""Where each key of a TOML text stands, so that a problem can be shown with its line.

The text has been accepted by tomllib before; this scanner only follows its shape
(headers, keys, strings, arrays, inline tables) and notes line numbers.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BARE_END = re.compile(r"[,\]}\n#]")
_QUOTES = ('"""', "'''", '"', "'")


def key_lines(text: str) -> dict[Path, int]:
    """Maps the path of every table, key and array entry to its line, counted from 1."""
    return _Scanner(text).scan()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of `path`, or of the closest enclosing thing that has one."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.array_sizes: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _note(self, path: Path) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self._line())

    def _skip_blank(self) -> bool:
        """Skips spaces, line ends and comments; says whether anything follows."""
        while self.at < len(self.text):
            if self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at].isspace():
                self.at += 1
            else:
                return True
        return False

    def _header(self) -> Path:
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        path = self._resolve(self._key())
        if is_array:
            index = self.array_sizes.get(path, 0)
            self.array_sizes[path] = index + 1
            self._note(path)
            path = (*path, index)
        self._note(path)
        self.lines[path] = self._line()
        self.at = self.text.find("]", self.at) + (2 if is_array else 1)
        return path

    def _resolve(self, keys: tuple[str, ...]) -> Path:
        """Inside an array of tables, a header speaks of the latest entry."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self.array_sizes and position < len(keys) - 1:
                path = (*path, self.array_sizes[path] - 1)
        return path

    def _key(self) -> tuple[str, ...]:
        """A dotted key; leaves the position on what follows it ('=' or ']')."""
        parts = []
        while True:
            self._skip_blank()
            if self.text[self.at] in "\"'":
                start = self.at
                self._string(self.text[self.at])
                literal = self.text[start : self.at]
                parts.append(str(tomllib.loads(f"key = {literal}")["key"]))
            else:
                match = re.compile(r"[A-Za-z0-9_-]+").match(self.text, self.at)
                if match is None:
                    raise ValueError(f"no key in line {self._line()}")
                parts.append(match[0])
                self.at = match.end()
            while self.text[self.at] in " \t":
                self.at += 1
            if self.text[self.at] != ".":
                return tuple(parts)
            self.at += 1

    def _pair(self, table: Path) -> None:
        self._skip_blank()
        line_start = self.at
        path = (*table, *self._key())
        self._note(path)
        self.at = self.text.find("=", max(self.at, line_start)) + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        start = self.text[self.at]
        for quote in _QUOTES:
            if self.text.startswith(quote, self.at):
                self._string(quote)
                return
        if start == "[":
            self._entries(path)
        elif start == "{":
            self._inline_table(path)
        else:
            match = _BARE_END.search(self.text, self.at)
            self.at = match.start() if match else len(self.text)

    def _entries(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip_blank() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._note((*path, index))
            self._value((*path, index))
            index += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip_blank() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self._pair(path)
        self.at += 1

    def _string(self, quote: str) -> None:
        self.at += len(quote)
        while not self.text.startswith(quote, self.at):
            escapes = quote[0] == '"' and self.text[self.at] == "\\"
            self.at += 2 if escapes else 1
        self.at += len(quote)
        while len(quote) == 3 and self.text.startswith(quote[0], self.at):
            self.at += 1  # up to two quotes may stand right before the closing three
