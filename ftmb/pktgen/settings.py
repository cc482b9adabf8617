# SPDX-License-Identifier: BSD-3-Clause
"""What a script of the packet generator holds: every key, its bounds and its default.

The same model is what the Python API takes; `problems` is what concerns several keys at once.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ftmb.configuration.model import HostAddress, InterfaceAddress, Network

FLOWS_MAX = 10_000_000
RATE_MAX = 100_000_000
PACKETS_MAX = 1_000_000_000  # of a trial: 4 bytes are kept of each
SECONDS_MAX = 3000  # flows keep their times in 32 bits of microseconds
SIZE_MIN, SIZE_MAX = 64, 1518
IMIX = ((64, 7), (594, 4), (1518, 1))
Problem = tuple[tuple[str | int, ...], str]


def _frames(value: Any) -> Any:
    if value == "imix":
        return value
    sizes = value if isinstance(value, list | tuple) else (value,)
    if (
        sizes
        and len(sizes) <= 16
        and all(type(size) is int and SIZE_MIN <= size <= SIZE_MAX for size in sizes)
    ):
        return tuple(sizes)
    raise ValueError(
        f'a frame size from {SIZE_MIN} to {SIZE_MAX}, up to 16 of them, or "imix" is needed'
    )


def _port_range(value: Any) -> Any:
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(port) is int and 1 <= port <= 65535 for port in value)
        and value[0] <= value[1]
    ):
        return tuple(value)
    raise ValueError("the first and the last port are needed, such as [1024, 65535]")


Rate = Annotated[int, Field(ge=1, le=RATE_MAX)]
FlowCount = Annotated[int, Field(ge=1, le=FLOWS_MAX)]
Seconds = Annotated[float, Field(ge=0.001, le=SECONDS_MAX)]
Frames = Annotated[Any, BeforeValidator(_frames)]
PortRange = Annotated[Any, BeforeValidator(_port_range)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^\S+$")]
Ethernet = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Endpoint(_Table):
    """An interface; what is left out is asked of the kernel."""

    namespace: Name | None = None  # None: the one that this runs in
    interface: Name
    address: InterfaceAddress | None = None
    gateway: HostAddress | None = None
    next_hop_ethernet: Ethernet | None = None  # instead of asking by ARP


class Flows(_Table):
    """Flow n has the n-th source port, then source address, destination port and address."""

    count: FlowCount = 1000
    mix: Literal["uniform", "zipf"] = "uniform"
    exponent: Annotated[float, Field(gt=0, le=10)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 2015
    sources: Network | None = None  # None: the transmitting interface's address
    source_ports: PortRange = (1024, 65535)
    destinations: Network | None = None  # None: the receiving interface's address
    destination_ports: PortRange = (9, 9)

    def tuples_max(self) -> int:
        """How many flows there can be."""
        count = 1
        for first, last in (self.source_ports, self.destination_ports):
            count *= last - first + 1
        for network in (self.sources, self.destinations):
            count *= ipaddress.IPv4Network(network).num_addresses if network else 1
        return count


class Search(_Table):
    """For the highest rate without loss, RFC 2544 section 26.1."""

    start: Rate = 100_000
    maximum: Rate = 2_000_000
    resolution: Annotated[float, Field(ge=0.001, le=0.5)] = 0.02  # of the rate found
    loss_max: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # of the packets sent
    tries: Annotated[int, Field(ge=1, le=10)] = 2  # before a rate counts as too high


class Replay(_Table):
    """Frames of a capture, as they are but for their Ethernet addresses."""

    file: Annotated[str, StringConstraints(min_length=1)]
    timing: Literal["own", "rate"] = "own"
    speed: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    loops: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    keep_ethernet: bool = False


class Settings(_Table):
    """A whole script."""

    kind: Literal["latency", "throughput", "flows", "replay"]
    seconds: Seconds = 5.0
    rates: tuple[Rate, ...] = Field(default=(100_000,), strict=False, min_length=1, max_length=64)
    frames: Frames = (64,)
    reply: bool = False
    warm_up: bool = False  # one packet of each flow before what is measured
    warm_up_rate: Rate = 100_000
    drain_ms: Annotated[int, Field(ge=1, le=60_000)] = 200
    per_flow: bool = False  # keep each flow's counts in the result
    core: Annotated[int, Field(ge=0, le=1023)] | None = None
    idle: Literal["spin", "yield", "sleep"] = "yield"
    device: Literal["auto", "af_xdp", "af_packet"] = "auto"
    flows: Flows = Flows()
    ramp: tuple[FlowCount, ...] = Field(default=(), strict=False, max_length=64)
    search: Search | None = None
    replay: Replay | None = None
    transmit: Endpoint | None = None
    receive: Endpoint | None = None


def problems(data: dict[str, Any]) -> Iterator[Problem]:
    """Of raw data; steps over whatever is malformed, since that is reported already."""
    kind = data.get("kind")
    if kind == "flows" and not data.get("ramp"):
        yield ("ramp",), "is missing; kind 'flows' needs the numbers of flows to measure at"
    if kind == "replay" and "replay" not in data:
        yield ("replay",), "is missing; kind 'replay' needs a table [replay] with a file"
    if kind in ("latency", "flows", "throughput") and "replay" in data:
        yield ("replay",), f"means nothing to kind '{kind}'; it is for kind 'replay'"
    if kind in ("latency", "throughput", "replay") and "ramp" in data:
        yield ("ramp",), f"means nothing to kind '{kind}'; it is for kind 'flows'"
    if kind in ("latency", "replay") and "search" in data:
        yield ("search",), f"means nothing to kind '{kind}'; it is for 'throughput' and 'flows'"
    if kind == "replay" and data.get("reply") is True:
        yield ("reply",), "found true; a capture's frames have no place for an answer's mark"
    yield from _search_bounds(data)
    yield from _too_many_flows(data)
    yield from _too_many_packets(data)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _search_bounds(data: dict[str, Any]) -> Iterator[Problem]:
    search = data.get("search")
    if not isinstance(search, dict):
        return
    start = search.get("start", Search().start)
    maximum = search.get("maximum", Search().maximum)
    if _number(start) and _number(maximum) and start > maximum:
        yield ("search", "start"), f"found {start}, which is above the maximum of {maximum}"


def _too_many_flows(data: dict[str, Any]) -> Iterator[Problem]:
    flows = data.get("flows")
    try:
        known = Flows.model_validate(flows) if flows is not None else Flows()
    except ValueError:
        return
    ramp = data.get("ramp")
    wanted: list[tuple[tuple[str | int, ...], Any]] = []
    wanted += [(("flows", "count"), known.count)] if data.get("kind") != "flows" else []
    if isinstance(ramp, list | tuple):
        wanted += [(("ramp", index), count) for index, count in enumerate(ramp)]
    for path, count in wanted:
        if isinstance(count, int) and count > known.tuples_max():
            yield (
                path,
                f"found {count}; sources, destinations and their ports make {known.tuples_max()} "
                "flows at most: widen flows.sources or flows.destinations",
            )


def _too_many_packets(data: dict[str, Any]) -> Iterator[Problem]:
    seconds, rates = data.get("seconds", 5.0), data.get("rates", ())
    if not _number(seconds) or not isinstance(rates, list | tuple):
        return
    for index, rate in enumerate(rates):
        if _number(rate) and rate * seconds > PACKETS_MAX:
            yield (
                ("rates", index),
                f"found {rate}, which is {rate * seconds:.3g} packets in {seconds:g} s; "
                f"allowed: {PACKETS_MAX} in a trial",
            )
