# SPDX-License-Identifier: BSD-3-Clause
"""What a monitor counted, beside what the hosts' kernels did.

The monitor sends on whatever it counts, so what it counted is what both hosts received: all of it,
and of each host's addresses what came to the other host.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from ftmb.drill.counters import read_interfaces, read_protocols
from ftmb.drill.workload.base import state_rows
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.lab import Host, namespaces

PATIENCE_S = 2.0
QUIET_S = 0.3
HOSTS = (Host.CLIENT, Host.SERVER)


@dataclass(frozen=True)
class Counts:
    """`from_client`: IP packets whose source is one of the client's addresses."""

    packets: int
    bytes: int
    from_client: int
    from_server: int

    def __sub__(self, before: Counts) -> Counts:
        return Counts(
            self.packets - before.packets,
            self.bytes - before.bytes,
            self.from_client - before.from_client,
            self.from_server - before.from_server,
        )


NOTHING = Counts(0, 0, 0, 0)


@dataclass(frozen=True)
class MonitorFigures:
    passed: Counts
    counted: Counts | None  # None: there was no standby to ask

    def report(self, moments: Moments) -> Report:
        if self.counted is None:
            return {"passed": self.passed.packets}
        off = self.counted - self.passed
        return {
            "passed": self.passed.packets,
            "counted": self.counted.packets,
            "packets_off": abs(off.packets),
            "bytes_off": abs(off.bytes),
            "hosts_off": abs(off.from_client) + abs(off.from_server),
        }


class MonitorCounts(Part):
    section = Section(
        "monitor",
        (
            Row("packets counted by the monitor", ("monitor", "counted")),
            Row("packets that it counted wrongly", ("monitor", "packets_off"), must_be_zero=True),
            Row("bytes that it counted wrongly", ("monitor", "bytes_off"), must_be_zero=True),
        ),
        (
            Guarantee(("monitor", "packets_off"), "packets were counted wrongly", True),
            Guarantee(("monitor", "bytes_off"), "bytes were counted wrongly", True),
            Guarantee(("monitor", "hosts_off"), "packets were counted for the wrong host", True),
        ),
        (("monitor", "counted"),),
    )

    def describe(self) -> str:
        return "counts compared"

    def start(self) -> None:
        self.passed_before = self._passed()
        self.counted_before = self._counted() or NOTHING

    def stop(self) -> MonitorFigures:
        """The last packets may still be under way, to the hosts and to the standby."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            passed = self._settled() - self.passed_before
            found = self._counted()
            counted = None if found is None else found - self.counted_before
            if counted in (None, passed) or time.monotonic() > deadline:
                return MonitorFigures(passed, counted)

    def _settled(self) -> Counts:
        """What has passed, once nothing more comes."""
        deadline = time.monotonic() + PATIENCE_S
        found = self._passed()
        while True:
            time.sleep(QUIET_S)
            before, found = found, self._passed()
            if found == before or time.monotonic() > deadline:
                return found

    def _read(self, host: Host, file: str) -> str:
        descriptor = namespaces.open_file(self.place.lab.namespace(host), file)
        try:
            return os.pread(descriptor, 65536, 0).decode()
        finally:
            os.close(descriptor)

    def _passed(self) -> Counts:
        wires = [read_interfaces(self._read(host, "dev"))["eth0"] for host in HOSTS]
        client, server = (
            read_protocols(self._read(host, "snmp"))["IpInReceives"] for host in HOSTS
        )
        return Counts(
            packets=sum(wire.received for wire in wires),
            bytes=sum(wire.received_bytes for wire in wires),
            from_client=server,
            from_server=client,
        )

    def _counted(self) -> Counts | None:
        if self.place.box_name is None:
            return None
        (totals,) = state_rows(self.place.box_name, "monitor", "totals")
        hosts = state_rows(self.place.box_name, "monitor", "hosts")
        packets = {row["address"]: int(row["packets"]) for row in hosts}
        a = self.place.lab.addresses
        return Counts(
            packets=int(totals["packets"]),
            bytes=int(totals["bytes"]),
            from_client=sum(packets.get(host, 0) for host in (*a.clients, *a.clients_besides)),
            from_server=packets.get(a.server, 0),
        )
