# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb rules check`, and what `ftmb check` says of rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftmb.command_line import ExitStatus, run

GOOD = 'alert tcp $OWN any -> any any (msg:"x"; content:"a"; sid:1; rev:1;)\n'
OUTSIDE = "alert http any any -> any any (sid:2;)\nalert tcp any any -> any any (ttl:1; sid:3;)\n"
OWN = ("--variable", "OWN=10.0.0.0/8")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.rules"
    path.write_text(GOOD + "# comment\n" + OUTSIDE)
    return path


def check(*arguments: object) -> int:
    return run(["rules", "check", *map(str, arguments)])


def test_every_rule_that_cannot_be_taken_is_an_error(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(file, *OWN) == ExitStatus.USAGE
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        f"{file}:3: rule 2: the protocol http is outside the subset: ip, tcp, udp, icmp",
        f"{file}:4: rule 3: column 31: ttl: outside the subset",
    ]
    assert "taken" in told.out and "left out: keyword ttl" in told.out


def test_or_is_skipped_and_counted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file, *OWN, "--unsupported", "skip", "--json") == ExitStatus.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["taken"], told["left_out"]) == (1, 2)
    assert told["reasons"] == {"keyword ttl": 1, "protocol http": 1}
    assert [one["line"] for one in told["rules_left_out"]] == [3, 4]
    assert check(file, *OWN, "--unsupported", "skip") == ExitStatus.OK
    assert capsys.readouterr().err == ""
    assert check(file, *OWN, "--unsupported", "skip", "--verbose") == ExitStatus.OK
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_what_the_engine_gets_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(file, *OWN, "--unsupported", "skip", "--canonical") == ExitStatus.OK
    assert capsys.readouterr().out == (
        'alert tcp 10.0.0.0/8 any -> any any (msg:"x"; priority:3; content:"a"; sid:1; gid:1; '
        "rev:1;)\n"
    )


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "none.rules", "--unsupported", "skip") == ExitStatus.USAGE
    assert "there is no such file" in capsys.readouterr().err
    assert check() == ExitStatus.USAGE
    assert check("x", "--variable", "OWN") == ExitStatus.USAGE
    assert "is not NAME=VALUE" in capsys.readouterr().err


def test_the_examples_rules_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[2] / "examples/rules"
    assert check(folder / "*.rules") == ExitStatus.OK


def test_a_configurations_check_tells_what_was_left_out(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = file.parent / "box.toml"
    box.write_text(
        """\
name = "edge"
port = [
    { name = "inside", device = "eth0" },
    { name = "outside", device = "eth1" },
    { name = "eve", device = "journal:/var/log/eve.json" },
]
[[element]]
element = "ids"
inside = "inside"
outside = "outside"
alerts = "eve"
rule_files = ["*.rules"]
variables = { OWN = "10.0.0.0/8" }
unsupported = "skip"
"""
    )
    assert run(["check", str(box)]) == ExitStatus.OK
    told = capsys.readouterr().out
    assert "element 1 (ids): 1 rules taken of 3" in told
    assert "element 1 (ids): left out, protocol http: 1" in told
    assert f"left out: {file}:4: rule 3: column 31: ttl: outside the subset" in told
