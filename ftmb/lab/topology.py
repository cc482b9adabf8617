# SPDX-License-Identifier: BSD-3-Clause
"""The namespaces and wires of a lab, built and taken down."""

from __future__ import annotations

import contextlib
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

_NAME = re.compile(r"^ftmb-(?:[a-z]+-)?(\d+)-(\d+)-(?:client|box|server)$")


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
    box_outside: str = "198.51.100.1"
    server: str = "198.51.100.2"


@dataclass(frozen=True)
class Wire:
    """A veth pair from a host's eth0 to an interface of the box."""

    host: Host
    box_interface: str
    addresses: tuple[str, ...]
    gateway: str | None


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

    def namespace(self, host: Host) -> str:
        return f"ftmb-{self.name}-{host.value}"

    def wires(self) -> tuple[Wire, Wire]:
        a = self.addresses
        return (
            Wire(Host.CLIENT, "inside", a.clients, a.box_inside),
            Wire(Host.SERVER, "outside", (a.server,), None),
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            remove_stale()
            if not namespaces.directory_is_mounted():
                exits.callback(namespaces.remove_directory)
            for host in Host:
                exits.callback(namespaces.remove, self.namespace(host))
                namespaces.create(self.namespace(host))
                self._prepare(host)
            for wire in self.wires():
                self._lay(wire)
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
        host: Host,
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

    def _prepare(self, host: Host) -> None:
        namespace = self.namespace(host)
        namespaces.netlink(namespace, lambda netlink: _bring_up(netlink, "lo"))
        namespaces.call(namespace, _no_ipv6)

    def _lay(self, wire: Wire) -> None:
        box, host = self.namespace(Host.BOX), self.namespace(wire.host)
        descriptor = os.open(namespaces.DIRECTORY / box, os.O_RDONLY | os.O_CLOEXEC)
        try:
            peer = {"ifname": wire.box_interface, "net_ns_fd": descriptor}
            namespaces.netlink(
                host,
                lambda netlink: netlink.link("add", ifname="eth0", kind="veth", peer=peer),
            )
        finally:
            os.close(descriptor)
        namespaces.netlink(box, lambda netlink: _bring_up(netlink, wire.box_interface))
        namespaces.netlink(host, lambda netlink: self._configure(netlink, wire))
        namespaces.call(host, lambda: offloads.turn_off("eth0"))
        namespaces.call(box, lambda: offloads.turn_off(wire.box_interface))

    def _configure(self, netlink: IPRoute, wire: Wire) -> None:
        length = self.addresses.prefix_length
        for address in wire.addresses:
            netlink.addr("add", index=_index(netlink, "eth0"), address=address, prefixlen=length)
        _bring_up(netlink, "eth0")
        if wire.gateway is not None:
            netlink.route("add", dst="default", gateway=wire.gateway)


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
