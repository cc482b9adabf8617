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
ADDRESS_SIZE = 16
IPV4_MAPPED_BITS = 96
IPV4_MAPPED = bytes(10) + b"\xff\xff"
ADDRESSES = ("address", "address as numbers")


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


def _bytes(column: np.ndarray) -> np.ndarray:
    """A row for each value."""
    return np.ascontiguousarray(column).view("u1").reshape(len(column), column.dtype.itemsize)


def _address_bytes(field: Field, column: np.ndarray) -> np.ndarray:
    """Sixteen in a row, in network byte order."""
    raw = _bytes(column)[:, :ADDRESS_SIZE]
    if field.type == "address":
        return raw
    halves = np.ascontiguousarray(raw).view("<u8").astype(">u8")
    return halves.view("u1").reshape(len(column), ADDRESS_SIZE)


def _address_text(raw: bytes) -> str:
    address = ipaddress.IPv6Address(raw)
    return str(address.ipv4_mapped or address)


def _address(field: Field, column: np.ndarray) -> pl.Series:
    if column.dtype.kind == "V":
        texts = [_address_text(row.tobytes()) for row in _address_bytes(field, column)]
        return pl.Series(field.name, texts, pl.String)
    return _ipv4(pl.Series(field.name, column.astype("u4"))).rename(field.name)


def _prefix(field: Field, column: np.ndarray) -> pl.Series:
    lengths = np.ascontiguousarray(_bytes(column)[:, ADDRESS_SIZE:]).view("<u8").reshape(-1)
    texts = []
    for row, length in zip(_address_bytes(field, column), lengths, strict=True):
        address = _address_text(row.tobytes())
        texts.append(f"{address}/{int(length) - (0 if ':' in address else IPV4_MAPPED_BITS)}")
    return pl.Series(field.name, texts, pl.String)


def _seconds_left(field: Field, column: np.ndarray, now_ns: int) -> pl.Series:
    """Deadlines are the lower bits of a number of units; past ones are negative, 0 is none."""
    bits = column.dtype.itemsize * 8
    now = np.array(now_ns // field.unit_ns % (1 << bits), column.dtype)
    left = (column - now).astype(f"i{bits // 8}")
    seconds = pl.Series(field.name, left * (field.unit_ns / NANOSECONDS))
    has_none = pl.Series(column == 0)
    return seconds.zip_with(~has_none, pl.Series([None], dtype=pl.Float64)).rename(field.name)


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


def _column(field: Field, column: np.ndarray, now_ns: int) -> pl.Series:
    match field.type:
        case "address" | "address as numbers":
            return _address(field, column)
        case "prefix":
            return _prefix(field, column)
        case "choice":
            return _named(field.name, column, dict(enumerate(field.names)))
        case "flags":
            return _flags(field, column)
        case "protocol":
            return _named(field.name, column, PROTOCOLS)
        case "seconds":
            return pl.Series(field.name, column * (field.unit_ns / NANOSECONDS))
        case "seconds left":
            return _seconds_left(field, column, now_ns)
        case "parts":
            return pl.Series(field.name, column / field.parts)
        case "text":
            return pl.Series(field.name, [text.decode() for text in column.tolist()], pl.String)
        case _:
            return pl.Series(field.name, np.ascontiguousarray(column))


def frame_of(table: Table, rows: Rows, now_ns: int) -> pl.DataFrame:
    """All columns, in the order of the fields; `now_ns` is the time that deadlines count from."""
    fields = {field.name: field for field in table.fields}
    columns = [
        _column(fields[name], rows[name], now_ns) if name in fields else pl.Series(name, rows[name])
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
    raw = _address_bytes(field, column)
    is_ipv4 = (raw[:, :12] == np.frombuffer(IPV4_MAPPED, "u1")).all(axis=1)
    if network.version == 4:
        raw, is_version = raw[:, 12:], is_ipv4
    else:
        is_version = ~is_ipv4
    wanted = np.frombuffer(network.network_address.packed, "u1")
    mask_bytes = np.frombuffer(network.netmask.packed, "u1")
    return np.asarray(((raw & mask_bytes) == wanted).all(axis=1) & is_version)


def select(table: Table, rows: Rows, query: Query, now_ns: int) -> pl.DataFrame:
    """The rows that a query asks for; `now_ns` as above. StateError says what is wrong with it."""
    for name, prefix in query.within:
        field = _known(table, name, ADDRESSES)
        rows = rows[_is_within(field, rows[name], prefix)]
    frame = frame_of(table, rows, now_ns)
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
