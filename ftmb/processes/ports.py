# SPDX-License-Identifier: BSD-3-Clause
"""Opening a box's ports: EAL's arguments, huge pages or none, and interface names as devices.

An interface name becomes AF_XDP where that is possible and AF_PACKET where it is not; which one
was taken is noted in the log and shown in the status. While the box has it, the kernel's offloads
that would spoil forwarding are off.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ftmb import offloads
from ftmb._native import dpdk
from ftmb._native.check import NativeError
from ftmb._native.journal import JournalPort
from ftmb.configuration.relations import JOURNAL
from ftmb.processes.journal import note

CLAIM_PATIENCE_S = 1.0  # a box that was killed is still giving back what it had
PAGES_NEEDED = 64  # huge pages of 2 MiB for EAL and the ports' packets
MEMORY_MIB_WITHOUT = 256
DRIVERS = ("af_xdp", "af_packet")  # of the kernel's interfaces
# Of fewer buffers the kernel counts an overflow where DPDK's driver does not look: with as many as
# that driver has buffers in a ring, it is in `missed`.
AF_XDP_DESCRIPTORS_MIN = 2048
FREE_PAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")


def has_huge_pages() -> bool:
    """Whether enough free huge pages are there for the ports."""
    try:
        return int(FREE_PAGES.read_text()) >= PAGES_NEEDED
    except (OSError, ValueError):
        return False


def allowed_cores(core: int | None) -> str:
    """Where EAL lets the packet thread run: on its own core, or wherever this process may."""
    allowed = os.sched_getaffinity(0) if core is None else {core}
    return ",".join(map(str, sorted(allowed)))


def runtime_folder() -> Path:
    """Where EAL would keep what it shares with other processes."""
    return Path(f"/var/run/dpdk/ftmb-{os.getpid()}")


def eal_arguments(configuration: dict[str, Any]) -> list[str]:
    """Such that nothing is left behind; no device but those that are asked for."""
    arguments = ["ftmb", "--lcores", f"0@({allowed_cores(configuration['logger']['core'])})"]
    arguments += ["--no-telemetry", "--log-level", "*:error"]
    arguments += ["--file-prefix", runtime_folder().name]
    if configuration["memory"]["hugepages"] == "auto" and has_huge_pages():
        arguments += ["--in-memory", "-m", str(PAGES_NEEDED * 2)]
    else:
        note("no huge pages", effect="ports use ordinary memory, somewhat slower")
        arguments += ["--no-huge", "--no-shconf", "-m", str(MEMORY_MIB_WITHOUT)]
    names = [port["device"] for port in configuration["ports"] if not is_journal(port)]
    if all(is_interface(name) or name.startswith("net_") for name in names):
        arguments.append("--no-pci")
    else:  # no other PCI device than the box's own
        for name in names:
            if ":" in name and not name.startswith("net_"):
                arguments += ["-a", name]
    return arguments


def is_interface(device: str) -> bool:
    """Whether a device string is the name of a network interface of this namespace."""
    try:
        socket.if_nametoindex(device)
    except OSError:
        return False
    return True


def candidates(
    device: str, index: int, descriptors: int, drivers: Sequence[str] = DRIVERS
) -> list[str]:
    """The DPDK device strings to try for a configured device, best first."""
    if not is_interface(device):
        return [device]
    frames = max(descriptors, 2048)
    arguments = {
        "af_xdp": f"net_af_xdp{index},iface={device}",
        "af_packet": f"net_af_packet{index},iface={device},framecnt={frames},qdisc_bypass=1",
    }
    return [arguments[driver] for driver in drivers]


def rings(device: str, descriptors: int) -> int:
    """How many descriptors a device is opened with, of those configured."""
    is_af_xdp = device.startswith("net_af_xdp")
    return max(descriptors, AF_XDP_DESCRIPTORS_MIN) if is_af_xdp else descriptors


def interface_of(device: str) -> str | None:
    """The kernel's interface that a device string is about, if it is about one."""
    if is_interface(device):
        return device
    named = re.search(r"(?:^|,)iface=([^,]+)", device)
    return named.group(1) if named else None


def claim(interface: str) -> socket.socket:
    """Makes an interface this box's alone for as long as the socket is open; PortError if it is
    another box's.

    Two boxes on one interface would each forward every packet, and AF_PACKET would let them. The
    name is an abstract one, so it is of this network namespace and goes with the process.
    """
    claimed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    deadline = time.monotonic() + CLAIM_PATIENCE_S
    while True:
        try:
            claimed.bind(f"\0ftmb-interface-{interface}")
            return claimed
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            claimed.close()
            raise dpdk.PortError(
                f"interface '{interface}' is in use by another box: see 'ftmb status', or stop "
                "that box with 'ftmb down' first"
            ) from error


def is_journal(port: dict[str, Any]) -> bool:
    """Whether a configured port ends in a file."""
    return bool(port["device"].startswith(JOURNAL))


class OpenJournal:
    """An open file that elements' lines go to."""

    def __init__(self, port: dict[str, Any]) -> None:
        path = Path(port["device"].removeprefix(JOURNAL))
        try:
            self.port = JournalPort(path)
        except NativeError as error:
            raise dpdk.PortError(
                f"port '{port['name']}': {error.strerror}. Does {path.parent} exist, and may it be "
                "written to?"
            ) from error
        self.device: str = port["device"]

    def fault(self) -> str | None:
        return self.port.fault()

    def close(self) -> None:
        self.port.close()


class OpenPort:
    """An open device, and the interface below it, if it is one of the kernel's."""

    def __init__(self, port: dict[str, Any], index: int, drivers: Sequence[str] = DRIVERS) -> None:
        interface = interface_of(port["device"])
        self.claim = claim(interface) if interface else None
        self.interface = plain_interface(port) if is_interface(port["device"]) else None
        try:
            self.port, self.device = open_device(port, index, drivers)
        except dpdk.PortError:
            self._restore()
            raise

    def fault(self) -> str | None:
        return None

    def close(self) -> None:
        self.port.close()
        self._restore()

    def _restore(self) -> None:
        if self.interface is not None:
            self.interface.close()
        if self.claim is not None:
            self.claim.close()


def plain_interface(port: dict[str, Any]) -> offloads.Plain:
    """The interface without the kernel's offloads; notes what was changed and what was not."""
    name = port["device"]
    plain = offloads.Plain(name)
    if plain.changed:
        note("offloads off", interface=name, offloads=plain.changed)
    if plain.refused:
        note("offloads stay on", interface=name, offloads=plain.refused, severity="warning")
    if offloads.driver(name) == "veth":
        note("veth", interface=name, advice="its other end needs: ethtool -K ... tx off tso off")
    return plain


def open_device(
    port: dict[str, Any], index: int, drivers: Sequence[str] = DRIVERS
) -> tuple[dpdk.DpdkPort, str]:
    """The opened port and the device string that it was opened by; PortError if none works."""
    reasons: list[str] = []
    for device in candidates(port["device"], index, port["descriptors"], drivers):
        try:
            opened = dpdk.DpdkPort(
                device,
                queues=port["queues"],
                descriptors=rings(device, port["descriptors"]),
                addresses=port["addresses"],
                answers_for=port.get("answers_for", ()),
                gateway=port["gateway"],
            )
        except dpdk.PortError as error:
            reasons.append(str(error))
            note("port not opened", port=port["name"], device=device, reason=str(error))
            continue
        return opened, device
    raise dpdk.PortError(
        f"port '{port['name']}': " + "; ".join(reasons) + ". Is the device's name right, free, "
        "and not in use by another program?"
    )


def open_all(
    configuration: dict[str, Any], add: Callable[[str, Any], None]
) -> dict[str, OpenPort | OpenJournal]:
    """Opens every port and gives each to `add(name, port)`; all of them, by name."""
    dpdk.start(eal_arguments(configuration))
    with contextlib.suppress(OSError):  # EAL makes it, and never uses it
        runtime_folder().rmdir()
    opened: dict[str, OpenPort | OpenJournal] = {}
    try:
        for index, port in enumerate(configuration["ports"]):
            made = OpenJournal(port) if is_journal(port) else OpenPort(port, index)
            opened[port["name"]] = made
            add(port["name"], made.port.base())
    except Exception:
        for made in opened.values():
            made.close()
        raise
    return opened
