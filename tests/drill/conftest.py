# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ftmb


def _fake_orchestrator_module() -> ModuleType:
    path = Path(__file__).with_name("fake_orchestrator.py")
    spec = importlib.util.spec_from_file_location("fake_orchestrator", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def orchestrated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Puts a fake orchestrator in the place of the real one; takes what its boxes lose."""
    made = []
    module = _fake_orchestrator_module()

    def install(**losses: float) -> Any:
        fake = module.FakeOrchestrator(**losses)
        made.append(fake)
        monkeypatch.setattr(ftmb, "orchestrator", fake, raising=False)
        monkeypatch.setitem(sys.modules, "ftmb.orchestrator", fake)
        return fake

    yield install
    for fake in made:
        for name in list(fake.boxes):
            fake.stop(name)
