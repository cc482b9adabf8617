# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel interface does on its own to frames, which a middlebox must see as they were.

Received segments merged into one are larger than any frame; checksums and segments left to be
finished by a card that is not there never are.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
GET_DRIVER, GET_FLAGS, SET_FLAGS = 0x03, 0x25, 0x26
LARGE_RECEIVE_FLAG = 1 << 15
LARGE_RECEIVE = "large receive"
# name: (ETHTOOL_G..., ETHTOOL_S...); checksums first, since segmentation needs them
SETTINGS = {
    "transmit checksums": (0x16, 0x17),
    "receive checksums": (0x14, 0x15),
    "TCP segmentation": (0x1E, 0x1F),
    "generic segmentation": (0x23, 0x24),
    "generic receive": (0x2B, 0x2C),
}
HARMFUL = (*(name for name in SETTINGS if name != "receive checksums"), LARGE_RECEIVE)


def _ask(interface: str, request: bytes) -> bytes:
    """Of an interface of the calling thread's namespace; OSError if it knows no such request."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        value = ctypes.create_string_buffer(request, len(request))
        name = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
        fcntl.ioctl(control, SIOCETHTOOL, name)
        return value.raw


def driver(interface: str) -> str | None:
    """The kernel driver's name, such as "veth"; None if it does not tell."""
    try:
        answer = _ask(interface, struct.pack("I", GET_DRIVER).ljust(196, b"\0"))
    except OSError:
        return None
    return answer[4:36].split(b"\0")[0].decode(errors="replace")


def is_on(interface: str, name: str) -> bool:
    """What the interface cannot do is off."""
    command = GET_FLAGS if name == LARGE_RECEIVE else SETTINGS[name][0]
    try:
        (value,) = struct.unpack("4xI", _ask(interface, struct.pack("II", command, 0)))
    except OSError:
        return False
    return bool(value & LARGE_RECEIVE_FLAG if name == LARGE_RECEIVE else value)


def switch(interface: str, name: str, on: bool) -> None:
    """OSError if the interface refuses."""
    if name != LARGE_RECEIVE:
        _ask(interface, struct.pack("II", SETTINGS[name][1], int(on)))
        return
    (flags,) = struct.unpack("4xI", _ask(interface, struct.pack("II", GET_FLAGS, 0)))
    flags = flags | LARGE_RECEIVE_FLAG if on else flags & ~LARGE_RECEIVE_FLAG
    _ask(interface, struct.pack("II", SET_FLAGS, flags))


def turn_off(interface: str) -> None:
    """For an end of a veth pair, which pretends to have a card behind it."""
    for name in SETTINGS:
        try:
            switch(interface, name, False)
        except OSError:
            if name == "transmit checksums":
                raise


class Plain:
    """A box's interface with nothing on that harms, until closed."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.changed: list[str] = []
        self.refused: list[str] = []
        for name in HARMFUL:
            if not is_on(interface, name):
                continue
            try:
                switch(interface, name, False)
                self.changed.append(name)
            except OSError:
                self.refused.append(name)

    def close(self) -> None:
        """As it was before."""
        for name in self.changed:
            try:
                switch(self.interface, name, True)
            except OSError:
                pass
        self.changed = []
