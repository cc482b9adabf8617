# SPDX-License-Identifier: BSD-3-Clause
"""Stands in for the native elements, so that these tests need no build."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest


@dataclass(frozen=True)
class FakeOption:
    name: str


@dataclass(frozen=True)
class FakeClass:
    name: str
    options: tuple[FakeOption, ...] = (FakeOption("inside"), FakeOption("outside"))
    steers: bool = False


def check_options(
    element: str, options: dict[str, Any], ports: list[str], workers: int
) -> list[tuple[tuple[str | int, ...], str]]:
    problems: list[tuple[tuple[str | int, ...], str]] = []
    for name, value in options.items():
        if value not in ports:
            problems.append(((name,), f"found {value!r}; allowed: {', '.join(ports)}"))
    if element == "nat" and "inside" not in options:
        problems.append(((), "inside is missing"))
    return problems


@pytest.fixture(autouse=True)
def native_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("ftmb._native")
    module = ModuleType("ftmb._native.elements")
    classes = {name: FakeClass(name) for name in ("forward", "monitor", "nat")}
    module.element_classes = lambda: classes  # type: ignore[attr-defined]
    module.check_options = check_options  # type: ignore[attr-defined]
    package.elements = module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ftmb._native", package)
    monkeypatch.setitem(sys.modules, "ftmb._native.elements", module)
