# SPDX-License-Identifier: BSD-3-Clause
"""The namespaces and wires of a lab, built and taken down."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from pyroute2 import IPRoute

from ftmb import offloads
from ftmb.errors import LabError
from ftmb.lab import namespaces
from ftmb.lab.programs import Program

_NAME = re.compile(r"^ftmb-(?:[a-z]+-)?(\d+)-(\d+)-(?:client|box|server|backend\d+)$")


class Host(Enum):
    CLIENT = "client"
    BOX = "box"
    SERVER = "server"


@dataclass(frozen=True)
class Addresses:
    """Inside is a private network, outside one of those set aside for documentation."""

    prefix_length: int = 24
    box_inside: str = "10.77.0.1"
    clients: tuple[str, ...] = tuple(f"10.77.0.{last}" for last in range(2, 10))
    clients_besides: tuple[str, ...] = ()  # of the client too, but not used by ordinary traffic
    box_outside: str = "198.51.100.1"
    server: str = "198.51.100.2"
    backends: tuple[str, ...] = ()  # each a host of its own, behind a switch in the server's
    server_gateway: str | None = None  # None: it need not reach the clients' own addresses
    # Where the box is a bridge: the networks of the other side, on the same link.
    seen_by_clients: tuple[str, ...] = ()
    seen_by_server: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wire:
    """A veth pair from a host's eth0 to an interface of the box."""

    host: Host
    box_interface: str
    addresses: tuple[str, ...]
    gateway: str | None
    seen: tuple[str, ...] = ()  # networks on the same link


def _start_time(pid: int | str) -> str | None:
    """When the process started, in ticks: tells it from a later one with the same pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def remove_stale() -> list[str]:
    """Removes the namespaces of labs whose process is gone; returns their names."""
    removed = []
    for name in namespaces.names():
        match = _NAME.match(name)
        if match and _start_time(match[1]) != match[2]:
            namespaces.remove(name)
            removed.append(name)
    if removed:
        namespaces.remove_directory()
    return removed


class Lab:
    """A context manager; `label` tells several labs of one process apart."""

    def __init__(self, label: str = "", addresses: Addresses | None = None) -> None:
        self.addresses = addresses or Addresses()
        self.name = f"{label + '-' if label else ''}{os.getpid()}-{_start_time('self')}"
        self._exits = contextlib.ExitStack()
        self._programs: list[Program] = []

    def namespace(self, host: Host | str) -> str:
        return f"ftmb-{self.name}-{host.value if isinstance(host, Host) else host}"

    @property
    def backends(self) -> list[str]:
        """The names of the hosts that stand beside the server, in the order of their addresses."""
        return [f"backend{number}" for number in range(1, len(self.addresses.backends) + 1)]

    def wires(self) -> tuple[Wire, Wire]:
        a = self.addresses
        clients = (*a.clients, *a.clients_besides)
        gateway = None if a.seen_by_clients else a.box_inside
        return (
            Wire(Host.CLIENT, "inside", clients, gateway, a.seen_by_clients),
            Wire(Host.SERVER, "outside", (a.server,), a.server_gateway, a.seen_by_server),
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            remove_stale()
            if not namespaces.directory_is_mounted():
                exits.callback(namespaces.remove_directory)
            for host in (*Host, *self.backends):
                exits.callback(namespaces.remove, self.namespace(host))
                namespaces.create(self.namespace(host))
                self._prepare(host)
            for wire in self.wires():
                self._lay(wire)
            if self.backends:
                self._build_switch()
            exits.callback(self.end_programs)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def run(
        self,
        host: Host | str,
        command: Sequence[str | os.PathLike[str]],
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Starts a program inside a host; it ends with the lab at the latest."""
        program = Program(self.namespace(host), command, environment)
        self._programs.append(program)
        return program

    def end_programs(self) -> None:
        for program in self._programs:
            program.kill()
        self._programs.clear()

    def _prepare(self, host: Host | str) -> None:
        namespace = self.namespace(host)
        namespaces.netlink(namespace, lambda netlink: _bring_up(netlink, "lo"))
        namespaces.call(namespace, _no_ipv6)

    def _lay(self, wire: Wire) -> None:
        box, host = self.namespace(Host.BOX), self.namespace(wire.host)
        _connect(host, box, wire.box_interface)
        namespaces.netlink(host, lambda netlink: self._configure(netlink, wire))

    def _configure(self, netlink: IPRoute, wire: Wire) -> None:
        self._add_addresses(netlink, "eth0", wire.addresses)
        if wire.gateway is not None:
            netlink.route("add", dst="default", gateway=wire.gateway)
        for network in wire.seen:
            netlink.route("add", dst=network, oif=_index(netlink, "eth0"))

    def _add_addresses(self, netlink: IPRoute, interface: str, addresses: Sequence[str]) -> None:
        length = self.addresses.prefix_length
        for address in addresses:
            netlink.addr("add", index=_index(netlink, interface), address=address, prefixlen=length)
        _bring_up(netlink, interface)

    def _build_switch(self) -> None:
        """The server's address moves from its wire to a switch that the backends are at too."""
        a, server = self.addresses, self.namespace(Host.SERVER)
        for backend, address in zip(self.backends, a.backends, strict=True):
            _connect(self.namespace(backend), server, backend)
            wire = Wire(Host.SERVER, backend, (address,), a.server_gateway)
            namespaces.netlink(
                self.namespace(backend),
                functools.partial(self._configure, wire=wire),
            )
        namespaces.netlink(server, self._switch)

    def _switch(self, netlink: IPRoute) -> None:
        netlink.link("add", ifname="switch", kind="bridge")
        netlink.flush_addr(index=_index(netlink, "eth0"))
        for interface in ("eth0", *self.backends):
            netlink.link("set", index=_index(netlink, interface), master=_index(netlink, "switch"))
        self._add_addresses(netlink, "switch", (self.addresses.server,))
        if self.addresses.server_gateway is not None:
            netlink.route("add", dst="default", gateway=self.addresses.server_gateway)


def _connect(host: str, other: str, interface: str) -> None:
    """A veth pair from the namespace's eth0 to this interface of the other, which comes up."""
    descriptor = os.open(namespaces.DIRECTORY / other, os.O_RDONLY | os.O_CLOEXEC)
    try:
        peer = {"ifname": interface, "net_ns_fd": descriptor}
        namespaces.netlink(
            host, lambda netlink: netlink.link("add", ifname="eth0", kind="veth", peer=peer)
        )
    finally:
        os.close(descriptor)
    namespaces.netlink(other, lambda netlink: _bring_up(netlink, interface))
    namespaces.call(host, lambda: offloads.turn_off("eth0"))
    namespaces.call(other, lambda: offloads.turn_off(interface))


def _no_ipv6() -> None:
    """Keeps the kernel's own neighbour discovery off the wires."""
    for scope in ("all", "default"):
        try:
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
        except OSError:
            pass


def _index(netlink: IPRoute, interface: str) -> int:
    indexes = netlink.link_lookup(ifname=interface)
    if not indexes:
        raise LabError(f"interface {interface} did not come up in the lab")
    return int(indexes[0])


def _bring_up(netlink: IPRoute, interface: str) -> None:
    netlink.link("set", index=_index(netlink, interface), state="up")
