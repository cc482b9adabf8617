# SPDX-License-Identifier: BSD-3-Clause
"""Which flow and which size each packet has: arrays that the sender goes through again and again.

Flows are never met in the order in which they were made, which would flatter every cache.
"""

from __future__ import annotations

import ipaddress

import numpy as np

from ftmb._native.pktgen import FLOW
from ftmb.pktgen.settings import IMIX, Flows

CHECK_SEQUENCE_SIZE = 4  # counted in frame sizes, and added by whoever puts a frame on a wire
ZIPF_DRAWS = 1 << 22  # then the same draws again
SIZE_ROUNDS = 341  # of a mix of sizes, before its order comes again


def flow_table(
    flows: Flows, source: ipaddress.IPv4Network, target: ipaddress.IPv4Network
) -> np.ndarray:
    """All flows by their numbers, of dtype FLOW."""
    table = np.zeros(flows.count, dtype=FLOW)
    rest = np.arange(flows.count, dtype=np.uint64)
    table["number"] = rest
    for name, first, count in (
        ("source_port", flows.source_ports[0], flows.source_ports[1] - flows.source_ports[0] + 1),
        ("source", int(source.network_address), source.num_addresses),
        (
            "destination_port",
            flows.destination_ports[0],
            flows.destination_ports[1] - flows.destination_ports[0] + 1,
        ),
        ("destination", int(target.network_address), target.num_addresses),
    ):
        table[name] = first + rest % count
        rest //= count
    return table


def in_order_of_sending(table: np.ndarray, flows: Flows, packets: int) -> np.ndarray:
    """Uniform: every flow once, shuffled, then the same again. Zipf: draws in which the k-th most
    frequent flow has a weight of k ** -exponent."""
    random = np.random.default_rng(flows.seed)
    shuffled = random.permutation(len(table))
    if flows.mix == "uniform":
        return np.ascontiguousarray(table[shuffled])
    weights = np.cumsum(np.arange(1, len(table) + 1, dtype=np.float64) ** -flows.exponent)
    draws = random.random(min(max(packets, 1), ZIPF_DRAWS)) * weights[-1]
    return np.ascontiguousarray(table[shuffled[np.searchsorted(weights, draws)]])


def each_once(table: np.ndarray, flows: Flows) -> np.ndarray:
    """Every flow once, shuffled."""
    return np.ascontiguousarray(table[np.random.default_rng(flows.seed).permutation(len(table))])


def sizes_and_order(frames: tuple[int, ...] | str, seed: int) -> tuple[tuple[int, ...], np.ndarray]:
    """Frame sizes without the check sequence, and the order of their indexes, shuffled."""
    parts = IMIX if frames == "imix" else tuple((int(size), 1) for size in frames)
    sizes = tuple(size - CHECK_SEQUENCE_SIZE for size, _ in parts)
    if len(sizes) == 1:
        return sizes, np.zeros(1, dtype=np.uint8)
    one_round = np.repeat(np.arange(len(parts)), [weight for _, weight in parts])
    order = np.tile(one_round, SIZE_ROUNDS).astype(np.uint8)
    return sizes, np.random.default_rng(seed).permutation(order)


def sent_of_each(order: np.ndarray, count: int, sent: int) -> np.ndarray:
    """How many of the first `sent` packets were of each flow."""
    rounds, rest = divmod(sent, len(order))
    numbers = order["number"]
    whole = np.bincount(numbers, minlength=count) * rounds if rounds else 0
    return np.asarray(whole + np.bincount(numbers[:rest], minlength=count), dtype=np.uint32)
