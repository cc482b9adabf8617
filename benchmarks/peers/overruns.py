# SPDX-License-Identifier: BSD-3-Clause
"""Packets that were dropped on a wire, since nobody fetched them in time: on which side of the box?

A ring or a queue has a size, and a machine with few cores may give none to whoever should empty it.
What overflows then is gone, but neither forwarded wrongly nor forgotten by what it never came to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from pyroute2 import IPRoute

from ftmb.lab import Host, Lab, namespaces

SOFTNET = Path("/proc/net/softnet_stat")


class Missing(Protocol):
    """What stands between the hosts."""

    def missed(self) -> int:
        """Packets that its own ports had no room for, since it was started."""


@dataclass(frozen=True)
class Overruns:
    """Counts since the lab was up."""

    before_box: int  # on the way to it, from either side: in its ports' rings, or in the wire
    behind_box: int  # on the wires' way from it; the generator's own rings are in its `missed`

    @classmethod
    def of(cls, lab: Lab, box: Missing) -> Self:
        box_side = lab.namespace(Host.BOX)
        return cls(
            before_box=box.missed()
            + sum(_not_taken(lab.namespace(wire.host), "eth0") for wire in lab.wires()),
            behind_box=sum(_not_taken(box_side, wire.box_interface) for wire in lab.wires()),
        )

    def __sub__(self, earlier: Overruns) -> Overruns:
        return Overruns(self.before_box - earlier.before_box, self.behind_box - earlier.behind_box)


def _not_taken(namespace: str, interface: str) -> int:
    """What the other end of a veth had no room for."""

    def question(netlink: IPRoute) -> int:
        (link,) = netlink.get_links(netlink.link_lookup(ifname=interface)[0])
        return int(link.get_attr("IFLA_STATS64")["tx_dropped"])

    return namespaces.netlink(namespace, question)


def backlog_dropped() -> int:
    """By all of this machine's cores, since it runs: they queue for kernel routers, and have
    netdev_max_backlog places."""
    return sum(int(line.split()[1], 16) for line in SOFTNET.read_text().splitlines())
