# SPDX-License-Identifier: BSD-3-Clause
"""Tables as people read them: types of fields, filters, order."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest

from ftmb._native.tables import Field, Table
from ftmb.errors import StateError
from ftmb.state.frames import Query, select


def field(name: str, kind: str, form: str, offset: int, **more: object) -> Field:
    given: dict[str, object] = {"names": (), "unit_ns": 0, **more}
    return Field(name, "", kind, form, offset, **given)  # type: ignore[arg-type]


TABLE = Table(
    "flows",
    "",
    (
        field("address", "address", ">u4", 0),
        field("six", "address", "V16", 4),
        field("flags", "flags", "u1", 20, names=("syn", "fin", "reset")),
        field("state", "choice", "u1", 21, names=("new", "open")),
        field("protocol", "protocol", "u1", 22),
        field("since_s", "seconds", "<u4", 24, unit_ns=10_000_000),
        field("bytes", "number", "<u8", 28),
        field("twelve", "address as numbers", "V16", 40),
        field("prefix", "prefix", "V24", 56),
        field("left_s", "seconds left", "<u4", 80, unit_ns=10_000_000),
        field("tokens", "parts", "<u8", 88, parts=8),
        field("name", "text", "S8", 96),
    ),
    104,
    True,
)


NOW_NS = (1 << 40) * 10_000_000 + 3 * 10_000_000 + 5  # the lower 32 bits of its units: 3
NOW_UNITS = 3


def as_numbers(text: str) -> np.ndarray:
    address = ipaddress.ip_address(text)
    mapped = bytes(10) + b"\xff\xff" + address.packed if address.version == 4 else address.packed
    return np.frombuffer(mapped, ">u8").astype("<u8")


def rows() -> np.ndarray:
    made = np.zeros(3, TABLE.dtype())
    texts = ["10.0.0.1", "10.1.255.254", "192.0.2.255"]
    made["address"] = [int(ipaddress.ip_address(text)) for text in texts]
    for index, text in enumerate(["2001:db8::1", "2001:db8:1::2", "::"]):
        made["six"][index] = np.void(ipaddress.ip_address(text).packed)
    made["flags"] = [0, 5, 2]
    made["state"] = [0, 1, 7]
    made["protocol"] = [6, 17, 200]
    made["since_s"] = [100, 1, 0]
    made["bytes"] = [5, 1 << 40, 7]
    networks = ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"]
    for index, text in enumerate(["10.9.8.7", "2001:db8::9", "::1"]):
        made["twelve"][index] = np.void(as_numbers(text).tobytes())
        network = ipaddress.ip_network(networks[index])
        bits = network.prefixlen + (96 if network.version == 4 else 0)
        halves = as_numbers(str(network.network_address))
        made["prefix"][index] = np.void(np.array([*halves, bits], "<u8").tobytes())
    made["left_s"] = [NOW_UNITS + 250, NOW_UNITS - 1, 0]
    made["tokens"] = [12, 0, 8]
    made["name"] = [b"voice", b"rest", b"12345678"]
    return made


def test_each_type_of_field_is_read_as_people_write_it() -> None:
    found = select(TABLE, rows(), Query(), NOW_NS).to_dict(as_series=False)
    assert found["address"] == ["10.0.0.1", "10.1.255.254", "192.0.2.255"]
    assert found["six"] == ["2001:db8::1", "2001:db8:1::2", "::"]
    assert found["flags"] == ["", "syn|reset", "fin"]
    assert found["state"] == ["new", "open", "7"]
    assert found["protocol"] == ["tcp", "udp", "200"]
    assert found["since_s"] == [1.0, 0.01, 0.0]
    assert found["bytes"] == [5, 1 << 40, 7]
    assert found["twelve"] == ["10.9.8.7", "2001:db8::9", "::1"]
    assert found["prefix"] == ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"]
    assert found["left_s"] == [2.5, -0.01, None]
    assert found["tokens"] == [1.5, 0.0, 1.0]
    assert found["name"] == ["voice", "rest", "12345678"]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (Query(within=(("address", "10.0.0.0/8"),)), [5, 1 << 40]),
        (Query(within=(("address", "10.0.0.0/8"), ("six", "2001:db8:1::/48"))), [1 << 40]),
        (Query(within=(("six", "2001:db8::/32"),)), [5, 1 << 40]),
        (Query(within=(("address", "2001:db8::/32"),)), []),
        (Query(within=(("six", "0.0.0.0/0"),)), []),
        (Query(within=(("twelve", "10.0.0.0/8"),)), [5]),
        (Query(within=(("twelve", "::/0"),)), [1 << 40, 7]),
        (Query(within=(("twelve", "2001:db8::/32"),)), [1 << 40]),
        (Query(where="left_s > 1"), [5]),
        (Query(where="bytes > 5 AND protocol != 'udp'"), [7]),
        (Query(where="address = '10.0.0.1'"), [5]),
        (Query(sort="-bytes"), [1 << 40, 7, 5]),
        (Query(sort="since_s"), [7, 1 << 40, 5]),
    ],
)
def test_queries(query: Query, left: list[int]) -> None:
    assert select(TABLE, rows(), query, NOW_NS)["bytes"].to_list() == left


def test_an_empty_table_has_its_columns() -> None:
    found = select(TABLE, rows()[:0], Query(where="bytes > 1", sort="address"), NOW_NS)
    assert found.columns == [one.name for one in TABLE.fields] and len(found) == 0


@pytest.mark.parametrize(
    "query",
    [
        Query(where="bytes >"),
        Query(where="nothing = 1"),
        Query(where="address > 5"),
        Query(sort="nothing"),
        Query(within=(("bytes", "10.0.0.0/8"),)),
        Query(within=(("address", "10.0.0.0/33"),)),
    ],
)
def test_what_cannot_be_asked_is_said(query: Query) -> None:
    with pytest.raises(StateError):
        select(TABLE, rows(), query, NOW_NS)
