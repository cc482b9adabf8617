# SPDX-License-Identifier: BSD-3-Clause
"""The limiter's options and commands: each mistake is told, all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from ftmb._native.elements import check_options
from ftmb._native.pipeline import Pipeline

PORTS = ["inside", "outside"]
PLAIN: dict[str, Any] = {"inside": "inside", "outside": "outside", "total": "upload 1M"}


def problems(**options: Any) -> list[str]:
    found = check_options("limiter", {**PLAIN, **options}, PORTS, 2)
    return [f"{'.'.join(map(str, place))}: {message}" for place, message in found]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total": "up 1M"}, 'found "up" where "upload RATE" or "download RATE"'),
        ({"total": "upload"}, "ends where a rate in bit/s"),
        ({"total": "upload 999"}, 'found "999" where a rate'),
        ({"total": "upload 1001G"}, 'found "1001G" where a rate'),
        ({"total": "upload 1.5M"}, 'found "1.5M" where a rate'),
        ({"total": "upload 1M burst"}, "ends where a burst in bytes"),
        ({"total": "upload 1M burst 2G"}, 'found "2G" where a burst'),
        ({"total": "upload 1M upload 2M"}, 'found "upload" where'),
        ({"total": "upload 1M burst 2000"}, "of a burst of 2000 bytes, 2000 are left"),
        ({"host": "download 1M burst 4000", "classes": ["a keeps 60%", "b"]},
         "of a burst of 4000 bytes, 1600 are left for the last class"),
        ({"outside": "inside"}, "the same port"),
        ({"prefixes": ["10.0.0.1/8 upload 1M"]}, "prefixes.0: \"10.0.0.1/8 upload 1M\": found"),
        ({"prefixes": ["10.0.0.0/8"]}, "ends where \"upload RATE\""),
        ({"prefixes": ["10.0.0.0/8 upload 1M", "10.0.0.0/8 upload 2M"]}, "stands there twice"),
        ({"prefixes": ["10.0.0.0/8 upload 1M burst 100"]}, "of a burst of 100 bytes"),
        ({"classes": ["a keeps 20"]}, "a share such as"),
        ({"classes": ["a keeps 91%", "b"]}, "a share such as"),
        ({"classes": ["a keeps 50%", "b keeps 50%", "c"]}, "more than 90% together"),
        ({"classes": ["a", "b keeps 10%"]}, "has none behind it"),
        ({"classes": ["a mark ef5", "b"]}, "a DSCP such as"),
        ({"classes": ["a quick", "b"]}, '"keeps", "mark" or the end'),
        ({"classes": ["a", "a"]}, "such a class already"),
        ({"classes": ["a-name-that-is-too-long"]}, "15 characters"),
        ({"classes": [f"c{n}" for n in range(9)]}, "at most 8 classes"),
        ({"classes": ["a", "b"], "rules": ["c any"]}, "one of the classes"),
        ({"classes": ["a", "b"], "rules": ["a dscp ef,af45"]}, "DSCPs such as"),
        ({"classes": ["a", "b"], "rules": ["a"]}, "ends where \"tcp\""),
        ({"classes": ["a", "b"], "rules": ["a dscp ef udp any"]}, "ends where \"->\""),
        ({"classes": ["a", "b"], "rules": ["a tcp any -> any port 0"]}, "ports such as"),
        ({"host_ipv4_bits": 33}, "host_ipv4_bits"),
        ({"hosts_max": 1}, "hosts_max"),
    ],
)  # fmt: skip
def test_each_mistake_is_told(options: dict[str, Any], message: str) -> None:
    assert any(message in found for found in problems(**options)), problems(**options)


def test_a_limiter_has_something_to_limit() -> None:
    found = check_options("limiter", {"inside": "inside", "outside": "outside"}, PORTS, 2)
    assert [message for _, message in found] == [
        "nothing is limited: total, host or prefixes is needed"
    ]


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(total="upload", host="x", prefixes=["y", "10.0.0.0/8 upload 1M", "z"],
                     classes=["a keeps"], rules=["b any"])  # fmt: skip
    assert len(found) == 6


@pytest.mark.parametrize("dscp", ["ef", "va", "le", "be", "cs0", "cs7", "af11", "af43", "0", "63"])
def test_names_of_dscps(dscp: str) -> None:
    assert problems(classes=[f"a mark {dscp}", "b"], rules=[f"a dscp {dscp},1"]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("total upload 5M", None),
        ("total upload 5M burst 8k download unlimited", None),
        ("prefix 10.0.0.0/8 download 10G", None),
        ("host 10.1.2.3 upload 1M", "hosts are not limited"),
        ("prefix 10.0.0.0/9 upload 1M", "none of the prefixes"),
        ("prefix nowhere upload 1M", "a prefix or an address"),
        ("total", "ends where"),
        ("total upload 5M burst 100", "of a burst of 100"),
        ("everything upload 1M", "has these commands"),
    ],
)
def test_commands_are_checked(text: str, message: str | None) -> None:
    options = {**PLAIN, "prefixes": ["10.0.0.0/8 upload 1M"]}
    pipeline = Pipeline([{"element": "limiter", "options": options}], PORTS, 1)
    problem = pipeline.command_problem(0, text)
    assert problem is None if message is None else message in (problem or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("host 10.1.2.3 default", None),
        ("host 2001:db8::1 upload 1M download 2M", None),
        ("host 10.1.2.3 default now", "the end"),
        ("total upload 1M", "no limit of everything"),
    ],
)
def test_commands_for_hosts_are_checked(text: str, message: str | None) -> None:
    options = {"inside": "inside", "outside": "outside", "host": "upload 1M"}
    pipeline = Pipeline([{"element": "limiter", "options": options}], PORTS, 1)
    problem = pipeline.command_problem(0, text)
    assert problem is None if message is None else message in (problem or "")
