# SPDX-License-Identifier: BSD-3-Clause
"""Ports over DPDK. Importing this loads DPDK: only the logger process does."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from ftmb._native._dpdk import ffi, lib  # type: ignore[import-not-found]

ERROR_SIZE = 256


class PortError(Exception):
    """EAL or a device does not start; the message says which and why."""


def _message(error: Any) -> str:
    return bytes(ffi.string(error)).decode(errors="replace")


def start(arguments: Sequence[str]) -> None:
    """Starts EAL, once in a process."""
    kept = [ffi.new("char[]", argument.encode()) for argument in arguments]
    error = ffi.new("char[]", ERROR_SIZE)
    if lib.dpdk_start(len(kept), ffi.new("char *[]", kept), error, ERROR_SIZE) != 0:
        raise PortError(_message(error))


def stop() -> None:
    """Gives back what EAL holds."""
    lib.dpdk_stop()


def _network_order(address: ipaddress.IPv4Address) -> int:
    return int.from_bytes(address.packed, "little")


class DpdkPort:
    """One device; with addresses it answers ARP and fills Ethernet headers.

    `answers_for`: networks that it answers ARP for besides, such as a NAT's external addresses.
    """

    def __init__(
        self,
        device: str,
        *,
        queues: int,
        descriptors: int,
        addresses: Sequence[str] = (),
        answers_for: Sequence[str] = (),
        gateway: str | None = None,
    ) -> None:
        name = ffi.new("char[]", device.encode())
        settings = ffi.new("struct dpdk_port_settings *")
        settings.device = name
        settings.queues = queues
        settings.descriptors = descriptors
        interfaces = [ipaddress.IPv4Interface(address) for address in addresses]
        for index, interface in enumerate(interfaces):
            settings.addresses[index] = _network_order(interface.ip)
            settings.masks[index] = _network_order(interface.netmask)
        settings.address_count = len(interfaces)
        for index, text in enumerate(answers_for):
            network = ipaddress.IPv4Network(text)
            settings.answered[index] = _network_order(network.network_address)
            settings.answered_masks[index] = _network_order(network.netmask)
        settings.answered_count = len(answers_for)
        if gateway is not None:
            settings.gateway = _network_order(ipaddress.IPv4Address(gateway))
        error = ffi.new("char[]", ERROR_SIZE)
        self.pointer = lib.dpdk_port_open(settings, error, ERROR_SIZE)
        if self.pointer == ffi.NULL:
            raise PortError(_message(error))

    def base(self) -> Any:
        """What Logger.add_port takes, as an address: the two libraries' types are their own."""
        return int(ffi.cast("uintptr_t", lib.dpdk_port_base(self.pointer)))

    def close(self) -> None:
        """Stops and detaches the device."""
        if self.pointer is not None:
            lib.dpdk_port_close(self.pointer)
            self.pointer = None
