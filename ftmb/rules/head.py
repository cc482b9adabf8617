# SPDX-License-Identifier: BSD-3-Clause
"""Addresses and ports of a rule's head: variables replaced, lists flat, networks without overlaps.

`[10.0.0.0/8,!10.1.0.0/16]` is what is in a plain entry and in no negated one, and a list of negated
entries alone is everything else, as in Suricata.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ftmb.rules.problems import Refused, malformed
from ftmb.rules.ranges import Choice, Ranges, joined, union
from ftmb.rules.syntax import Entry, SyntaxProblem, parse_entry

PORT_MAX = 65535
VARIABLES_DEEP = 16  # variables in variables
PORTS: Ranges = ((0, PORT_MAX),)
# Both kinds of addresses on one line of numbers, with a gap so that they never touch.
IPV4_BASE = (1 << 128) + 1
IPV4: Ranges = ((IPV4_BASE, IPV4_BASE + (1 << 32) - 1),)
ADDRESSES: Ranges = ((0, (1 << 128) - 1), *IPV4)
_PORT_RANGE = re.compile(r"(\d{0,5})(:)?(\d{0,5})")

# What Suricata's own configuration has for these, unless the operator says otherwise.
DEFAULT_VARIABLES = {
    "HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]",
    "EXTERNAL_NET": "!$HOME_NET",
    **dict.fromkeys(
        ("HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS",
         "DC_SERVERS", "DNP3_SERVER", "DNP3_CLIENT", "MODBUS_CLIENT", "MODBUS_SERVER",
         "ENIP_CLIENT", "ENIP_SERVER"),
        "$HOME_NET",
    ),
    "AIM_SERVERS": "$EXTERNAL_NET",
    "HTTP_PORTS": "80",
    "SHELLCODE_PORTS": "!80",
    "ORACLE_PORTS": "1521",
    "SSH_PORTS": "22",
    "DNP3_PORTS": "20000",
    "MODBUS_PORTS": "502",
    "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]",
    "FTP_PORTS": "21",
    "GENEVE_PORTS": "6081",
    "VXLAN_PORTS": "4789",
    "TEREDO_PORTS": "3544",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Addresses or ports."""

    name: str
    everything: Ranges
    parse: Callable[[str], Ranges]
    show: Callable[[Ranges], Iterator[str]]


def _parse_address(word: str) -> Ranges:
    try:
        if "-" in word:
            low, high = (ipaddress.ip_address(part) for part in word.split("-", 1))
            if low.version != high.version or int(low) > int(high):
                raise malformed(f"'{word}' is no range of addresses")
            first, last = int(low), int(high)
        else:
            network = ipaddress.ip_network(word, strict=False)
            low = network.network_address
            first, last = int(low), int(network.broadcast_address)
    except ValueError:
        raise malformed(f"'{word}' is no address, network or range of addresses") from None
    base = IPV4_BASE if low.version == 4 else 0
    return ((base + first, base + last),)


def _show_addresses(ranges: Ranges) -> Iterator[str]:
    """IPv4 first."""
    for first, last in sorted(ranges, key=lambda one: one[0] < IPV4_BASE):
        ends: (
            tuple[ipaddress.IPv4Address, ipaddress.IPv4Address]
            | tuple[ipaddress.IPv6Address, ipaddress.IPv6Address]
        )
        if first >= IPV4_BASE:
            ends = (
                ipaddress.IPv4Address(first - IPV4_BASE),
                ipaddress.IPv4Address(last - IPV4_BASE),
            )
        else:
            ends = ipaddress.IPv6Address(first), ipaddress.IPv6Address(last)
        for network in ipaddress.summarize_address_range(*ends):
            is_host = network.prefixlen == network.max_prefixlen
            yield str(network.network_address) if is_host else str(network)


def _parse_ports(word: str) -> Ranges:
    match = _PORT_RANGE.fullmatch(word)
    if match is None or not word:
        raise malformed(f"'{word}' is no port or range of ports")
    first = int(match[1] or 0)
    last = int(match[3] or PORT_MAX) if match[2] else first
    if not first <= last <= PORT_MAX:
        raise malformed(f"'{word}' is no range of ports from 0 to {PORT_MAX}")
    return ((first, last),)


def _show_ports(ranges: Ranges) -> Iterator[str]:
    for first, last in ranges:
        yield str(first) if first == last else f"{first}:{last}"


ADDRESS = Kind("address", ADDRESSES, _parse_address, _show_addresses)
PORT = Kind("port", PORTS, _parse_ports, _show_ports)


class Variables:
    """What the variables stand for, and with them what the entries of heads do."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self._known: dict[tuple[Entry, str], str] = {}  # thousands of rules have the same few

    def canonical(self, entry: Entry, kind: Kind) -> str:
        """Raises Refused."""
        key = (entry, kind.name)
        if key not in self._known:
            self._known[key] = self._canonical(entry, kind)
        return self._known[key]

    def _canonical(self, entry: Entry, kind: Kind) -> str:
        choice = self._chosen(entry, kind, ())
        if not choice.numbers(kind.everything):
            raise malformed(f"no {kind.name} is left that it could match")
        plain = None if choice.plain == kind.everything else choice.plain
        entries = [] if plain is None else list(kind.show(plain))
        entries += ["!" + text for text in kind.show(choice.negated)]
        if not entries:
            return "any"
        return entries[0] if len(entries) == 1 else f"[{','.join(entries)}]"

    def _chosen(self, entry: Entry, kind: Kind, within: tuple[str, ...]) -> Choice:
        if entry.members:
            choice = joined(self._chosen(one, kind, within) for one in entry.members)
        elif entry.word.startswith("$"):
            choice = self._variable(entry.word[1:], kind, within)
        elif entry.word.lower() == "any":
            choice = Choice(kind.everything)
        else:
            choice = Choice(union(kind.parse(entry.word)))
        try:
            return choice.inverted() if entry.negated else choice
        except ValueError:
            kind_of = f"negated list ({kind.name}) that excludes some itself"
            raise Refused(
                kind_of, f"{kind_of}: write what is meant without the outer '!'"
            ) from None

    def _variable(self, name: str, kind: Kind, within: tuple[str, ...]) -> Choice:
        matter = f"variable ${name}"
        if name not in self.values:
            known = "give it a value in `variables`"
            raise Refused(matter, f"the {matter} is not defined; {known}")
        if name in within or len(within) == VARIABLES_DEEP:
            raise Refused(matter, f"the {matter} is made of itself")
        try:
            entry = parse_entry(self.values[name])
        except SyntaxProblem as error:
            raise Refused(matter, f"in the {matter}: {error.problem}") from None
        return self._chosen(entry, kind, (*within, name))
