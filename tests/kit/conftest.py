# SPDX-License-Identifier: BSD-3-Clause
"""Elements made by `ftmb new-element`, and their shared objects."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from ftmb.kit import new_element
from tests.kit.building import build

names = count()


@pytest.fixture
def name() -> str:
    """Of an element that this process has not loaded yet."""
    return f"counter{next(names)}"


@pytest.fixture
def made(name: str, tmp_path: Path) -> Path:
    """The folder of a new element."""
    new_element.outside(name, tmp_path / name)
    return tmp_path / name


@pytest.fixture
def built(made: Path) -> Callable[..., Path]:
    """Its shared object, with changes to its source, as (what, by what)."""

    def make(*changes: tuple[str, str], file: str | None = None) -> Path:
        source = made / f"{made.name}.c"
        text = source.read_text()
        for what, by_what in changes:
            assert what in text
            text = text.replace(what, by_what)
        source.write_text(text)
        return build(source, made / (file or f"{made.name}.so"))

    return make
