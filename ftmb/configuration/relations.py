# SPDX-License-Identifier: BSD-3-Clause
"""What must hold between several keys, and what only the elements know.

These checks read the raw data and step over whatever is malformed in it, since that
is reported already: so one run finds every problem.
"""

from __future__ import annotations

import difflib
import importlib
import ipaddress
from collections.abc import Iterator
from typing import Any

from ftmb.configuration import paths
from ftmb.configuration.model import WORKERS_MAX
from ftmb.configuration.modules import is_file
from ftmb.configuration.positions import Path
from ftmb.configuration.prepared import keys_of

Problem = tuple[Path, str]
JOURNAL = "journal:"  # before the path of a file, as a port's device
TABLE_KEYS = ("element", "module", "name")  # of an [[element]]; all others are options


def relation_problems(data: dict[str, Any]) -> list[Problem]:
    return [
        *_duplicate_ports(data),
        *_gateways(data),
        *_journals(data),
        *_core_counts(data),
        *_cores_used_twice(data),
        *_modes(data),
        *element_problems(data),
    ]


def unknown(what: str, word: str, allowed: list[str]) -> str:
    """Says what is allowed instead of `word`, and which of that may have been meant."""
    close = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{what}; allowed: {', '.join(sorted(allowed)) or 'nothing'}{hint}"


def _tables(data: dict[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    entries = data.get(key)
    if not isinstance(entries, list):
        return []
    return [(index, entry) for index, entry in enumerate(entries) if isinstance(entry, dict)]


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    entry = data.get(key)
    return entry if isinstance(entry, dict) else {}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _duplicate_ports(data: dict[str, Any]) -> Iterator[Problem]:
    for key in ("name", "device"):
        seen: dict[str, int] = {}
        for index, port in _tables(data, "port"):
            value = port.get(key)
            if not isinstance(value, str):
                continue
            if value in seen:
                yield ("port", index, key), f"found '{value}' again; each port needs its own {key}"
            seen.setdefault(value, index)


def _gateways(data: dict[str, Any]) -> Iterator[Problem]:
    for index, port in _tables(data, "port"):
        gateway, addresses = port.get("gateway"), port.get("addresses", [])
        if gateway is None or not isinstance(addresses, list):
            continue
        try:
            networks = [ipaddress.IPv4Interface(address).network for address in addresses]
            inside = any(ipaddress.IPv4Address(gateway) in network for network in networks)
        except ValueError:
            continue
        if not inside:
            reached = ", ".join(map(str, networks)) or "none, as the port has no addresses"
            yield (
                ("port", index, "gateway"),
                f"found {gateway}, which the port cannot reach; allowed: {reached}",
            )


def _journals(data: dict[str, Any]) -> Iterator[Problem]:
    for index, port in _tables(data, "port"):
        device = port.get("device")
        if not isinstance(device, str) or not device.startswith(JOURNAL):
            continue
        if not device.removeprefix(JOURNAL).startswith("/"):
            yield (
                ("port", index, "device"),
                f"found '{device}'; a journal's file is named from the root, such as "
                f"{JOURNAL}/var/log/ftmb/eve.json",
            )
        for key in ("addresses", "answers_for", "gateway", "queues", "descriptors"):
            if key in port:
                yield ("port", index, key), "found in a journal, which is a file"


def _core_counts(data: dict[str, Any]) -> Iterator[Problem]:
    count = _table(data, "workers").get("count", 1)
    if not _is_count(count):
        return
    for table in ("workers", "standby"):
        cores = _table(data, table).get("cores")
        if isinstance(cores, list) and len(cores) != count:
            yield (
                (table, "cores"),
                f"found {len(cores)} cores for {count} workers; one for each is needed",
            )


def _cores_used_twice(data: dict[str, Any]) -> Iterator[Problem]:
    """Pinned workers must not share a core; a standby may share cores with anything."""
    cores = _table(data, "workers").get("cores")
    pinned = [core for core in cores if _is_count(core)] if isinstance(cores, list) else []
    for core in sorted({core for core in pinned if pinned.count(core) > 1}):
        yield ("workers", "cores"), f"found core {core} twice; each worker needs a core of its own"
    logger = _table(data, "logger").get("core")
    if _is_count(logger) and logger in pinned:
        yield ("logger", "core"), f"found core {logger}, which a worker has too"


def _modes(data: dict[str, Any]) -> Iterator[Problem]:
    """How output is released and accesses are logged: only with protection, and as they fit."""
    release, pal = data.get("release", "parallel"), data.get("pal", "hand-overs")
    if data.get("protection") == "none":
        for key, value, usual in (("release", release, "parallel"), ("pal", pal, "hand-overs")):
            if value != usual:
                yield (key,), f"found '{value}' with protection = \"none\", which logs nothing"
    elif release == "checkpoint" and pal != "hand-overs":
        yield ("pal",), f"found '{pal}' with release = \"checkpoint\", which logs no accesses"
    if "checkpoint_ms" in data and release != "checkpoint":
        yield ("checkpoint_ms",), 'only release = "checkpoint" takes checkpoints'


def _filter_problems(data: dict[str, Any]) -> Iterator[Problem]:
    filters = importlib.import_module("ftmb._native.filters")
    for index, table in _tables(data, "path"):
        match = table.get("match")
        if isinstance(match, str):
            try:
                filters.compile_filter(match)
            except filters.FilterError as error:
                yield (
                    ("path", index, "match"),
                    f"found '{match}': {error}; see pcap-filter(7) for what can be asked",
                )


def element_problems(data: dict[str, Any]) -> list[Problem]:
    """What the elements' own tables in C say, and the graph that they make."""
    tables = [
        (index, table)
        for index, table in _tables(data, "element")
        if isinstance(table.get("element"), str) and not is_file(table["element"])
    ]
    if not tables:
        return []
    elements = importlib.import_module("ftmb._native.elements")  # only a build provides it
    classes = elements.element_classes()
    ports = [port["name"] for _, port in _tables(data, "port") if isinstance(port.get("name"), str)]
    count = _table(data, "workers").get("count", 1)
    workers = count if _is_count(count) and 0 < count <= WORKERS_MAX else 1
    problems: list[Problem] = list(_filter_problems(data))
    for index, table in tables:
        path: Path = ("element", index)
        name = table["element"]
        if name not in classes:
            problems.append(((*path, "element"), unknown(f"found '{name}'", name, list(classes))))
            continue
        known = [option.name for option in classes[name].options]
        options = {key: value for key, value in table.items() if key not in TABLE_KEYS}
        for key in options.keys() - known:
            allowed = sorted({*known, *keys_of(name)})
            problems.append(((*path, key), unknown("unknown key", key, allowed)))
        options = {key: value for key, value in options.items() if key in known}
        found = elements.check_options(name, options, ports, workers)
        problems += [((*path, *place), message) for place, message in found]
    nodes = paths.nodes_of(tables, classes, ports)
    journals = {port.get("name") for _, port in _tables(data, "port")
                if str(port.get("device", "")).startswith(JOURNAL)}  # fmt: skip
    wires = [port for port in ports if port not in journals]
    ways = paths.ways_of(_tables(data, "path"), nodes, wires)
    problems += paths.port_type_problems(tables, classes, ports, wires)
    has_unknown = len(nodes) < len(tables)
    if not has_unknown:
        has_paths = bool(_tables(data, "path"))
        problems += paths.graph_problems(nodes, ways, wires, has_paths=has_paths)
    return problems
