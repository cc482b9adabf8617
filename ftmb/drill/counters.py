# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's counters at all ends of the lab's wires, read many times a second.

They give the throughput over time, and tell a loss on a wire or in a host's kernel
from a loss in the middlebox.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ftmb.lab import Host, Lab, namespaces

SAMPLE_S = 0.05
ENDS = (
    (Host.CLIENT, "eth0"),
    (Host.BOX, "inside"),
    (Host.BOX, "outside"),
    (Host.SERVER, "eth0"),
)


@dataclass(frozen=True)
class Interface:
    received_bytes: int
    received: int
    receive_drops: int
    sent_bytes: int
    sent: int
    send_drops: int


def read_interfaces(text: str) -> dict[str, Interface]:
    """/proc/net/dev as text."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        n = [int(word) for word in rest.split()]
        found[name.strip()] = Interface(n[0], n[1], n[3], n[8], n[9], n[11])
    return found


def backlog_drops() -> int:
    """Packets that this machine's kernel could not queue, over all its cores."""
    lines = Path("/proc/net/softnet_stat").read_text().splitlines()
    return sum(int(line.split()[1], 16) for line in lines)


def read_protocols(text: str) -> dict[str, int]:
    """/proc/net/snmp as text: a line of names, then a line of values, for each protocol."""
    found = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol, *keys = names.split()
        for key, value in zip(keys, values.split()[1:], strict=False):
            found[protocol.rstrip(":") + key] = int(value)
    return found


HOST_FAULTS = (
    *("IpInHdrErrors", "IpInAddrErrors", "IpInDiscards", "IpOutDiscards", "IpOutNoRoutes"),
    *("UdpInErrors", "UdpNoPorts", "UdpRcvbufErrors", "UdpSndbufErrors", "UdpInCsumErrors"),
    *("TcpInErrs", "TcpInCsumErrors", "TcpRetransSegs", "IcmpInErrors", "IcmpInCsumErrors"),
    *("IcmpInDestUnreachs", "IcmpInTimeExcds"),
)


class Counters:
    """Samples until closed. `throughput` holds (time in ns, bytes in both directions)."""

    def __init__(self, lab: Lab) -> None:
        self._files = {
            host: namespaces.open_file(lab.namespace(host), "dev")
            for host in (Host.CLIENT, Host.BOX, Host.SERVER)
        }
        self._protocols = {
            host: namespaces.open_file(lab.namespace(host), "snmp")
            for host in (Host.CLIENT, Host.SERVER)
        }
        self._faults_before = self._faults()
        self._backlog_before = backlog_drops()
        self._before = self._all()
        self.throughput: list[tuple[int, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="counters", daemon=True)
        self._thread.start()

    def _read(self, host: Host) -> dict[str, Interface]:
        return read_interfaces(os.pread(self._files[host], 65536, 0).decode())

    def _all(self) -> dict[str, Interface]:
        return {f"{host.value} {name}": self._read(host)[name] for host, name in ENDS}

    def _faults(self) -> dict[str, dict[str, int]]:
        """What the hosts' own kernels refused, dropped or sent again."""
        read = {
            host: read_protocols(os.pread(descriptor, 65536, 0).decode())
            for host, descriptor in self._protocols.items()
        }
        return {
            f"{host.value} kernel": {key: counted.get(key, 0) for key in HOST_FAULTS}
            for host, counted in read.items()
        }

    def _sample(self) -> None:
        while not self._stopping.wait(SAMPLE_S):
            interface = self._read(Host.SERVER)["eth0"]
            total = interface.received_bytes + interface.sent_bytes
            self.throughput.append((time.monotonic_ns(), total))

    def close(self) -> dict[str, dict[str, int]]:
        """Returns what each end of a wire counted, and the kernel's own queue drops."""
        self._stopping.set()
        self._thread.join()
        after = self._all()
        counted = {
            end: {
                "received": after[end].received - before.received,
                "sent": after[end].sent - before.sent,
                "receive_drops": after[end].receive_drops - before.receive_drops,
                "send_drops": after[end].send_drops - before.send_drops,
            }
            for end, before in self._before.items()
        }
        for host, faults in self._faults().items():
            before_of_host = self._faults_before[host]
            counted[host] = {key: value - before_of_host[key] for key, value in faults.items()}
        for descriptor in (*self._files.values(), *self._protocols.values()):
            os.close(descriptor)
        counted["kernel backlog"] = {"receive_drops": backlog_drops() - self._backlog_before}
        return counted
