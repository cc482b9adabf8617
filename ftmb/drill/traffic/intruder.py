# SPDX-License-Identifier: BSD-3-Clause
"""Tries turn by turn to begin connections, and sends datagrams that nobody asked for."""

from __future__ import annotations

import argparse
import socket
import time
from collections import Counter

from ftmb.drill.traffic.process import Stop, ready, write_results

INTERVAL_S = 0.02
TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def knock(protocol: str, source: str, target: str, port: int) -> None:
    """One packet: a datagram, or the first of a connection that is not waited for."""
    with socket.socket(socket.AF_INET, TYPES[protocol]) as sender:
        sender.setblocking(False)
        sender.bind((source, 0))
        sender.connect_ex((target, port))
        if protocol == "udp":
            sender.send(b"let me in")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--try", nargs=5, action="append", dest="attempts",
        metavar=("SOURCE", "TARGET", "PROTOCOL", "ARRIVAL", "PORT"),
    )  # fmt: skip
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    tried: Counter[str] = Counter()
    stop = Stop()
    ready()
    turn = 0
    while not stop:
        source, target, *place = arguments.attempts[turn % len(arguments.attempts)]
        protocol, _, port = place
        knock(protocol, source, target, int(port))
        tried[" ".join(place)] += 1
        turn += 1
        time.sleep(INTERVAL_S)
    write_results(arguments.result, {"tried": tried}, {})


if __name__ == "__main__":
    main()
