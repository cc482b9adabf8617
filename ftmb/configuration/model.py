# SPDX-License-Identifier: BSD-3-Clause
"""What a box configuration holds: every key, its bounds and its default.

Each model is one table of the TOML text. What concerns several keys at once is in
`relations`, so that all problems are found in one go.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

WORKERS_MAX = 64
PORTS_MAX = 16
PIPELINE_MAX = 8
PATHS_MAX = 32
CORE_MAX = 1023


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"a power of two is needed, such as {below} or {below * 2}")
    return value


def _interface_address(value: Any) -> Any:
    try:
        address = ipaddress.IPv4Interface(value)
    except ValueError:
        address = None
    if not isinstance(value, str) or address is None or "/" not in value:
        raise ValueError("an IPv4 address with its prefix length is needed, such as 10.0.0.1/24")
    return value


def _network(value: Any) -> Any:
    try:
        if isinstance(value, str):
            ipaddress.IPv4Network(value)
            return value
    except ValueError:
        pass
    raise ValueError("an IPv4 network is needed, such as 203.0.113.8/29, or one address")


def _host_address(value: Any) -> Any:
    try:
        if isinstance(value, str):
            ipaddress.IPv4Address(value)
            return value
    except ValueError:
        pass
    raise ValueError("an IPv4 address is needed, such as 10.0.0.254")


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Core = Annotated[int, Field(ge=0, le=CORE_MAX)]
InterfaceAddress = Annotated[str, BeforeValidator(_interface_address)]
Network = Annotated[str, BeforeValidator(_network)]
HostAddress = Annotated[str, BeforeValidator(_host_address)]
Idle = Literal["spin", "yield", "sleep", "auto"]
LogSize = Annotated[int, Field(ge=1, le=65536), AfterValidator(_power_of_two)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Port(_Table):
    """One port of the box; without addresses it is transparent."""

    name: Name
    device: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^\S+$")]
    queues: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    descriptors: Annotated[int, Field(ge=64, le=32768), AfterValidator(_power_of_two)] = 2048
    addresses: tuple[InterfaceAddress, ...] = Field(default=(), strict=False, max_length=16)
    answers_for: tuple[Network, ...] = Field(default=(), strict=False, max_length=48)
    gateway: HostAddress | None = None


class Module(_Table):
    """The shared object that an element comes from, and the SHA-256 of its bytes."""

    path: str
    digest: str


class Element(BaseModel):
    """One element of the pipeline; its own options stand in the same table."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    element: str
    name: Name | None = None  # as `element`
    module: Module | None = None  # not a key of the text: put there for element = "./FILE.so"


class PacketPath(_Table):
    """Which elements packets pass, in which order: those that come in by these ports and match."""

    from_: Annotated[tuple[str, ...], Field(alias="from", strict=False, min_length=1)]
    match: str | None = None  # pcap-filter(7), of the packet as it came in
    through: tuple[str, ...] = Field(strict=False, min_length=1, max_length=PIPELINE_MAX)


class Workers(_Table):
    count: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    cores: tuple[Core, ...] | None = Field(default=None, strict=False)
    idle: Idle = "auto"


class Logger(_Table):
    core: Core | None = None
    idle: Idle | None = None  # as the workers


class Standby(_Table):
    cores: tuple[Core, ...] | None = Field(default=None, strict=False)
    idle: Idle | None = None  # as the workers


class Logs(_Table):
    """Sizes for each worker."""

    input_mib: LogSize = 64
    access_mib: LogSize = 16
    output_mib: LogSize = 8


class Heartbeat(_Table):
    bound_ms: Annotated[int, Field(ge=5, le=60000)] = 100


class Memory(_Table):
    arena_mib: Annotated[int, Field(ge=16, le=1048576)] = 1024
    hugepages: Literal["auto", "never"] = "auto"


class Metrics(_Table):
    address: HostAddress = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9105
    elements_s: Annotated[int, Field(ge=0, le=3600)] = 10  # how old theirs may be; 0: none


def _plain_element(table: dict[str, Any]) -> dict[str, Any]:
    element, name, module = (table.pop(key) for key in ("element", "name", "module"))
    plain = {"element": element, "name": name or element, "options": table}
    return plain if module is None else {**plain, "module": module}


class Configuration(_Table):
    """The whole box, as the TOML text has it."""

    name: Name
    network_namespace: Annotated[str, StringConstraints(min_length=1)] | None = None
    port: tuple[Port, ...] = Field(strict=False, min_length=1, max_length=PORTS_MAX)
    element: tuple[Element, ...] = Field(strict=False, min_length=1, max_length=PIPELINE_MAX)
    path: tuple[PacketPath, ...] = Field(default=(), strict=False, max_length=PATHS_MAX)
    workers: Workers = Workers()
    logger: Logger = Logger()
    standby: Standby = Standby()
    protection: Literal["standby", "none"] = "standby"
    release: Literal["parallel", "none", "checkpoint"] = "parallel"
    checkpoint_ms: Annotated[int, Field(ge=1, le=60000)] = 25
    pal: Literal["hand-overs", "every-access"] = "hand-overs"
    logs: Logs = Logs()
    heartbeat: Heartbeat = Heartbeat()
    memory: Memory = Memory()
    metrics: Metrics = Metrics()
    notes: tuple[str, ...] = Field(default=(), strict=False)  # prepared.py's, for who runs the box

    def to_dict(self) -> dict[str, Any]:
        """The plain form that the processes of the box read: JSON types only."""
        from ftmb._native.filters import compile_filter  # only a build provides it

        plain = self.model_dump(mode="json", by_alias=True)
        plain["ports"] = plain.pop("port")
        plain["pipeline"] = [_plain_element(table) for table in plain.pop("element")]
        plain["paths"] = plain.pop("path")
        for path in plain["paths"]:
            path["program"] = None if path["match"] is None else compile_filter(path["match"])
        return plain
