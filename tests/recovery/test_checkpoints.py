# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints that are late, wrong, or nobody can live on from."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ftmb.recovery import checkpoints
from ftmb.recovery.checkpoints import RETURNS_MAX, Checkpoints


class Loggers:
    """What is asked of the C side."""

    class settings:
        workers = 1

    accepts = True

    def checkpoint(self, records: list[int]) -> bool:
        return self.accepts

    def committed(self) -> list[int]:
        return [7]


class Master:
    """Keeps what it is sent, and why it is lost."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.lost: str | None = None

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        self.sent.append(message)

    def lose(self, cause: str) -> None:
        self.lost = cause


@pytest.fixture
def made() -> Iterator[Checkpoints]:
    yield Checkpoints(Loggers(), 0.0)  # type: ignore[arg-type]


def take(made: Checkpoints, master: Master, ok: bool = True) -> bool:
    made.begin(master)  # type: ignore[arg-type]
    return made.done(master, master.sent[-1]["epoch"], ok, [7])  # type: ignore[arg-type]


def test_one_at_a_time(made: Checkpoints) -> None:
    master = Master()
    assert made.is_due()
    made.begin(master)  # type: ignore[arg-type]
    assert not made.is_due()
    assert made.done(master, 1, True, [7]) and made.is_usable()  # type: ignore[arg-type]
    assert made.is_due()


def test_what_cannot_be_costs_the_master_its_role(made: Checkpoints) -> None:
    master = Master()
    made.logger.accepts = False  # type: ignore[attr-defined]
    assert not take(made, master) and not made.is_usable()
    assert master.lost == "a checkpoint that cannot be"


def test_a_master_that_never_completes_one_is_overdue(
    made: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PATIENCE_S", 0.01)
    master = Master()
    assert take(made, master)
    time.sleep(0.02)
    assert not made.is_overdue()  # none is owed
    assert not take(made, master, ok=False)
    assert not made.is_overdue()
    time.sleep(0.02)
    assert made.is_overdue()
    assert take(made, master) and not made.is_overdue()


def test_who_cannot_live_on_from_it_never_will(made: Checkpoints) -> None:
    assert not made.go_back()  # there is none
    take(made, Master())
    assert [made.go_back() for _ in range(RETURNS_MAX)] == [True] * (RETURNS_MAX - 1) + [False]
    assert not made.is_usable()


def test_one_that_is_not_where_the_cut_is_is_refused(made: Checkpoints) -> None:
    before = len(os.listdir("/proc/self/fd"))
    take(made, Master())
    assert not made.refuses([7]) and made.is_usable()
    assert made.refuses([6]) and not made.is_usable()
    assert len(os.listdir("/proc/self/fd")) == before
