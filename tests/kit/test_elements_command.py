# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb elements`: what elements have, of those that are built in and of those in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ftmb._native.elements import built_in_classes
from ftmb.command_line import ExitStatus, run


def test_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["elements"]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(built_in_classes())
    assert run(["elements", "--json"]) == ExitStatus.OK
    assert {one["name"] for one in json.loads(capsys.readouterr().out)} == set(built_in_classes())


def test_one_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["elements", "nat", "--json"]) == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert told["ports"] == ["inside", "outside"]
    options = {option["name"]: option for option in told["options"]}
    assert options["sessions_max"]["default"] is not None
    assert options["external"]["type"] == "list"
    assert "sessions" in {table["name"] for table in told["tables"]}
    assert run(["elements", "nat"]) == ExitStatus.OK
    shown = capsys.readouterr().out
    for reason in told["drop_reasons"]:
        assert f"    {reason}\n" in shown
    assert "sessions_max" in shown and "table sessions" in shown


def test_one_in_a_file_is_told_as_well(
    built: Callable[..., Path], made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["elements", str(built())]) == ExitStatus.OK
    shown = capsys.readouterr().out
    assert shown.startswith(f"{made.name}: ") and "too_long" in shown
    assert "60 to 2048 (default 1514)" in shown


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["elements", "natt"]) == ExitStatus.USAGE
    assert "did you mean 'nat'?" in capsys.readouterr().err
    assert run(["elements", str(tmp_path / "no.so")]) == ExitStatus.NOT_STARTED
    assert "cannot be opened" in capsys.readouterr().err
