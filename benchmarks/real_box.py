# SPDX-License-Identifier: BSD-3-Clause
"""A real protected box between namespaces, as `ftmb up` starts it, with raw frames through it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.frame_sender import Control
from ftmb import orchestrator
from ftmb.configuration import from_data
from ftmb.drill.box import lab_data
from ftmb.lab import Host, Lab, namespaces

ROOT = Path(__file__).resolve().parent.parent
EXTERNAL = "203.0.113.0/27"
FILL_RATE = 150_000  # packets a second; a few fillings, so that what is lost comes again
FILLINGS = 2
PATIENCE_S = 60.0


@dataclass
class RealBox:
    """The box, by its name, and the sender in the client's namespace."""

    name: str
    lab: Lab
    control: Control
    flows: int

    def status(self) -> dict[str, Any]:
        return dict(orchestrator.status(self.name))

    def forwarded(self) -> int:
        """Packets that have left by the outside port."""
        return int(self.status()["ports"]["outside"]["sent"])

    def send_at(self, rate: int) -> None:
        self.control["rate"] = rate

    def fill(self) -> None:
        """Every flow is known to the NAT."""
        total = self.flows * FILLINGS
        self.send_at(FILL_RATE)
        time.sleep(max(1.0, total / FILL_RATE))
        self.send_at(0)
        time.sleep(0.3)
        if self.forwarded() < self.flows:
            raise RuntimeError(
                f"only {self.forwarded():,} packets of {self.flows:,} flows came through"
            )

    def capacity(self, seconds: float = 1.5) -> int:
        """Packets a second that come through when as many are offered as the sender can."""
        self.send_at(1 << 40)
        time.sleep(0.3)
        before, start = self.forwarded(), time.monotonic()
        time.sleep(seconds)
        after, end = self.forwarded(), time.monotonic()
        self.send_at(0)
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


def start_sender(lab: Lab, folder: Path, flows: int) -> Control:
    """In the client's namespace, ready to send."""
    path = folder / "sender"
    control = Control(path, is_new=True)
    words = [str(path), "eth0", ethernet_of(lab, "inside").hex(), str(flows)]
    program = lab.run(
        Host.CLIENT,
        [sys.executable, "-m", "benchmarks.frame_sender", *words],
        {"PYTHONPATH": str(ROOT)},
    )
    deadline = time.monotonic() + PATIENCE_S
    while not control["ready"]:
        if not program.running() or time.monotonic() > deadline:
            raise RuntimeError(f"the sender did not start: {program.output()[-500:]}")
        time.sleep(0.01)
    return control


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
    with run_directory() as folder, Lab("bench") as lab:
        control = start_sender(lab, folder, flows)
        data = from_data(box_data(lab, name, flows)).to_dict()
        orchestrator.start(data, foreground=False)
        try:
            yield RealBox(name, lab, control, flows)
        finally:
            orchestrator.stop(name)
