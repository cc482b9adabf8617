# SPDX-License-Identifier: BSD-3-Clause
"""Turns off what a veth pretends to have: a middlebox needs finished checksums and real frames."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct

SIOCETHTOOL = 0x8946
SETTINGS = {
    "transmit checksums": 0x17,  # ETHTOOL_STXCSUM
    "receive checksums": 0x15,  # ETHTOOL_SRXCSUM
    "TCP segmentation": 0x1F,  # ETHTOOL_STSO
    "generic segmentation": 0x24,  # ETHTOOL_SGSO
    "generic receive": 0x2C,  # ETHTOOL_SGRO
}


def turn_off(interface: str) -> None:
    """Works on an interface of the calling thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in SETTINGS.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError:
                if command == SETTINGS["transmit checksums"]:
                    raise
