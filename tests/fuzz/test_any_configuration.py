# SPDX-License-Identifier: BSD-3-Clause
"""Any text is a valid configuration, or gives a list of problems with lines: nothing else.

With the real elements, whose options are parsed in C. (tests/configuration/ stands in for them.)
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ftmb._native.pipeline import Pipeline
from ftmb.configuration import load, parse
from ftmb.errors import ConfigurationError

GOOD = """\
name = "lab"
[[port]]
name = "inside"
device = "eth0"
addresses = ["10.0.0.1/24"]
[[port]]
name = "outside"
device = "net_af_packet0,iface=eth1"
addresses = ["198.51.100.1/24"]
gateway = "198.51.100.254"
[[element]]
element = "nat"
inside = "inside"
outside = "outside"
external = ["198.51.100.1", "203.0.113.0/28"]
static = ["tcp 198.51.100.1:80 -> 10.0.0.5:8080"]
[workers]
count = 2
cores = [1, 2]
"""
PLACE = re.compile(r"box\.toml:(\d+): .")
PIECES = sorted({*GOOD.splitlines(keepends=True), *re.findall(r'"[^"]*"|\d+|\w+|\S', GOOD)})
VALUES = [
    '"\\u0000"',
    '"10.0.0.1\\u0000"', '"' + "é" * 200 + '"', "1e400", "nan", "-inf", "0x" + "f" * 4000,
    "9" * 5000, "-1", "1" + "0" * 30, "true", "{}", "[[]]", "{a.b = 1}", "1979-05-27", "'''\n'''",
    '"""\n\n"""', "[" * 2000, '"\\U0010ffff"', "0b1", "[{}]", "07:32:00", "[\n1,\n]",
]  # fmt: skip


def check(text: str) -> None:
    """What must hold for every text."""
    try:
        configuration = parse(text, "box.toml")
    except ConfigurationError as error:
        assert error.problems
        for problem in error.problems:
            place = PLACE.match(problem)
            assert place, problem
            assert 1 <= int(place[1]) <= text.count("\n") + 2
        return
    plain = configuration.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    names = [port["name"] for port in plain["ports"]]
    assert Pipeline(plain["pipeline"], names, plain["workers"]["count"]).digest


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text(text: str) -> None:
    check(text)


@settings(max_examples=500, deadline=None)
@given(
    st.integers(0, len(GOOD)),
    st.integers(0, 12),
    st.lists(st.sampled_from(PIECES + VALUES) | st.text(max_size=4), max_size=3).map("".join),
)
def test_a_right_text_with_a_piece_changed(position: int, removed: int, inserted: str) -> None:
    check(GOOD[:position] + inserted + GOOD[position + removed :])


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([line for line in GOOD.splitlines() if "=" in line]),
    st.sampled_from(VALUES) | st.text(max_size=8).map(json.dumps) | st.integers().map(str),
)
@example("count = 2", "1" + "0" * 30)
@example("count = 2", "0x" + "f" * 4000)
@example("count = 2", "9" * 5000)
@example('inside = "inside"', '"\\u0000"')
@example('external = ["198.51.100.1", "203.0.113.0/28"]', '["' + "é" * 200 + '"]')
@example('external = ["198.51.100.1", "203.0.113.0/28"]', '["198.51.100.1\\u0000"]')
def test_a_right_text_with_a_value_changed(line: str, value: str) -> None:
    check(GOOD.replace(line, f"{line.split('=')[0]}= {value}"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["nat", "forward", "monitor", "none"]), min_size=1, max_size=9))
def test_any_pipeline(names: list[str]) -> None:
    options = {
        "nat": 'inside = "inside"\noutside = "outside"\nexternal = ["198.51.100.1"]\n',
        "none": "",
    }
    text = GOOD[: GOOD.index("[[element]]")]
    for name in names:
        text += f'[[element]]\nelement = "{name}"\n'
        text += options.get(name, 'first = "inside"\nsecond = "outside"\n')
    check(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path: Path = tmp_path_factory.mktemp("any") / "box.toml"
    path.write_bytes(content)
    try:
        load(path)
    except ConfigurationError as error:
        assert error.problems


def test_a_text_for_an_element_that_holds_a_zero_is_refused() -> None:
    text = GOOD.replace('"198.51.100.1", ', '"198.51.100.1\\u0000junk", ')
    with pytest.raises(ConfigurationError, match="zero"):
        parse(text)
