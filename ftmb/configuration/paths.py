# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline as a graph: elements, and the paths that packets take through them.

A path begins at ports, may ask a question of the packet as it came in, and names the elements in
the order in which they see it. Without paths there is one: all elements in order, from all ports.

What is found here concerns the whole: names, loops, what no packet can reach, who says which worker
gets a packet, and whether an element that follows flows sees both directions of them alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftmb.configuration.positions import Path

if TYPE_CHECKING:
    from ftmb._native.elements import ElementClass

Problem = tuple[Path, str]


@dataclass(frozen=True)
class Node:
    """An element of the graph; `ports` are those that its options name."""

    index: int  # of its table in the TOML
    name: str
    element: ElementClass
    ports: frozenset[str]


@dataclass(frozen=True)
class Way:
    """A path: by which ports, under which condition, through whom."""

    place: Path  # in the TOML
    ports: tuple[str, ...]
    match: str | None
    through: tuple[str, ...]


def _texts(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else []
    return tuple(entry for entry in listed if isinstance(entry, str))


def name_of(table: dict[str, Any]) -> str:
    """An element's name: its own, or that of its kind."""
    name = table.get("name", table.get("element"))
    return name if isinstance(name, str) else ""


def nodes_of(tables: list[tuple[int, dict[str, Any]]], classes: dict[str, ElementClass],
             ports: list[str]) -> list[Node]:  # fmt: skip
    """The elements that are known, as far as their tables are right."""
    found = []
    for index, table in tables:
        element = classes.get(table["element"])
        if element is not None:
            options = [option.name for option in element.options if option.type == "port"]
            named = [port for port in ports if port in (table.get(option) for option in options)]
            found.append(Node(index, name_of(table), element, frozenset(named)))
    return found


def ways_of(tables: list[tuple[int, dict[str, Any]]], nodes: list[Node], ports: list[str]
            ) -> list[Way]:  # fmt: skip
    """The paths; where none is configured, the one that there is then."""
    if not tables:
        return [Way(("element",), tuple(ports), None, tuple(node.name for node in nodes))]
    return [
        Way(
            ("path", index),
            _texts(table.get("from")),
            table.get("match") if isinstance(table.get("match"), str) else None,
            _texts(table.get("through")),
        )
        for index, table in tables
    ]


def port_type_problems(tables: list[tuple[int, dict[str, Any]]],
                       classes: dict[str, ElementClass], ports: list[str], wires: list[str]
                       ) -> Iterator[Problem]:  # fmt: skip
    """Packets go to wires, lines to journals."""
    for index, table in tables:
        options = classes[table["element"]].options if table["element"] in classes else ()
        for option in options:
            name = table.get(option.name)
            if name not in ports:
                continue
            if option.type == "port" and name not in wires:
                yield (
                    ("element", index, option.name),
                    f"found '{name}', which is a journal; packets need a port with a wire",
                )
            if option.type == "journal" and name in wires:
                yield (
                    ("element", index, option.name),
                    f"found '{name}', which is no journal; lines need a port whose device is "
                    "journal:/path",
                )


def graph_problems(nodes: list[Node], ways: list[Way], ports: list[str], *,
                   has_paths: bool) -> list[Problem]:  # fmt: skip
    """Everything that is wrong with it as a whole."""
    problems = [*_names(nodes), *_steering(nodes), *_sides(nodes, ways)]
    if has_paths:
        problems += [
            *_references(nodes, ways, ports),
            *_loops(ways),
            *_unreachable(ways),
            *_left_out(nodes, ways),
            *_strangers(nodes, ways),
        ]
    return problems


def _names(nodes: list[Node]) -> Iterator[Problem]:
    seen: set[str] = set()
    for node in nodes:
        if node.name in seen:
            yield (
                ("element", node.index),
                f"found '{node.name}' again; each element needs a name of its own (name = ...)",
            )
        seen.add(node.name)


def _steering(nodes: list[Node]) -> Iterator[Problem]:
    steering = [node for node in nodes if node.element.steers]
    for node in steering[1:]:
        yield (
            ("element", node.index, "element"),
            f"found '{node.name}' beside '{steering[0].name}'; each has a rule of its own for "
            "which worker gets a packet, and a box can follow only one",
        )


def _references(nodes: list[Node], ways: list[Way], ports: list[str]) -> Iterator[Problem]:
    names = [node.name for node in nodes]
    for way in ways:
        for key, found, known, what in (
            ("from", way.ports, ports, "port"),
            ("through", way.through, names, "element"),
        ):
            for index, name in enumerate(found):
                if name not in known:
                    allowed = ", ".join(known) or "nothing"
                    yield (
                        (*way.place, key, index),
                        f"found '{name}', which is no {what} here; allowed: {allowed}",
                    )


def _loops(ways: list[Way]) -> Iterator[Problem]:
    for way in ways:
        for index, name in enumerate(way.through):
            if name in way.through[:index]:
                yield (
                    (*way.place, "through", index),
                    f"found '{name}' again; a path passes each element once, or it is a loop",
                )


def _unreachable(ways: list[Way]) -> Iterator[Problem]:
    """A path whose packets an earlier one takes, all of them."""
    taken: set[str] = set()
    for way in ways:
        if way.ports and taken.issuperset(way.ports):
            yield (
                way.place,
                "no packet takes this path: one before it takes all that come in by "
                + " and ".join(way.ports),
            )
        if way.match is None:
            taken |= set(way.ports)


def _left_out(nodes: list[Node], ways: list[Way]) -> Iterator[Problem]:
    used = {name for way in ways for name in way.through}
    for node in nodes:
        if node.name not in used:
            yield ("element", node.index), f"found '{node.name}', which is in no path"


def _strangers(nodes: list[Node], ways: list[Way]) -> Iterator[Problem]:
    """An element drops what came in by a port that it does not know."""
    by_name = {node.name: node for node in nodes}
    for way in ways:
        for name in way.through:
            node = by_name.get(name)
            strange = [port for port in way.ports if node and node.ports and port not in node.ports]
            for port in strange:
                yield (
                    (*way.place, "from"),
                    f"found '{port}', which is none of the ports of '{name}': it would drop all "
                    "that comes in there",
                )


def _sides(nodes: list[Node], ways: list[Way]) -> Iterator[Problem]:
    """Who follows flows must stand on the same side of who rewrites, whichever way packets go."""
    by_name = {node.name: node for node in nodes}
    rewriting = [node for node in nodes if node.element.rewrites]
    following = [node for node in nodes if node.element.needs_flows and not node.element.rewrites]
    for follower in following:
        for rewriter in rewriting:
            before: dict[bool, set[str]] = {True: set(), False: set()}
            for way in ways:
                places = {name: index for index, name in enumerate(way.through) if name in by_name}
                if follower.name in places and rewriter.name in places:
                    is_before = places[follower.name] < places[rewriter.name]
                    before[is_before] |= set(way.ports) & (rewriter.ports or set(way.ports))
            for is_before, found in before.items():
                if len(found) > 1:
                    order = "before" if is_before else "behind"
                    yield (
                        ("element", follower.index),
                        f"'{follower.name}' stands {order} '{rewriter.name}' for packets from "
                        f"{' and '.join(sorted(found))} alike, so it would see other addresses in "
                        "one direction of a flow than in the other: give each port a [[path]] "
                        "through both, in opposite orders",
                    )
