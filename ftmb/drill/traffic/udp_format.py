# SPDX-License-Identifier: BSD-3-Clause
"""The datagrams of the numbered stream: flow, number in the flow, time sent; then padding."""

import struct

DATAGRAM = struct.Struct("<QQQ")
DATAGRAM_SIZE = 64  # unless the sender is asked for another
