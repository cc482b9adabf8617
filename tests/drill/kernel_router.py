# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's own forwarding in the place of the middlebox.

It proves the drill's instruments: without pauses they must find nothing lost, and a
pause of known length must be found as just that.
"""

from __future__ import annotations

import time
from pathlib import Path

from pyroute2 import IPRoute

from ftmb.lab import Host, Lab, namespaces


class KernelRouter:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def start(self) -> None:
        server = self.lab.namespace(Host.SERVER)
        namespaces.netlink(self.lab.namespace(Host.BOX), self._set_addresses)
        namespaces.netlink(server, self._set_route)
        self._forward(True)

    def _set_addresses(self, netlink: IPRoute) -> None:
        a = self.lab.addresses
        for interface, address in (("inside", a.box_inside), ("outside", a.box_outside)):
            index = netlink.link_lookup(ifname=interface)[0]
            netlink.addr("add", index=index, address=address, prefixlen=a.prefix_length)

    def _set_route(self, netlink: IPRoute) -> None:
        netlink.route("add", dst="default", gateway=self.lab.addresses.box_outside)

    def pause(self, seconds: float) -> None:
        """Forwards nothing for a while."""
        self._forward(False)
        time.sleep(seconds)
        self._forward(True)

    def _forward(self, on: bool) -> None:
        file = Path("/proc/sys/net/ipv4/ip_forward")
        namespaces.call(self.lab.namespace(Host.BOX), lambda: file.write_text(str(int(on))))
