# SPDX-License-Identifier: BSD-3-Clause
"""The graph as a whole: every mistake in it is told at once, at its line."""

from __future__ import annotations

import pytest

from ftmb.configuration import parse
from ftmb.errors import ConfigurationError

HEAD = """\
name = "edge"
[[port]]
name = "lan"
device = "eth0"
[[port]]
name = "wan"
device = "eth1"
[[port]]
name = "dmz"
device = "eth2"
"""
NAT = """\
[[element]]
element = "nat"
inside = "lan"
outside = "wan"
external = ["198.51.100.2"]
"""
FIREWALL = """\
[[element]]
element = "firewall"
trusted = "lan"
untrusted = "wan"
rules = ["allow any any -> any"]
"""
MONITOR = """\
[[element]]
element = "monitor"
first = "lan"
second = "wan"
"""


def path(ports: str, through: str, match: str = "") -> str:
    question = f'match = "{match}"\n' if match else ""
    return f"[[path]]\nfrom = [{ports}]\n{question}through = [{through}]\n"


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(HEAD + text, "box.toml")
    return [problem.split(": ", 1)[1] for problem in caught.value.problems]


def test_a_graph_in_its_plain_form() -> None:
    text = NAT + FIREWALL + MONITOR.replace('"monitor"', '"monitor"\nname = "count"')
    text += path('"lan"', '"firewall", "nat", "count"', "tcp port 80")
    text += path('"lan"', '"firewall", "nat"') + path('"wan"', '"nat", "firewall"')
    plain = parse(HEAD + text).to_dict()
    assert [stage["name"] for stage in plain["pipeline"]] == ["nat", "firewall", "count"]
    assert plain["paths"][0]["through"] == ["firewall", "nat", "count"]
    assert plain["paths"][0]["program"] and plain["paths"][1]["program"] is None


def test_all_mistakes_at_once() -> None:
    text = NAT + MONITOR + MONITOR
    text += path('"lan"', '"nat", "nat"') + path('"lna"', '"nat", "moniter"', "tpc")
    found = "\n".join(problems_of(text))
    assert "element[3]: found 'monitor' again; each element needs a name of its own" in found
    assert "path[1].through[2]: found 'nat' again; a path passes each element once" in found
    assert "path[2].from[1]: found 'lna', which is no port here; allowed: lan, wan, dmz" in found
    assert "path[2].through[2]: found 'moniter', which is no element here" in found
    assert "path[2].match: found 'tpc': " in found
    assert "element[2]: found 'monitor', which is in no path" in found


def test_a_path_that_no_packet_takes() -> None:
    text = MONITOR + path('"lan", "wan"', '"monitor"') + path('"wan"', '"monitor"', "tcp")
    (problem,) = problems_of(text)
    assert problem == "path[2]: no packet takes this path: one before it takes all that come in " \
        "by wan"  # fmt: skip


def test_a_port_that_an_element_does_not_know() -> None:
    (problem,) = problems_of(MONITOR + path('"lan", "dmz"', '"monitor"'))
    assert "path[1].from: found 'dmz', which is none of the ports of 'monitor'" in problem


def test_two_rules_of_steering() -> None:
    (problem,) = problems_of(NAT + NAT.replace('"nat"', '"nat"\nname = "second"'))
    assert "found 'second' beside 'nat'; each has a rule of its own" in problem


@pytest.mark.parametrize("order", ["list", "paths"])
def test_who_follows_flows_must_see_them_alike_both_ways(order: str) -> None:
    text = FIREWALL + NAT
    if order == "paths":
        text += path('"lan"', '"firewall", "nat"') + path('"wan"', '"firewall", "nat"')
    (problem,) = problems_of(text)
    assert "'firewall' stands before 'nat' for packets from lan and wan alike" in problem
    assert "opposite orders" in problem


def test_who_only_counts_may_stand_anywhere() -> None:
    parse(HEAD + NAT + MONITOR)
    parse(HEAD + MONITOR + NAT)
