# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftmb.configuration import from_data, load, parse
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
external = ["198.51.100.1"]

[workers]
count = 2
cores = [1, 2]
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "box.toml")
    return caught.value.problems


def test_a_good_configuration_becomes_the_plain_form() -> None:
    plain = parse(GOOD).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain == {
        "name": "lab",
        "network_namespace": None,
        "ports": [
            {
                "name": "inside",
                "device": "eth0",
                "queues": 1,
                "descriptors": 2048,
                "addresses": ["10.0.0.1/24"],
                "answers_for": [],
                "gateway": None,
            },
            {
                "name": "outside",
                "device": "net_af_packet0,iface=eth1",
                "queues": 1,
                "descriptors": 2048,
                "addresses": ["198.51.100.1/24"],
                "answers_for": [],
                "gateway": "198.51.100.254",
            },
        ],
        "pipeline": [
            {
                "element": "nat",
                "name": "nat",
                "options": {
                    "inside": "inside",
                    "outside": "outside",
                    "external": ["198.51.100.1"],
                },
            }
        ],
        "paths": [],
        "workers": {"count": 2, "cores": [1, 2], "idle": "auto"},
        "logger": {"core": None, "idle": None},
        "standby": {"cores": None, "idle": None},
        "protection": "standby",
        "release": "parallel",
        "checkpoint_ms": 25,
        "pal": "hand-overs",
        "logs": {"input_mib": 64, "access_mib": 16, "output_mib": 8},
        "heartbeat": {"bound_ms": 100},
        "memory": {"arena_mib": 1024, "hugepages": "auto"},
        "metrics": {"address": "127.0.0.1", "port": 9105, "elements_s": 10},
        "notes": [],
    }


def test_every_problem_is_found_at_once_with_its_line() -> None:
    text = """\
name = "Lab!"
protecton = "standby"

[[port]]
name = "inside"
device = "eth0"
queues = 0
adresses = ["10.0.0.1/24"]

[[port]]
name = "inside"
device = "eth0"
addresses = ["10.0.0.1"]

[[element]]
element = "natt"

[workers]
count = 2
cores = [1, 1, 2]
idle = "busy"

[logs]
input_mib = 48
"""
    problems = problems_of(text)
    by_line = {p.split(":")[1]: p for p in problems}
    assert list(by_line) == sorted(by_line, key=int)
    assert "'Lab!'" in by_line["1"]
    assert "did you mean 'protection'?" in by_line["2"]
    assert "found 0; allowed: 1 to 64" in by_line["7"]
    assert "did you mean 'addresses'?" in by_line["8"]
    assert "each port needs its own name" in by_line["11"]
    assert "each port needs its own device" in by_line["12"]
    assert "prefix length" in by_line["13"]
    assert "did you mean 'nat'?" in by_line["16"]
    assert "allowed: 'spin', 'yield', 'sleep' or 'auto'" in by_line["21"]
    assert "such as 32 or 64" in by_line["24"]
    joined = "\n".join(problems)
    assert "found 3 cores for 2 workers" in joined and "core 1 twice" in joined


def test_modes_that_do_not_fit_are_reported_at_their_lines() -> None:
    problems = problems_of('protection = "none"\nrelease = "none"\npal = "every-access"\n' + GOOD)
    assert problems[0].startswith("box.toml:2: release: found 'none' with protection")
    assert problems[1].startswith("box.toml:3: pal: found 'every-access' with protection")
    problems = problems_of('release = "checkpoint"\npal = "every-access"\n' + GOOD)
    assert len(problems) == 1
    assert problems[0].startswith("box.toml:2: pal: found 'every-access' with release = \"check")
    (problem,) = problems_of("checkpoint_ms = 50\n" + GOOD)
    assert problem.startswith('box.toml:1: checkpoint_ms: only release = "checkpoint"')


def test_options_of_elements_are_reported_at_their_lines() -> None:
    problems = problems_of(
        GOOD.replace('outside = "outside"', 'outside = "dmz"\nspeed = 3\ninsid = 1')
    )
    assert problems[0].startswith("box.toml:17: element[1].outside: must be the name of a port")
    assert problems[1].startswith("box.toml:18: element[1].speed: unknown key; allowed: check")
    assert problems[2].endswith("did you mean 'inside'?")


def test_a_missing_option_is_reported_at_its_element() -> None:
    problems = problems_of(GOOD.replace('inside = "inside"\n', "", 1))
    assert problems == ["box.toml:14: element[1].inside: is required"]


def test_a_syntax_error_has_its_line() -> None:
    assert problems_of('name = "x"\n[[port]\n')[0].startswith("box.toml:2: this is not TOML: ")
    assert problems_of('name = "x')[0].startswith("box.toml:1: ")


def test_an_empty_text_names_all_that_is_needed() -> None:
    text = "\n".join(problems_of(""))
    assert "name: is missing" in text and "[[port]]" in text and "[[element]]" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("count = 2", "count = true"), "whole number"),
        (("count = 2", 'count = "2"'), "whole number"),
        (("count = 2", "count = 2.0"), "whole number"),
        (("198.51.100.254", "192.0.2.1"), "allowed: 198.51.100.0/24"),
        (("cores = [1, 2]", 'cores = "1,2"'), "a list is needed"),
        (("cores = [1, 2]", "cores = [1, -2]"), "allowed: 0 to 1023"),
        (("cores = [1, 2]", "cores = [1, 2]\n[logger]\ncore = 2"), "which a worker has too"),
        (("[workers]", "[worker]"), "did you mean 'workers'?"),
        (("[workers]", "[metrics]\nport = 65536\n[workers]"), "0 to 65535"),
        ((GOOD[GOOD.index("[workers]") :], "[[workers]]"), "a table is needed"),
    ],
)
def test_single_problems(change: tuple[str, str], expected: str) -> None:
    assert expected in "\n".join(problems_of(GOOD.replace(*change)))


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "box.toml"
    with pytest.raises(ConfigurationError, match="no such file"):
        load(path)
    path.write_text(GOOD)
    assert load(path) == parse(GOOD)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(path)


def test_the_configuration_is_frozen() -> None:
    with pytest.raises(ValueError):
        parse(GOOD).name = "other"  # type: ignore[misc]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = [
    "name", "port", "element", "workers", "logger", "standby", "logs", "metrics", "protection",
    "release", "checkpoint_ms", "pal",
]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=6))
def test_any_data_is_accepted_or_refused_with_problems(data: dict[str, Any]) -> None:
    try:
        from_data(data)
    except ConfigurationError as error:
        assert error.problems and all(": " in problem for problem in error.problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.integers(0, len(GOOD)), st.text(alphabet='[]{}=."\n#,\\ ax1', max_size=6))
def test_any_damage_to_the_text_is_accepted_or_refused(position: int, inserted: str) -> None:
    try:
        parse(GOOD[:position] + inserted + GOOD[position:], "box.toml")
    except ConfigurationError as error:
        assert all(problem.startswith("box.toml:") for problem in error.problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        lambda count, first, idle, bound: {
            "workers": {"count": count, "cores": list(range(first, first + count)), "idle": idle},
            "heartbeat": {"bound_ms": bound},
        },
        st.integers(1, 64),
        st.integers(0, 900),
        st.sampled_from(["spin", "yield", "sleep", "auto"]),
        st.integers(5, 60000),
    )
)
def test_what_is_within_bounds_is_kept_as_it_is(tables: dict[str, Any]) -> None:
    data = {
        "name": "box",
        "port": [{"name": "a", "device": "eth0"}],
        "element": [{"element": "forward", "first": "a", "second": "a"}],
        **tables,
    }
    plain = from_data(data).to_dict()
    assert plain["workers"] == tables["workers"]
    assert plain["heartbeat"] == tables["heartbeat"]
