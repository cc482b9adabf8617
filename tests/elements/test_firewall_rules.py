# SPDX-License-Identifier: BSD-3-Clause
"""The rule language: what it says of packets, and what it answers to what is not in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from ftmb._native.elements import check_options
from ftmb.configuration import parse
from ftmb.errors import ConfigurationError
from tests.elements.firewall_frames import (
    INSIDE,
    INSIDE6,
    OUTSIDE,
    OUTSIDE6,
    Firewall,
    answer,
    echo,
    tcp,
    udp,
)

REQUIRED = {"trusted": "a", "untrusted": "b"}


def problems(*rules: str, **options: object) -> list[tuple[tuple[str | int, ...], str]]:
    given = {**REQUIRED, "rules": list(rules), **options}
    return check_options("firewall", given, ["a", "b"], 1)


def test_the_first_match_decides(make_box):
    firewall = Firewall(
        make_box,
        ["drop udp 10.0.0.0/24 -> any port 53", "allow udp 10.0.0.0/8 -> any port 50-60,99"],
    )
    firewall.refused("trusted", udp(dport=53), "rule")
    firewall.out(udp(dport=50), udp(dport=60), udp(dport=99))
    firewall.refused("trusted", udp(dport=61), "default")
    firewall.refused("trusted", udp(dport=49), "default")
    firewall.out(IP(src="10.1.0.5", dst=OUTSIDE) / UDP(sport=1, dport=53))
    firewall.refused("trusted", IP(src="11.0.0.5", dst=OUTSIDE) / UDP(sport=1, dport=53), "default")


def test_addresses_of_both_versions(make_box):
    firewall = Firewall(
        make_box,
        [f"allow any {INSIDE}/32,2001:db8:1::/48 -> 198.51.100.0/24,{OUTSIDE6}"],
    )
    firewall.out(udp(), udp(6), tcp("S"), tcp("S", 6), echo(), echo(6))
    for source, destination in (("10.0.0.4", OUTSIDE), (INSIDE, "198.51.101.7")):
        other = IP(src=source, dst=destination) / UDP(sport=1, dport=2)
        firewall.refused("trusted", other, "default")
    for source, destination in (("2001:db8:2::5", OUTSIDE6), (INSIDE6, "2001:db8:2::8")):
        other = IPv6(src=source, dst=destination) / UDP(sport=1, dport=2)
        firewall.refused("trusted", other, "default")


def test_any_address_is_of_either_version(make_box):
    firewall = Firewall(make_box, ["allow udp any -> 0.0.0.0/0 port 53", "allow tcp ::/0 -> any"])
    firewall.out(udp(), tcp("S", 6))
    firewall.refused("trusted", udp(6), "default")
    firewall.refused("trusted", tcp("S"), "default")


def test_source_ports(make_box):
    firewall = Firewall(make_box, ["allow udp any port 1000-1999 -> any"])
    firewall.out(udp(sport=1000), udp(sport=1999))
    firewall.refused("trusted", udp(sport=2000), "default")


def test_sides(make_box):
    """Left out, a side is read in the safe way."""
    firewall = Firewall(
        make_box,
        ["drop udp any -> any port 1", "allow udp any -> any port 1-3",
         "drop from trusted udp any -> any port 4", "allow from any udp any -> any port 4",
         "allow from untrusted udp any -> any port 5", "allow from any udp any -> any port 1"],
    )  # fmt: skip
    there = {port: udp(dport=port) for port in range(1, 6)}
    back = {
        port: IP(src=OUTSIDE, dst=INSIDE) / UDP(sport=9, dport=port) / Raw(b"in")
        for port in range(1, 6)
    }
    firewall.refused("trusted", there[1], "rule")
    firewall.refused("untrusted", back[1], "rule")
    firewall.out(there[2], there[3])
    firewall.refused("untrusted", back[2], "default")
    firewall.refused("trusted", there[4], "rule")
    firewall.refused("trusted", there[5], "default")
    firewall.back(back[4], back[5])
    firewall.out(*(IP(src=INSIDE, dst=OUTSIDE) / UDP(sport=port, dport=9) for port in (4, 5)))


def test_protocols_and_types(make_box):
    firewall = Firewall(make_box, ["allow icmp any -> any type 13", "allow icmpv6", "allow 47"])
    firewall.refused("trusted", echo(), "default")
    firewall.out(IP(src=INSIDE, dst=OUTSIDE) / ICMP(type=13, id=1), echo(6))
    firewall.out(IP(src=INSIDE, dst=OUTSIDE, proto=47) / Raw(b"gre."))
    firewall.refused("trusted", IP(src=INSIDE, dst=OUTSIDE, proto=50) / Raw(b"esp."), "default")
    firewall.back(IP(src=OUTSIDE, dst=INSIDE, proto=47) / Raw(b"gre."))


def test_rules_speak_of_what_begins_not_of_what_follows(make_box):
    firewall = Firewall(make_box, ["drop from untrusted any", "allow udp any -> any port 53"])
    firewall.out(udp())
    firewall.back(answer(udp()))


RIGHT = [
    "allow any", "drop any", "allow from any tcp", "allow 0", "drop 255 any -> any",
    "allow tcp 10.0.0.0/8 -> any port 80,443", "allow tcp any port 1-65535 -> any port 1",
    "  allow\tudp   ::/0 ->  2001:db8::1 ", "allow any 1.2.3.4/32,::1 -> 0.0.0.0/0,::/0",
    "allow icmpv6 fe80::/10 -> any type 128-129,135", "allow from untrusted icmp any -> 10.0.0.5",
]  # fmt: skip
WRONG = {
    "": 'ends where "allow" or "drop" is needed',
    "permit any": 'found "permit" where "allow" or "drop" is needed',
    "allow": "ends where",
    "allow from inside tcp": 'found "inside" where "trusted", "untrusted" or "any" is needed',
    "allow tpc any -> any": 'found "tpc"',
    "allow 256": 'found "256"',
    "allow tcp any": 'ends where "->" is needed',
    "allow tcp any any": 'found "any" where "->" is needed',
    "allow tcp any ->": "ends where",
    "allow tcp 10.0.0.1/8 -> any": "no bits beyond",
    "allow tcp 10.0.0.0/33 -> any": 'found "10.0.0.0/33"',
    "allow tcp 2001:db8::1/32 -> any": "no bits beyond",
    "allow tcp ::/129 -> any": 'found "::/129"',
    "allow tcp 10.0.0.0/8, -> any": 'found "10.0.0.0/8,"',
    "allow tcp 10.0.0.256 -> any": 'found "10.0.0.256"',
    "allow tcp 10.0.0.0/ -> any": 'found "10.0.0.0/"',
    "allow tcp any -> any port": "ends where ports",
    "allow tcp any -> any port 0": 'found "0" where ports',
    "allow tcp any -> any port 65536": 'found "65536"',
    "allow tcp any -> any port 90-80": 'found "90-80"',
    "allow tcp any -> any port 80,": 'found "80,"',
    "allow tcp any -> any port 80-": 'found "80-"',
    "allow tcp any -> any port http": 'found "http"',
    "allow any any -> any port 80": "ports are of tcp or udp only",
    "allow icmp any -> any port 80": "ports are of tcp or udp only",
    "allow tcp any -> any type 8": "types are of icmp or icmpv6 only",
    "allow icmp any -> any type 256": 'found "256"',
    "allow tcp any -> any log": 'found "log" where the end is needed',
    "allow tcp 10.0.0.1 -> ::1": "no version of IP in common",
    "allow icmp ::1 -> any": "icmpv6",
    "allow icmpv6 10.0.0.1 -> any": "it is icmp",
    "allow " + "x" * 500: 'found "' + "x" * 60 + '"',
}  # fmt: skip


def test_right_rules():
    assert problems(*RIGHT) == []


@pytest.mark.parametrize("rule", WRONG)
def test_wrong_rules(rule):
    ((place, message),) = problems("allow any", rule)
    assert place == ("rules", 1)
    assert WRONG[rule] in message


def test_bounds():
    assert problems(*["allow any"] * 512) == []
    assert [message for _, message in problems(*["allow any"] * 513)] == [
        '"allow any": at most 512 rules'
    ]
    many = ",".join(f"10.{i // 256}.{i % 256}.0/24" for i in range(1025))
    assert "1024 prefixes" in problems(f"allow tcp {many} -> any")[0][1]
    ports = ",".join(str(port) for port in range(1, 1026))
    assert "1024 ranges" in problems(f"allow tcp any -> any port {ports}")[0][1]


def test_the_whole():
    assert problems()[0][1].startswith("rules is empty")
    assert problems("allow any", pending_max=20, flows_max=16) == [
        ((), "pending_max is more than flows_max")
    ]
    assert problems("allow any", untrusted="a")[0] == (
        (),
        "trusted and untrusted are the same port",
    )


TEXT = """\
name = "edge"
[[port]]
name = "lan"
device = "eth0"
[[port]]
name = "wan"
device = "eth1"
[[element]]
element = "firewall"
trusted = "lan"
untrusted = "van"
policy = "strict"
rules = [
    "allow tcp 10.0.0.0/8 -> any port 80,443",
    "alow udp any -> any port 53",
    "drop any",
    "allow tcp any -> any port 8080-80",
]
udp_timeout = 0
"""


def test_every_mistake_is_told_at_once_with_its_line():
    with pytest.raises(ConfigurationError) as caught:
        parse(TEXT, "box.toml")
    found = [re.match(r"box\.toml:(\d+): (\S+): ", problem) for problem in caught.value.problems]
    assert [(int(match[1]), match[2]) for match in found if match] == [
        (11, "element[1].untrusted"),
        (12, "element[1].policy"),
        (15, "element[1].rules[2]"),
        (17, "element[1].rules[4]"),
        (19, "element[1].udp_timeout"),
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*" ".join([*RIGHT, *WRONG]).split()]), max_size=9).map(" ".join)
       | st.text(max_size=60).filter(lambda text: "\0" not in text))  # fmt: skip
def test_any_text_is_a_rule_or_gets_an_answer(text):
    assert all(place == ("rules", 0) and message for place, message in problems(text))
