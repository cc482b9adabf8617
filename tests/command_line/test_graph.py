# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb graph`: what it says of a pipeline, as text, JSON, DOT and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftmb.command_line import run

TEXT = """\
name = "edge"
[[port]]
name = "lan"
device = "eth0"
[[port]]
name = "wan"
device = "eth1"
[[element]]
element = "nat"
inside = "lan"
outside = "wan"
external = ["198.51.100.2"]
[[element]]
element = "monitor"
name = "count"
first = "lan"
second = "wan"
"""
PATHS = """\
[[path]]
from = ["lan"]
match = "tcp port 80"
through = ["count", "nat"]
[[path]]
from = ["lan", "wan"]
through = ["nat"]
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    path = tmp_path / "box.toml"
    path.write_text(TEXT + PATHS)
    return path


def test_a_line_for_each_path(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", str(box)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "lan       tcp port 80  -> count -> nat -> wan",
        "lan, wan  everything   -> nat -> lan or wan",
    ]


def test_without_paths_there_is_one(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box.write_text(TEXT)
    assert run(["graph", str(box)]) == 0
    assert capsys.readouterr().out == "lan, wan  everything  -> nat -> count -> lan or wan\n"


def test_json_and_dot(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", str(box), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [path["through"] for path in told["paths"]] == [["count", "nat"], ["nat"]]
    assert run(["graph", str(box), "--dot"]) == 0
    dot = capsys.readouterr().out
    assert '"element count" -> "element nat"' in dot and 'label="tcp port 80"' in dot


def test_pictures(box: Path, tmp_path: Path) -> None:
    for name, start in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
        assert run(["graph", str(box), "--picture", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(start)


def test_what_is_no_picture_says_so(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", str(box), "--picture", "a.gif"]) == 2
    assert "no .svg, .png or .pdf" in capsys.readouterr().err


def test_a_wrong_configuration_is_not_drawn(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box.write_text(TEXT + PATHS.replace('"count", "nat"', '"count", "nat", "count"'))
    assert run(["graph", str(box)]) == 2
    assert "passes each element once" in capsys.readouterr().err
