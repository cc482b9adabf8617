# SPDX-License-Identifier: BSD-3-Clause
"""What the monitor counts, beside exact counts of the same frames made here: hosts, prefixes, and
top talkers within their bound, on one worker and on several."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from ftmb._native.elements import check_options
from tests.elements.limiter_frames import SERVER, Packet, frame
from tests.elements.state_view import rows_of

PORTS = ["left", "right"]
BASE: dict[str, Any] = {"first": "left", "second": "right"}
PREFIXES = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "2001:db8:1::/48", "0.0.0.0/0"]
COUNTS = ("packets", "bytes", "packets_to", "bytes_to")


def trace(seed: int, count: int, hosts: int) -> list[Packet]:
    """Skewed: hosts in the order of their rank by Zipf's law, of both versions."""
    chance = np.random.default_rng(seed)
    ranks = np.minimum(chance.zipf(1.3, count) - 1, hosts - 1)
    sizes = chance.integers(90, 1400, count)
    return [
        Packet(number, host_of(int(rank)), bool(chance.random() < 0.7), int(size), port=7 + number)
        for number, (rank, size) in enumerate(zip(ranks, sizes, strict=True))
    ]


def host_of(rank: int) -> str:
    if rank % 3 == 2:
        return f"2001:db8:{rank % 2}::{rank + 1:x}"
    return f"10.{rank % 2}.{rank // 200}.{rank % 200 + 1}"


def through(box: Any, packets: list[Packet]) -> None:
    for first in range(0, len(packets), 500):
        part = packets[first : first + 500]
        for packet in part:
            box.inject("left" if packet.is_upload else "right", frame(packet))
        assert len(box.run()) == len(part)


def exact(packets: list[Packet]) -> dict[str, Counter[str]]:
    """By address: what it sent and what was sent to it."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for packet in packets:
        server = str(ipaddress.ip_address(SERVER[packet.version]))
        host = str(ipaddress.ip_address(packet.host))
        source, destination = (host, server) if packet.is_upload else (server, host)
        found[source].update(packets=1, bytes=packet.size)
        found[destination].update(packets_to=1, bytes_to=packet.size)
    return found


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_hosts_and_prefixes_are_counted_exactly(make_box, workers):
    options = {**BASE, "destinations": True, "prefixes": PREFIXES}
    box = make_box([("monitor", options)], PORTS, workers)
    packets = trace(workers, 1500, 300)
    through(box, packets)
    wanted = exact(packets)
    shown = {row["address"]: row for row in rows_of(box, "hosts")}
    assert set(shown) == set(wanted)
    for address, counts in wanted.items():
        assert {name: shown[address][name] for name in COUNTS} == {n: counts[n] for n in COUNTS}
    networks = [ipaddress.ip_network(prefix) for prefix in PREFIXES]
    by_prefix: dict[str, Counter[str]] = defaultdict(Counter)
    for address, counts in wanted.items():
        holding = [network for network in networks if ipaddress.ip_address(address) in network]
        if holding:
            by_prefix[str(max(holding, key=lambda one: one.prefixlen))].update(counts)
    summed: dict[str, Counter[str]] = {prefix: Counter() for prefix in PREFIXES}
    for row in rows_of(box, "prefixes"):
        summed[row["prefix"]].update({name: row[name] for name in COUNTS})
    assert all(summed[prefix] == by_prefix[prefix] for prefix in PREFIXES)
    assert len(by_prefix) == len(PREFIXES), "something must have been in each of them"
    (totals,) = rows_of(box, "totals")
    assert (totals["packets"], totals["hosts"]) == (len(packets), len(wanted))
    assert totals["bytes"] == sum(packet.size for packet in packets)


@pytest.mark.parametrize("seed", range(3))
def test_the_longest_of_many_nested_prefixes_counts(make_box, seed):
    """Random ones of both versions, down to single hosts and up to everything."""
    chance = random.Random(seed)
    hosts = [host_of(rank) for rank in range(120)] + [
        "255.255.255.255",
        "ffff::1",
        "::2",
        "1.2.3.4",
    ]
    nobodys = ipaddress.ip_address("1.2.3.4")  # that of ::/0 neither, where it stands in memory
    prefixes = {"::/0", "10.0.0.0/9", "::fffe:0:0/95"}
    while len(prefixes) < 60:
        address = ipaddress.ip_address(chance.choice(hosts))
        length = chance.randrange(1, address.max_prefixlen + 1)
        network = ipaddress.ip_network((address, length), strict=False)
        if nobodys not in network:
            prefixes.add(str(network))
    box = make_box([("monitor", {**BASE, "prefixes": sorted(prefixes)})], PORTS)
    packets = [Packet(n, host, size=100 + n) for n, host in enumerate(hosts)]
    through(box, packets)
    networks = [ipaddress.ip_network(prefix) for prefix in prefixes]
    wanted: Counter[str] = Counter()
    for packet in packets:
        address = ipaddress.ip_address(packet.host)
        holding = [network for network in networks if address in network]
        if holding:
            wanted[str(max(holding, key=lambda one: one.prefixlen))] += packet.size
    shown = {row["prefix"]: row["bytes"] for row in rows_of(box, "prefixes") if row["bytes"]}
    assert shown == wanted
    assert len(wanted) > 10


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("entries", [16, 64])
def test_top_talkers_are_within_the_bound(make_box, workers, entries):
    """Space-Saving promises of each sketch: no count is too low, none too high by more than `over`,
    that is at most all bytes by entries, and whoever has more than that is there. Of the sum of
    several, the error is no more than that of all bytes."""
    options = {**BASE, "destinations": True, "top": entries}
    box = make_box([("monitor", options)], PORTS, workers)
    packets = trace(entries, 2500, 600)
    through(box, packets)
    wanted = exact(packets)
    for table, what in (("top_sources", "bytes"), ("top_destinations", "bytes_to")):
        rows = rows_of(box, table)
        everything = sum(counts[what] for counts in wanted.values())
        bound = everything / entries
        assert sum(row["bytes"] for row in rows) == everything, "no byte is lost"
        for worker in range(workers):
            of_worker = [row["address"] for row in rows_of(box, table, worker=worker)]
            assert len(of_worker) == len(set(of_worker)) == entries
        high: Counter[str] = Counter()
        low: Counter[str] = Counter()
        for row in rows:
            high[row["address"]] += row["bytes"]
            low[row["address"]] += row["bytes"] - row["over"]
        for address, counts in wanted.items():
            assert low[address] <= counts[what]
            assert abs(high[address] - counts[what]) <= bound
            assert counts[what] <= bound or address in high
        if workers == 1:
            assert all(high[address] >= wanted[address][what] for address in high)
            assert len(high) < len({a for a, counts in wanted.items() if counts[what]})


def test_few_talkers_are_counted_exactly(make_box):
    box = make_box([("monitor", {**BASE, "top": 16})], PORTS, 2)
    chance = random.Random(3)
    packets = [
        Packet(n, f"10.0.0.{chance.randrange(1, 9)}", port=n + 1, size=90 + n) for n in range(300)
    ]
    through(box, packets)
    summed: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for row in rows_of(box, "top_sources"):
        assert row["over"] == 0
        summed[row["address"]] += row["bytes"]
        seen[row["address"]] += row["packets"]
    wanted = {a: c for a, c in exact(packets).items() if c["bytes"]}
    assert summed == {address: counts["bytes"] for address, counts in wanted.items()}
    assert seen == {address: counts["packets"] for address, counts in wanted.items()}
    assert rows_of(box, "top_destinations") == []


def test_what_is_off_is_not_there(make_box):
    box = make_box([("monitor", BASE)], PORTS, 2)
    through(box, [Packet(1, "10.0.0.1"), Packet(2, "2001:db8::1"), Packet(3, "0.0.0.0")])
    assert {row["address"] for row in rows_of(box, "hosts")} == {"10.0.0.1", "2001:db8::1"}
    for table in ("prefixes", "top_sources", "top_destinations"):
        assert rows_of(box, table) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefixes": ["10.0.0.1/8"]}, "no bits beyond"),
        ({"prefixes": ["2001:db8::/129"]}, "no bits beyond"),
        ({"prefixes": ["10.0.0.0/8", "10.0.0.0/8"]}, "stands there twice"),
        ({"prefixes": [f"10.{n // 256}.{n % 256}.0/24" for n in range(513)]}, "at most 512"),
        ({"top": 15}, "at least 16"),
        ({"top": 1 << 17}, "top"),
        ({"destinations": "yes"}, "true or false"),
    ],
)
def test_mistakes_are_told(options, message):
    found = check_options("monitor", {**BASE, **options}, PORTS, 2)
    assert any(message in f"{place}: {what}" for place, what in found), found
