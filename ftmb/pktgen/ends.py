# SPDX-License-Identifier: BSD-3-Clause
"""The two ends of the generator: a kernel interface each, opened inside its network namespace.

With AF_XDP all frames of an interface come to the generator, and the kernel sees none. AF_PACKET
gives it copies, so there the kernel is kept from answering them (`Quiet`).
"""

from __future__ import annotations

import contextlib
import ipaddress
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pyroute2 import IPRoute, NetlinkError

from ftmb._native import dpdk
from ftmb._native.pktgen import End, Unreachable
from ftmb.errors import PktgenError
from ftmb.lab import namespaces
from ftmb.pktgen.settings import Endpoint
from ftmb.processes.ports import OpenPort

RESOLVE_PATIENCE_S = 5.0
DESCRIPTORS = 2048
ETHERNET_HEADER = 14
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Interface:
    """What the kernel knows of an endpoint's interface."""

    endpoint: Endpoint
    index: int
    ethernet: bytes
    mtu: int
    addresses: tuple[ipaddress.IPv4Interface, ...]

    @property
    def name(self) -> str:
        endpoint = self.endpoint
        return f"{endpoint.namespace or ''}:{endpoint.interface}"


def ask(endpoint: Endpoint, question: Callable[[IPRoute], Answer]) -> Answer:
    """A question to the kernel inside the endpoint's namespace."""
    if endpoint.namespace is not None:
        if endpoint.namespace not in namespaces.names():
            known = ", ".join(namespaces.names()) or "none"
            raise PktgenError(
                f"there is no network namespace '{endpoint.namespace}'; there are: {known}"
            )
        return namespaces.netlink(endpoint.namespace, question)
    with IPRoute() as netlink:
        return question(netlink)


def look_at(endpoint: Endpoint) -> Interface:
    """Raises PktgenError when there is no such interface, or it is down."""

    def question(netlink: IPRoute) -> Interface:
        name = f"{endpoint.namespace or ''}:{endpoint.interface}"
        indexes = netlink.link_lookup(ifname=endpoint.interface)
        if not indexes:
            known = ", ".join(str(link.get_attr("IFLA_IFNAME")) for link in netlink.get_links())
            raise PktgenError(f"{name}: there is no such interface; there are: {known}")
        (link,) = netlink.get_links(indexes[0])
        if link["state"] != "up":
            raise PktgenError(f"{name}: the interface is down; set it up with: ip link set up")
        found = [
            ipaddress.IPv4Interface(f"{entry.get_attr('IFA_LOCAL')}/{entry['prefixlen']}")
            for entry in netlink.get_addr(index=indexes[0], family=2)
        ]
        if endpoint.address is not None:
            found = [ipaddress.IPv4Interface(endpoint.address)]
        ethernet = bytes.fromhex(str(link.get_attr("IFLA_ADDRESS")).replace(":", ""))
        mtu = int(link.get_attr("IFLA_MTU"))
        return Interface(endpoint, int(indexes[0]), ethernet, mtu, tuple(found))

    return ask(endpoint, question)


def require_room(interface: Interface, frame_size: int) -> None:
    """Raises PktgenError when frames of this size, header included, are too long for it."""
    if frame_size - ETHERNET_HEADER > interface.mtu:
        raise PktgenError(
            f"{interface.name}: frames of {frame_size} bytes (without check sequence) do not fit "
            f"its MTU of {interface.mtu}: choose smaller frames, or ip link set mtu "
            f"{frame_size - ETHERNET_HEADER}"
        )


def network_of(
    interface: Interface, given: str | None, role: str, key: str
) -> ipaddress.IPv4Network:
    """The addresses that packets come from or go to."""
    if given is not None:
        return ipaddress.IPv4Network(given)
    if not interface.addresses:
        raise PktgenError(
            f"{interface.name}: the {role} interface has no IPv4 address: give it one, or set "
            f"{role}.address or flows.{key} in the script"
        )
    return ipaddress.IPv4Network(interface.addresses[0].ip)


def gateway_towards(interface: Interface, target: str) -> ipaddress.IPv4Address | None:
    """By the script, or by the routes of the namespace; None: it is on the link."""
    if interface.endpoint.gateway is not None:
        return ipaddress.IPv4Address(interface.endpoint.gateway)
    if any(ipaddress.IPv4Address(target) in own.network for own in interface.addresses):
        return None

    def question(netlink: IPRoute) -> ipaddress.IPv4Address | None:
        try:
            (route,) = netlink.route("get", dst=target)
        except NetlinkError:
            return None
        gateway = route.get_attr("RTA_GATEWAY")
        if route.get_attr("RTA_OIF") != interface.index or gateway is None:
            return None
        return ipaddress.IPv4Address(gateway)

    return ask(interface.endpoint, question)


class Quiet:
    """Keeps the kernel's own stack from seeing what comes in, until closed.

    Without that it would answer UDP for which no program listens with ICMP errors. AF_PACKET has
    its copy before packets come to the hook at which they are dropped here.
    """

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self.table = f"netdev ftmb-pktgen-{interface.index}"
        name = interface.endpoint.interface
        hook = f'type filter hook ingress device "{name}" priority -500; policy drop;'
        # declared first, so that one that a killed generator left behind can be deleted
        self._nft(
            f"table {self.table}\ndelete table {self.table}\n"
            f"table {self.table} {{\n chain ingress {{\n {hook}\n }}\n}}\n"
        )

    def _nft(self, rules: str) -> None:
        def body() -> subprocess.CompletedProcess[str]:
            return subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True)

        try:
            namespace = self.interface.endpoint.namespace
            done = body() if namespace is None else namespaces.call(namespace, body)
            problem = done.stderr.strip() if done.returncode != 0 else ""
        except OSError as error:
            problem = f"{error}; run scripts/setup.sh"
        if problem:
            raise PktgenError(
                f"{self.interface.name}: the kernel cannot be kept from answering packets, which "
                f"AF_PACKET leaves to it as well: nft: {problem}"
            )

    def close(self) -> None:
        self._nft(f"delete table {self.table}\n")


@contextlib.contextmanager
def inside(endpoint: Endpoint, home: str) -> Iterator[None]:
    """The calling thread is in the endpoint's namespace; `home` is where it comes back to."""
    if endpoint.namespace is None:
        yield
        return
    namespaces.enter(endpoint.namespace)
    try:
        yield
    finally:
        namespaces.enter_path(home)


class OpenEnd:
    """An opened interface. DPDK probes and detaches it in the namespace of the calling thread."""

    def __init__(self, interface: Interface, index: int, device: str, home: str) -> None:
        self.interface = interface
        self.home = home
        self.quiet: Quiet | None = None
        port = {
            "name": interface.name,
            "device": interface.endpoint.interface,
            "queues": 1,
            "descriptors": DESCRIPTORS,
            "addresses": (),
            "gateway": None,
        }
        drivers = ("af_xdp", "af_packet") if device == "auto" else (device,)
        with inside(interface.endpoint, home):
            try:
                self.port = OpenPort(port, index, drivers)
            except dpdk.PortError as error:
                raise PktgenError(str(error)) from None
        self.device = self.port.device
        try:
            if "af_packet" in self.device:
                self.quiet = Quiet(interface)
            self.end = End(self.port.port.base(), interface.ethernet)
        except BaseException:
            self._close_port()
            raise

    def stand_for(self, networks: list[ipaddress.IPv4Network]) -> None:
        """Answers ARP for the interface's addresses and for these networks."""
        for address in self.interface.addresses:
            self.end.add_address(address)
        for network in networks:
            self.end.add_network(network)
        self.end.announce()

    def next_hop(self, target: ipaddress.IPv4Address, other: OpenEnd) -> bytes:
        """The Ethernet address to which packets for `target` are sent."""
        endpoint = self.interface.endpoint
        if endpoint.next_hop_ethernet is not None:
            return bytes.fromhex(endpoint.next_hop_ethernet.replace(":", ""))
        gateway = gateway_towards(self.interface, str(target))
        if gateway is not None:
            self.end.set_gateway(gateway)
        try:
            return self.end.resolve(target, other.end, RESOLVE_PATIENCE_S)
        except Unreachable as error:
            by = f" by {gateway}" if gateway is not None else ""
            raise PktgenError(
                f"{self.interface.name}: no way to {target}{by}: {error}. Is the box up, and is "
                "there a route to it in the namespace? transmit.gateway and "
                "transmit.next_hop_ethernet name it otherwise"
            ) from None

    def close(self) -> None:
        self.end.close()
        self._close_port()

    def _close_port(self) -> None:
        if self.quiet is not None:
            self.quiet.close()
        with inside(self.interface.endpoint, self.home):
            self.port.close()
