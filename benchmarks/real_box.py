# SPDX-License-Identifier: BSD-3-Clause
"""A real protected box between namespaces, as `ftmb up` starts it, with a generator's packets
through it: `ftmb pktgen`, see docs/pktgen.md."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftmb import orchestrator, pktgen
from ftmb.configuration import from_data
from ftmb.drill.box import lab_data
from ftmb.lab import Host, Lab, namespaces

EXTERNAL = "203.0.113.0/27"
SOURCES = "10.64.0.0/16"  # of the flows, behind the client
FILL_RATES = (150_000, 75_000, 40_000)  # packets a second, until none is lost
FULL_RATE = 3_000_000  # more than a sender over a wire of the kernel's can
SENDING_S = 600.0  # at most, unless it is stopped; PACKETS_MAX may be less
PACKETS_MAX = 1 << 27
PATIENCE_S = 60.0


class Sender:
    """A generator between client and server. A context manager over its settings."""

    def __init__(self, lab: Lab, flows: int) -> None:
        address = ":".join(f"{byte:02x}" for byte in ethernet_of(lab, "inside"))
        self.session = pktgen.Session(
            pktgen.Settings(
                kind="latency",
                idle="sleep",  # when nothing is due: the box needs the cores
                flows=pktgen.Flows(count=flows, sources=SOURCES),
                transmit=pktgen.Endpoint(
                    namespace=lab.namespace(Host.CLIENT),
                    interface="eth0",
                    next_hop_ethernet=address,  # so that it may send before the box is there
                ),
                receive=pktgen.Endpoint(namespace=lab.namespace(Host.SERVER), interface="eth0"),
            )
        )
        self.received = 0  # packets that have come through since it sends, a little late
        self._sending: Future[pktgen.Trial] | None = None
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            exits.enter_context(self.session)
            self._other = exits.enter_context(ThreadPoolExecutor(1, "sender"))
            exits.callback(self.stop)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def each_flow(self, rate: int) -> pktgen.Trial:
        """A packet of each flow; returns when they have been sent."""
        return self.session.trial(rate, each_flow_once=True)

    def send_at(self, rate: int) -> None:
        """From now on; returns when packets are on the way."""
        self.stop()
        under_way = threading.Event()
        self.received = 0

        def progress(_packets: int, _sent: int, received: int) -> None:
            self.received = received
            under_way.set()

        seconds = min(SENDING_S, PACKETS_MAX / rate)
        self._sending = self._other.submit(
            self.session.trial, rate, seconds=seconds, progress=progress
        )
        while not under_way.wait(0.05):
            if self._sending.done():
                self._sending.result()
                raise RuntimeError(f"{rate:,} packets/s: the generator ended by itself")

    def stop(self) -> pktgen.Trial | None:
        """What came of it; None: nothing was being sent."""
        if self._sending is None:
            return None
        sending, self._sending = self._sending, None
        while not sending.done():
            self.session.stop()
            wait([sending], timeout=0.2)
        return sending.result()


@dataclass
class RealBox:
    """The box, by its name, and what sends to it."""

    name: str
    lab: Lab
    sender: Sender
    flows: int

    def status(self) -> dict[str, Any]:
        return dict(orchestrator.status(self.name))

    def forwarded(self) -> int:
        """Packets that have left by the outside port."""
        return int(self.status()["ports"]["outside"]["sent"])

    def fill(self) -> None:
        """Every flow is known to the NAT."""
        for rate in FILL_RATES:
            if self.sender.each_flow(rate).out.flows_seen == self.flows:
                return
        if self.forwarded() < self.flows:
            raise RuntimeError(
                f"only {self.forwarded():,} packets of {self.flows:,} flows came through"
            )

    def capacity(self, seconds: float = 1.5) -> int:
        """Packets a second that come through when as many are offered as the sender can."""
        self.sender.send_at(FULL_RATE)
        time.sleep(0.3)
        before, start = self.forwarded(), time.monotonic()
        time.sleep(seconds)
        after, end = self.forwarded(), time.monotonic()
        self.sender.stop()
        time.sleep(0.3)
        return int((after - before) / (end - start))

    def wait_until(self, is_so: Any, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            status = self.status()
            if is_so(status):
                return status
            time.sleep(0.005)
        raise TimeoutError(f"the box was not {what} in {PATIENCE_S:.0f} s")


def box_data(lab: Lab, name: str, flows: int) -> dict[str, Any]:
    """The lab's NAT, with room for so many flows, sending on by the server; as TOML has it."""
    data = lab_data(lab, name, "standby")
    data["port"][1] |= {"gateway": lab.addresses.server, "answers_for": [EXTERNAL]}
    data["element"][0] |= {"external": [EXTERNAL], "sessions_max": max(65536, flows * 5 // 4)}
    data["workers"]["count"] = 1
    data["memory"]["arena_mib"] = max(256, flows * 256 // (1 << 20))
    return data


def ethernet_of(lab: Lab, interface: str) -> bytes:
    """Of the box's end of a wire."""

    def look(netlink: Any) -> str:
        index = netlink.link_lookup(ifname=interface)[0]
        return str(netlink.get_links(index)[0].get_attr("IFLA_ADDRESS"))

    return bytes.fromhex(namespaces.netlink(lab.namespace(Host.BOX), look).replace(":", ""))


@contextlib.contextmanager
def run_directory() -> Iterator[Path]:
    """Where the box keeps its socket and its log, for as long as it is measured."""
    before = os.environ.get("FTMB_RUN_DIRECTORY")
    with tempfile.TemporaryDirectory(prefix="ftmb-bench-") as folder:
        os.environ["FTMB_RUN_DIRECTORY"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("FTMB_RUN_DIRECTORY")
            if before is not None:
                os.environ["FTMB_RUN_DIRECTORY"] = before


@contextlib.contextmanager
def real_box(flows: int) -> Iterator[RealBox]:
    """Started and protected, its flows not known yet; ended with all that belongs to it."""
    name = f"bench-{os.getpid()}"
    with run_directory(), Lab("bench") as lab, Sender(lab, flows) as sender:
        data = from_data(box_data(lab, name, flows)).to_dict()
        orchestrator.start(data, foreground=False)
        try:
            yield RealBox(name, lab, sender, flows)
        finally:
            orchestrator.stop(name)
