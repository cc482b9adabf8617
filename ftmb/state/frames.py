# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the state as people read them: polars frames, in which addresses are text.

What a query leaves over is turned into text, not the whole table.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np
import polars as pl

from ftmb._native.tables import Field, Rows, Table
from ftmb.errors import StateError

PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
NANOSECONDS = 1e9
MAPPED = bytes(10) + b"\xff\xff"  # in front of an IPv4 address in 16 bytes


@dataclass(frozen=True)
class Query:
    """What of a table is wanted: SQL's WHERE, prefixes (field, network), and in which order."""

    where: str | None = None
    within: tuple[tuple[str, str], ...] = ()
    sort: str | None = None  # a field; with a minus, the largest first


def _ipv4(numbers: pl.Series) -> pl.Series:
    parts = [((numbers // 256**power) % 256).cast(pl.String) for power in (3, 2, 1, 0)]
    frame = pl.DataFrame({str(index): part for index, part in enumerate(parts)})
    return frame.select(pl.concat_str(pl.all(), separator=".")).to_series()


def _text(packed: bytes) -> str:
    """Of either version: 16 bytes may hold an IPv4 address, as ::ffff:a.b.c.d."""
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _address(name: str, column: np.ndarray) -> pl.Series:
    if column.dtype.kind == "V":
        raw = np.ascontiguousarray(column).tobytes()
        size = column.dtype.itemsize
        texts = [_text(raw[at : at + size]) for at in range(0, len(raw), size)]
        return pl.Series(name, texts, pl.String)
    return _ipv4(pl.Series(name, column.astype("u4"))).rename(name)


def _named(name: str, column: np.ndarray, names: dict[int, str]) -> pl.Series:
    values, where = np.unique(column, return_inverse=True)
    texts = np.array([names.get(int(value), str(value)) for value in values], object)
    return pl.Series(name, texts[where] if len(values) else [], pl.String)


def _flags(field: Field, column: np.ndarray) -> pl.Series:
    names = {
        int(value): "|".join(name for bit, name in enumerate(field.names) if int(value) >> bit & 1)
        for value in np.unique(column)
    }
    return _named(field.name, column, names)


def _column(field: Field, column: np.ndarray) -> pl.Series:
    match field.type:
        case "address":
            return _address(field.name, column)
        case "choice":
            return _named(field.name, column, dict(enumerate(field.names)))
        case "flags":
            return _flags(field, column)
        case "protocol":
            return _named(field.name, column, PROTOCOLS)
        case "seconds":
            return pl.Series(field.name, column * (field.unit_ns / NANOSECONDS))
        case _:
            return pl.Series(field.name, np.ascontiguousarray(column))


def frame_of(table: Table, rows: Rows) -> pl.DataFrame:
    """All columns, in the order of the fields."""
    fields = {field.name: field for field in table.fields}
    columns = [
        _column(fields[name], rows[name]) if name in fields else pl.Series(name, rows[name])
        for name in rows.dtype.names or ()
    ]
    return pl.DataFrame(columns)


def _known(table: Table, name: str, types: tuple[str, ...] | None = None) -> Field:
    for field in table.fields:
        if field.name == name and (types is None or field.type in types):
            return field
    names = ", ".join(f.name for f in table.fields if types is None or f.type in types)
    what = "fields" if types is None else "addresses"
    raise StateError(f"the table {table.name} has no '{name}'; its {what}: {names or 'none'}")


def _is_within(field: Field, column: np.ndarray, prefix: str) -> np.ndarray:
    try:
        network = ipaddress.ip_network(prefix, strict=False)
    except ValueError as error:
        raise StateError(f"'{prefix}' is no prefix such as 10.0.0.0/8: {error}") from error
    if column.dtype.kind != "V":
        if network.version == 6:
            return np.zeros(len(column), bool)
        mask = int(network.netmask)
        return (column.astype("u4") & mask) == int(network.network_address)
    raw = np.ascontiguousarray(column).view("u1").reshape(len(column), -1)
    is_mapped = (raw[:, : len(MAPPED)] == np.frombuffer(MAPPED, "u1")).all(axis=1)
    raw = raw[:, len(MAPPED) :] if network.version == 4 else raw
    wanted = np.frombuffer(network.network_address.packed, "u1")
    mask_bytes = np.frombuffer(network.netmask.packed, "u1")
    is_within = ((raw & mask_bytes) == wanted).all(axis=1)
    return np.asarray(is_within & (is_mapped == (network.version == 4)))


def select(table: Table, rows: Rows, query: Query) -> pl.DataFrame:
    """The rows that a query asks for. StateError says what is wrong with it."""
    for name, prefix in query.within:
        field = _known(table, name, ("address",))
        rows = rows[_is_within(field, rows[name], prefix)]
    frame = frame_of(table, rows)
    if query.where is not None:
        try:
            frame = frame.filter(pl.sql_expr(query.where))
        except pl.exceptions.PolarsError as error:
            fields = ", ".join(frame.columns)
            raise StateError(
                f"'{query.where}' cannot be asked of the table {table.name}: "
                f"{str(error).splitlines()[0]}; its fields: {fields}"
            ) from error
    if query.sort is not None:
        name = query.sort.removeprefix("-")
        if name not in frame.columns:
            _known(table, name)
        frame = frame.sort(name, descending=query.sort.startswith("-"), maintain_order=True)
    return frame
