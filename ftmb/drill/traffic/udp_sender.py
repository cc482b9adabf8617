# SPDX-License-Identifier: BSD-3-Clause
"""Sends numbered datagrams at a fixed rate, turn by turn over several flows.

A datagram holds its flow, its number in the flow and the time it was sent at.
"""

from __future__ import annotations

import argparse
import socket
import time
from array import array

from ftmb.drill.traffic.process import Stop, ready, write_results
from ftmb.drill.traffic.udp_format import DATAGRAM, DATAGRAM_SIZE

STEP_S = 0.001
IP_RECVERR = 11
CATCH_UP_S = 0.02  # after a pause of its own it does not send more than this at once


def open_flows(arguments: argparse.Namespace) -> list[socket.socket]:
    flows = []
    for flow in range(arguments.flows):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        # Without this the kernel hides that it could not put a datagram on the wire.
        sender.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        sender.bind((arguments.sources[flow % len(arguments.sources)], 0))
        sender.connect((arguments.target, arguments.port))
        flows.append(sender)
    return flows


def send(sender: socket.socket, datagram: bytes) -> bool:
    """A refusal that an earlier datagram met is reported by a later call: try once more."""
    for _ in range(2):
        try:
            sender.send(datagram)
            return True
        except ConnectionRefusedError:
            continue
        except OSError:
            return False
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--flows", type=int, default=8)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=DATAGRAM_SIZE)
    parser.add_argument("--record", action="store_true", help="when each datagram was sent")
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()

    flows = open_flows(arguments)
    next_numbers = [0] * len(flows)
    failed = 0
    times: array[int] = array("Q")
    padding = bytes(arguments.size - DATAGRAM.size)
    record = arguments.record
    stop = Stop()
    ready()
    clock = time.monotonic_ns
    pack = DATAGRAM.pack
    interval_ns = 1_000_000_000 // arguments.rate
    catch_up_ns = int(CATCH_UP_S * 1e9)
    due_ns = clock()
    turn = 0
    while not stop:
        now_ns = clock()
        if now_ns - due_ns > catch_up_ns:
            due_ns = now_ns - catch_up_ns
        while due_ns <= now_ns:
            sent_ns = clock()
            if send(flows[turn], pack(turn, next_numbers[turn], sent_ns) + padding):
                next_numbers[turn] += 1
                if record:
                    times.append(sent_ns)
            else:
                failed += 1
            turn = turn + 1 if turn + 1 < len(flows) else 0
            due_ns += interval_ns
        time.sleep(STEP_S)
    write_results(arguments.result, {"sent": next_numbers, "failed": failed}, {"times": times})


if __name__ == "__main__":
    main()
