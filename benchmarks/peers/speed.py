# SPDX-License-Identifier: BSD-3-Clause
"""What stands between client and server costs without any failure: rate, time, processor time.

Everything is seen beside the bare wire. A box is what comes between two wires: so of the kernel's
NAT the generator's own time over one wire is taken off, see docs/peers.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pyroute2 import IPRoute

from benchmarks.peers import generator
from benchmarks.peers.charged import charged_ns, software_interrupt_threads
from benchmarks.peers.contestants import FtmbBox
from benchmarks.peers.pair import Pair, PairSettings
from benchmarks.peers.router import make_forwarder, make_single_router
from ftmb import offloads
from ftmb.errors import LabError
from ftmb.lab import Host, Lab, namespaces
from ftmb.lab.tuning import long_backlog
from ftmb.pktgen import Search, Session

LATENCY_RATE, LATENCY_S = 50_000, 1.0
SEARCH = Search(start=100_000, maximum=3_200_000, resolution=0.05, tries=2)
SEARCH_S = 0.2
COST_S = 1.0
# Of the processes that are the box, or belong to it, by role.
Pids = Callable[[], dict[str, list[int]]]


@dataclass(frozen=True)
class Passage:
    """One contestant in one round."""

    rate_pps: float  # highest without loss
    p50_us: float  # from when a packet was due until it was there, at LATENCY_RATE
    p99_us: float
    box_ns: dict[str, float]  # a packet, of the box's own processes, by role
    generator_ns: float  # a packet, of the generator and of ksoftirqd
    in_kernel: bool  # packets are forwarded by the kernel, which the generator is charged for


@dataclass(frozen=True)
class Between:
    """What can stand between the hosts; entered over a lab, it forwards."""

    name: str
    title: str
    make: Callable[[Lab], AbstractContextManager[Pids]]
    in_kernel: bool = True


@contextmanager
def _wire(lab: Lab) -> Iterator[Pids]:
    """Client and server on the two ends of one veth, in each other's network."""
    client, server = lab.namespace(Host.CLIENT), lab.namespace(Host.SERVER)
    namespaces.netlink(server, _unplug)
    with (namespaces.DIRECTORY / server).open() as far:
        namespaces.netlink(client, lambda netlink: _replug(netlink, far.fileno()))
    addresses = lab.addresses
    for namespace, address in ((client, addresses.clients[0]), (server, "10.77.0.200")):
        namespaces.netlink(namespace, lambda netlink, address=address: _plug(netlink, address))
        namespaces.call(namespace, lambda: offloads.turn_off("eth0"))
    yield dict


def _unplug(netlink: IPRoute) -> None:
    netlink.link("del", index=netlink.link_lookup(ifname="eth0")[0])


def _replug(netlink: IPRoute, far: int) -> None:
    _unplug(netlink)
    netlink.link("add", ifname="eth0", kind="veth", peer={"ifname": "eth0", "net_ns_fd": far})


def _plug(netlink: IPRoute, address: str) -> None:
    index = netlink.link_lookup(ifname="eth0")[0]
    netlink.addr("add", index=index, address=address, prefixlen=24)
    netlink.link("set", index=index, state="up")


@contextmanager
def _forwarder(lab: Lab) -> Iterator[Pids]:
    make_forwarder(lab.namespace(Host.BOX), lab.addresses)
    yield dict


@contextmanager
def _masquerade(lab: Lab) -> Iterator[Pids]:
    make_single_router(lab.namespace(Host.BOX), lab.addresses)
    yield dict


@contextmanager
def _ftmb(lab: Lab) -> Iterator[Pids]:
    with FtmbBox(lab) as box:
        yield lambda: {role: [pid] for role, pid in box.pids().items()}


@contextmanager
def _pair(lab: Lab, *, synchronised: bool) -> Iterator[Pids]:
    with tempfile.TemporaryDirectory(prefix="ftmb-peers-") as folder:
        with Pair(lab, PairSettings(synchronised=synchronised), Path(folder)) as pair:
            yield pair.pids
            if pair.backup.has_been("primary"):
                raise LabError("keepalived failed over without a failure: measure it again")


KINDS = (
    Between("wire", "bare wire", _wire),
    Between("forwarding", "kernel forwarding", _forwarder),
    Between("masquerade", "kernel NAT (nft masquerade)", _masquerade),
    Between("keepalived", "kernel NAT, keepalived", partial(_pair, synchronised=False)),
    Between("conntrackd", "kernel NAT, keepalived, conntrackd", partial(_pair, synchronised=True)),
    Between("ftmb", "ftmb NAT, protected", _ftmb, in_kernel=False),
)


def measure(between: Between) -> Passage:
    """In a lab of its own, about 10 s."""
    with long_backlog(), Lab("peers") as lab, between.make(lab) as pids:
        rate = generator.highest_rate(lab, SEARCH, SEARCH_S)
        if not rate:
            raise LabError(f"{between.title}: loses packets at every rate")
        with generator.session(lab, reply=False) as session:
            generator.warm_up(session)
            latency = generator.trial(session, LATENCY_RATE, LATENCY_S).out.latency
            if latency is None:
                raise LabError(f"{between.title}: nothing came through")
            at = SEARCH.maximum if between.in_kernel else rate
            box_ns, generator_ns = _cost(session, pids(), at)
    return Passage(
        rate_pps=round(rate),
        p50_us=latency.p50_ns / 1000,
        p99_us=latency.p99_ns / 1000,
        box_ns=box_ns,
        generator_ns=generator_ns,
        in_kernel=between.in_kernel,
    )


def _cost(
    session: Session, box: dict[str, list[int]], rate: float
) -> tuple[dict[str, float], float]:
    """Processor time a packet, of the box's processes and of all that drives it.

    A box that forwards in processes is measured at its highest rate. What the kernel does, it does
    in the generator's own thread, which is asked for more than it can send, so that it is never
    idle.
    """
    drivers = [session.process.pid, *software_interrupt_threads()]
    groups = box | {"drivers": drivers}
    before = {name: charged_ns(pids) for name, pids in groups.items()}
    received = generator.trial(session, rate, COST_S).out.received
    after = {name: charged_ns(pids) for name, pids in groups.items()}
    if not received:
        raise LabError(f"nothing came through at {rate:,.0f} packets/s")
    costs = {name: round((after[name] - before[name]) / received, 1) for name in groups}
    return {role: costs[role] for role in box}, costs["drivers"]
