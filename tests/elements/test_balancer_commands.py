# SPDX-License-Identifier: BSD-3-Clause
"""Backends come, are drained and go by command, while connections stay and masters die."""

from __future__ import annotations

import ipaddress
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftmb._native.pipeline import Pipeline
from ftmb.testing import Box
from tests.elements.balancer_frames import (
    BACKENDS,
    SERVERS,
    VIP,
    VIPS,
    Balancer,
    answer,
    client,
    line,
    tcp,
    udp,
)
from tests.elements.test_balancer_maglev import Named, hashed, reference

BOXES = [(1, "least_connections"), (2, "maglev"), (4, "maglev"), (4, "least_connections")]
WORD = (1 << 64) - 1


def backend(number, version=4, protocol="tcp"):
    """As a command names it, which needs no arrow."""
    return line(protocol, version, number).replace(" ->", "")


@pytest.mark.parametrize(("workers", "algorithm"), BOXES)
def test_connections_stay_when_backends_change(make_box, workers, algorithm):
    balancer = Balancer(make_box, workers, algorithm=algorithm, backends=BACKENDS[:2])
    before = balancer.chosen(24)
    balancer.command("add " + backend(2))
    balancer.command("drain " + backend(0))
    after = balancer.chosen(24, sport=5000)
    assert set(after.values()) == {SERVERS[4][1], SERVERS[4][2]}
    there = balancer.to(*(tcp("A", number) for number in range(24)))
    assert {p.src: p.dst for p in there} == {client(n): before[n] for n in range(24)}
    backs = balancer.back(*(answer(packet) for packet in there))
    assert {packet.src for packet in backs} == {VIP}
    assert balancer.drops() == {}


@pytest.mark.parametrize(("workers", "algorithm"), BOXES)
def test_a_removed_backends_connections_end(make_box, workers, algorithm):
    balancer = Balancer(make_box, workers, algorithm=algorithm)
    chosen = balancer.chosen(24)
    asked = {p.src: p for p in balancer.to(*(udp(number) for number in range(24)))}
    balancer.command("remove " + backend(1))
    balancer.command("remove " + backend(1, protocol="udp"))
    gone = [number for number, server in chosen.items() if server == SERVERS[4][1]]
    there = balancer.send("clients", *(tcp("A", number) for number in range(24)))
    assert {p.src for p in there} == {client(n) for n in range(24) if n not in gone}
    assert balancer.drops() == {"backend_removed": len(gone)}
    late = next(p for p in asked.values() if p.dst == SERVERS[4][1])
    balancer.refused("servers", answer(late), "backend_removed")
    anew = balancer.to(*(tcp("S", number) for number in gone))
    assert {p.dst for p in anew} <= {SERVERS[4][0], SERVERS[4][2]}
    balancer.to(*(tcp("A", number) for number in gone))
    questions = {p.src: p.dst for p in balancer.to(*(udp(number) for number in range(24)))}
    for source, packet in asked.items():  # a flow of datagrams goes on elsewhere
        moved = packet.dst == SERVERS[4][1]
        assert (questions[source] != packet.dst) == moved


def test_a_removed_backend_comes_back_as_another(make_box):
    balancer = Balancer(make_box, algorithm="least_connections", backends=BACKENDS[:1])
    balancer.to(tcp("S"))
    balancer.command("remove " + backend(0))
    balancer.refused("clients", tcp("S", 1), "no_backend")
    balancer.command("add " + backend(0))
    balancer.refused("clients", tcp("A"), "backend_removed")
    assert balancer.tables()["load"]["connections"].sum() == 1  # nobody has come to it yet
    balancer.to(tcp("S", 1))
    assert balancer.tables()["load"]["connections"].tolist() == [1]
    balancer.to(tcp("S"))
    assert balancer.tables()["load"]["connections"].tolist() == [2]
    balancer.to(tcp("A"))


def test_places_are_used_again(make_box):
    """More backends than there are places, one after the other; and no more at once."""
    balancer = Balancer(make_box, backends=[], backends_max=2, services=[f"tcp {VIP}:80"])
    for number in range(8):
        balancer.command(f"add {VIP}:80 10.0.1.{number + 1}:80")
        (there,) = balancer.to(tcp("S", sport=1000 + number))
        assert there.dst == f"10.0.1.{number + 1}"
        balancer.command(f"remove {VIP}:80 10.0.1.{number + 1}:80")
    rows = balancer.tables()["backends"]
    assert len(rows) == 2 * balancer.box.workers
    for number in range(3):
        balancer.command(f"add {VIP}:80 10.0.2.{number + 1}:80")
    assert balancer.tables()["services"]["active"].tolist() == [2] * balancer.box.workers


def test_a_backend_moves_to_another_service(make_box):
    services = [f"tcp {VIP}:80", f"tcp {VIP}:81"]
    balancer = Balancer(make_box, services=services, backends=[f"{VIP}:80 -> 10.0.0.1:80"])
    balancer.to(tcp("S"))
    balancer.command(f"add {VIP}:81 10.0.0.1:80")  # it has another service: nothing happens
    assert balancer.tables()["services"]["active"].tolist() == [1, 0] * balancer.box.workers
    balancer.command(f"remove {VIP}:80 10.0.0.1:80")
    balancer.command(f"add {VIP}:81 10.0.0.1:80")
    balancer.refused("clients", tcp("A"), "backend_removed")
    other = tcp("S")
    other.dport = 81
    (there,) = balancer.to(other)
    (back,) = balancer.back(answer(there))
    assert (back.src, back.sport) == (VIP, 81)


def test_weights(make_box):
    balancer = Balancer(make_box, 2, algorithm="least_connections", backends=BACKENDS[:2])
    balancer.command("add " + backend(0) + " weight 3")
    assert Counter(balancer.chosen(40).values()) == {SERVERS[4][0]: 30, SERVERS[4][1]: 10}
    balancer.command("add " + backend(0))
    chosen = Counter(balancer.chosen(40, sport=5000).values())
    assert chosen == {SERVERS[4][0]: 10, SERVERS[4][1]: 30}  # forty each in all


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_fewest_connections_of_all_workers(make_box, workers):
    """Exactly the same number each, whichever workers their clients belong to."""
    balancer = Balancer(make_box, workers, algorithm="least_connections", udp_timeout=10)
    for burst in range(4):
        balancer.to(*(tcp("S", number, sport=6000 + burst) for number in range(30)))
        loads = balancer.tables()["load"]["connections"].tolist()
        assert loads == [10 * (burst + 1)] * 3
    balancer.to(*(udp(number, 6) for number in range(31)))
    tables = balancer.tables()
    assert sorted(tables["load"]["connections"].tolist()) == [10, 10, 11, 40, 40, 40]
    assert tables["load"]["connections_ever"].sum() == 151
    by_place = Counter()
    for row in tables["backends"]:
        by_place[int(row["place"])] += int(row["connections"])
    assert {int(row["place"]): int(row["connections"]) for row in tables["load"]} == {
        place: count for place, count in by_place.items() if count
    }
    balancer.advance(11)
    assert balancer.tables()["load"]["connections"].sum() == 120


def test_commands_that_do_not_fit_change_nothing(make_box):
    balancer = Balancer(make_box, backends=BACKENDS[:2], backends_max=2)
    for text in ("drain " + backend(2), "remove " + backend(2), "add " + backend(2),
                 "add " + backend(0)):  # fmt: skip
        balancer.command(text)
    rows = balancer.tables()["backends"]
    assert rows["state"].tolist() == [1, 1] * balancer.box.workers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has these commands: 'add"),
        ("kill 10.0.0.1:80", "has these commands: 'add"),
        ("add", "ends where an address"),
        (f"add {VIP}:99 10.0.0.1:80", "not among `services`"),
        (f"add {VIP}:80 10.0.0.1", "an address of a host and a port"),
        (f"add {VIP}:80 [2001:db8::1]:80", "different versions of IP"),
        (f"add {VIP}:80 10.0.0.1:80 weight 0", "a weight from 1 to 256"),
        (f"add {VIP}:80 10.0.0.1:80 weight 2 weight 3", '"mac" or the end'),
        (f"add {VIP}:80 10.0.0.1:80 mac 01:00:00:00:00:01", "Ethernet address of one host"),
        (f"drain {VIP}:80 10.0.0.1:80 weight 3", 'for "add" alone'),
        (f"add {VIP}:53 10.0.0.1:80", None),
        (f"add tcp {VIP}:80 10.0.0.1:80 mac 02:00:00:00:00:0A weight 256", None),
        (f"add {VIP}:80 -> 10.0.0.1:80", None),
    ],
)
def test_commands_are_checked_beforehand(text, message):
    options = {"clients": "a", "servers": "b", "services": [f"tcp {VIP}:80", f"udp {VIP}:53"]}
    pipeline = Pipeline([{"element": "load_balancer", "options": options}], ["a", "b"], 1)
    problem = pipeline.command_problem(0, text)
    assert (problem is None) == (message is None), problem
    assert message is None or message in problem


def test_directly_an_added_backend_needs_its_ethernet_address():
    options = {"clients": "a", "servers": "b", "services": [f"tcp {VIP}:80"],
               "forwarding": "direct"}  # fmt: skip
    pipeline = Pipeline([{"element": "load_balancer", "options": options}], ["a", "b"], 1)
    assert 'needs "mac"' in pipeline.command_problem(0, f"add {VIP}:80 10.0.0.1:80")
    assert "ports stay" in pipeline.command_problem(0, f"add {VIP}:80 10.0.0.1:81")
    assert pipeline.command_problem(0, f"drain {VIP}:80 10.0.0.1:80") is None


# ---- Against a model ----

TABLE_SIZE = 101
STEPS = st.one_of(
    st.tuples(st.just("open"), st.integers(0, 40)),
    st.tuples(st.just("data"), st.integers(0, 40)),
    st.tuples(st.just("add"), st.integers(0, 5), st.integers(1, 4)),
    st.tuples(st.sampled_from(["drain", "remove"]), st.integers(0, 5)),
    st.tuples(st.just("fail over")),
)


def mixed(first: int, second: int, seed: int) -> int:
    """hash_table_hash(), which the README names for the place in the table."""
    value = (first ^ seed) * 0x9E3779B97F4A7C15 & WORD
    value = ((value ^ value >> 32) + second) * 0xBF58476D1CE4E5B9 & WORD
    value = (value ^ value >> 29) * 0x94D049BB133111EB & WORD
    return value ^ value >> 32


def packed(address: str) -> bytes:
    return bytes(10) + b"\xff\xff" + ipaddress.IPv4Address(address).packed


def name(address: str, port: int) -> bytes:
    return packed(address) + port.to_bytes(2, "big") + b"\x06"


class Model:
    """The backends and connections of one service, as the README tells it."""

    def __init__(self) -> None:
        self.weights: dict[int, int] = {}  # of the active ones
        self.known: dict[int, int] = {}  # generation of those that are not removed
        self.generation = 0
        self.open: dict[int, tuple[int, int]] = {}  # client: backend, generation

    def choose(self, number: int) -> int | None:
        if not self.weights:
            return None
        backends = sorted(self.weights)  # their addresses have this order too
        entries = reference(TABLE_SIZE, [Named(name(f"10.0.0.{b + 1}", 80), self.weights[b])
                                         for b in backends])  # fmt: skip
        source = packed(client(number))
        seed = hashed(name(VIP, 80), 3)
        words = (int.from_bytes(source[:8], "big"), int.from_bytes(source[8:], "big"))
        place = mixed(4000, 0, mixed(*words, seed))
        return backends[entries[(place >> 32) * TABLE_SIZE >> 32]]

    def is_orphan(self, number: int) -> bool:
        one = self.open.get(number)
        return one is not None and self.known.get(one[0]) != one[1]

    def packet(self, number: int, begins: bool) -> int | None:
        """The backend that must get it; None: dropped."""
        if begins and self.is_orphan(number):
            del self.open[number]
        if self.is_orphan(number):
            return None
        if number in self.open:
            return self.open[number][0]
        chosen = self.choose(number)
        if begins and chosen is not None:
            self.open[number] = (chosen, self.known[chosen])
        return chosen

    def command(self, what: str, number: int, weight: int) -> None:
        if what == "add":
            if number not in self.known:
                self.generation += 1
                self.known[number] = self.generation
            self.weights[number] = weight
        else:
            self.weights.pop(number, None)
            if what == "remove":
                self.known.pop(number, None)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=5, max_size=60), st.integers(1, 3))
def test_any_story_is_the_models(steps, workers):
    options = {"clients": "clients", "servers": "servers", "services": [f"tcp {VIP}:80"],
               "backends_max": 6, "table_size": TABLE_SIZE, "connections_max": 64}  # fmt: skip
    model = Model()
    with Box([("load_balancer", options)], ["clients", "servers"], workers) as box:
        balancer = Balancer(lambda **_: box)
        for step in steps:
            if step[0] == "fail over":
                box.fail_over()
            elif step[0] in ("open", "data"):
                begins = step[0] == "open"
                expected = model.packet(step[1], begins)
                passed = balancer.send("clients", tcp("S" if begins else "A", step[1]))
                assert [p.dst for p in passed] == (
                    [] if expected is None else [f"10.0.0.{expected + 1}"]
                )
            else:
                weight = step[2] if step[0] == "add" else 1
                model.command(step[0], step[1], weight)
                shown = f" weight {weight}" if step[0] == "add" else ""
                box.command(0, f"{step[0]} {VIPS[4]}:80 10.0.0.{step[1] + 1}:80{shown}")
