# SPDX-License-Identifier: BSD-3-Clause
"""The packet generator's ends and runs. All arrays are numpy's, made here and filled by C."""

from __future__ import annotations

import errno
import ipaddress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftmb._native.check import NativeError, check, ffi, lib
from ftmb._native.logger import IDLE_STRATEGIES

SIZES_MAX: int = lib.PKTGEN_SIZES_MAX
FLOWS_MAX: int = lib.PKTGEN_FLOWS_MAX
BIN_NS: int = lib.PKTGEN_BIN_NS

FLOW = np.dtype(
    [
        ("number", np.uint32),
        ("source", np.uint32),
        ("destination", np.uint32),
        ("source_port", np.uint16),
        ("destination_port", np.uint16),
        ("address_sum", np.uint16),
        ("udp_sum", np.uint16),
    ]
)
FLOW_COUNTS = np.dtype(
    [
        (name, np.uint32)
        for name in (
            "received",
            "duplicated",
            "reordered",
            "sequence_next",
            "first_us",
            "last_us",
            "gap_us_max",
            "corrupted",
        )
    ]
)
assert FLOW.itemsize == ffi.sizeof("struct pktgen_flow")
assert FLOW_COUNTS.itemsize == ffi.sizeof("struct pktgen_flow_counts")


class Unreachable(Exception):
    """Nobody on the link has the next hop's address, or none leads there."""


def _network_order(address: ipaddress.IPv4Address) -> int:
    return int.from_bytes(address.packed, "little")


class End:
    """One end over an open port; `port` is what the port's base() gives."""

    def __init__(self, port: Any, ethernet: bytes) -> None:
        self._port = ffi.cast("struct port *", port)
        self.ethernet = ethernet
        self.pointer = lib.pktgen_end_create(self._port, ethernet)
        if self.pointer == ffi.NULL:
            raise NativeError(-errno.ENOMEM, "making an end of the packet generator")

    def add_address(self, interface: ipaddress.IPv4Interface) -> None:
        """It answers ARP for the address, and asks from it."""
        address, mask = _network_order(interface.ip), _network_order(interface.netmask)
        check(lib.pktgen_end_add_address(self.pointer, address, mask), "adding an address")

    def add_network(self, network: ipaddress.IPv4Network) -> None:
        """It answers ARP for all of the network."""
        address, mask = _network_order(network.network_address), _network_order(network.netmask)
        check(lib.pktgen_end_add_network(self.pointer, address, mask), "adding a network")

    def set_gateway(self, gateway: ipaddress.IPv4Address) -> None:
        lib.pktgen_end_set_gateway(self.pointer, _network_order(gateway))

    def announce(self) -> None:
        """Tells the link where the addresses are."""
        lib.pktgen_end_announce(self.pointer)

    def resolve(self, destination: ipaddress.IPv4Address, other: End, patience_s: float) -> bytes:
        """The Ethernet address of the next hop towards `destination`; raises Unreachable.

        Meanwhile the other end answers ARP too.
        """
        ethernet = ffi.new("uint8_t[6]")
        patience_ns = int(patience_s * 1e9)
        code = lib.pktgen_end_resolve(
            self.pointer, other.pointer, _network_order(destination), patience_ns, ethernet
        )
        if code != 0:
            raise Unreachable(
                "no address and no gateway leads there"
                if code == -errno.ENETUNREACH
                else f"nobody answers ARP within {patience_s:g} s"
            )
        return bytes(ethernet)

    def missed(self) -> int:
        """Packets that the device itself had to drop on receiving."""
        return int(lib.pktgen_port_missed(self._port))

    def counts(self) -> dict[str, int]:
        """Since the end was made: frames of others, ARP, answers sent and not sent."""
        names = ("foreign", "resolution", "answered", "answers_unsent")
        return {name: int(getattr(self.pointer, name)) for name in names}

    def close(self) -> None:
        lib.pktgen_end_destroy(self.pointer)
        self.pointer = ffi.NULL


class Collector:
    """What arrives in one direction; see native/pktgen/collector.h."""

    def __init__(self, packets: int, flow_count: int, bin_count: int) -> None:
        self.latency_ns = np.empty(packets, dtype=np.uint32)
        self.flows = np.empty(flow_count, dtype=FLOW_COUNTS)
        self.bins = np.zeros(bin_count, dtype=np.uint32)
        for array in (self.latency_ns, self.flows):
            array.view(np.uint8)[:] = 0  # its memory is there before the run, not during it
        self._kept = [ffi.from_buffer(array) for array in (self.latency_ns, self.flows, self.bins)]
        self.pointer = ffi.new("struct pktgen_collector *")
        raw = self.pointer
        raw.latency_ns = ffi.cast("uint32_t *", self._kept[0])
        raw.packets_max = packets
        raw.flows = ffi.cast("struct pktgen_flow_counts *", self._kept[1])
        raw.flow_count = flow_count
        raw.bins = ffi.cast("uint32_t *", self._kept[2])
        raw.bin_count = bin_count

    def __getattr__(self, name: str) -> int:
        """The counters of struct pktgen_collector, by their names."""
        return int(getattr(self.__dict__["pointer"], name))


@dataclass(frozen=True)
class Trace:
    """Frames of a capture, one behind the other in `content`; see native/pktgen/trace.h."""

    content: np.ndarray  # uint8
    offsets: np.ndarray  # uint64, as all times
    lengths: np.ndarray  # uint16
    flows: np.ndarray  # uint32
    due_ns: np.ndarray | None  # None: at the plan's interval
    round_ns: int
    patience_ns: int
    keep_ethernet: bool

    def pointer(self) -> tuple[Any, Any]:
        """The C structure, and what has to be kept as long as it."""
        names = ["content", "offsets", "lengths", "flows"]
        names += ["due_ns"] if self.due_ns is not None else []
        kept = {name: ffi.from_buffer(getattr(self, name)) for name in names}
        raw = ffi.new("struct pktgen_trace *")
        raw.bytes = ffi.cast("uint8_t *", kept["content"])
        raw.offsets = ffi.cast("uint64_t *", kept["offsets"])
        raw.lengths = ffi.cast("uint16_t *", kept["lengths"])
        raw.flows = ffi.cast("uint32_t *", kept["flows"])
        if self.due_ns is not None:
            raw.due_ns = ffi.cast("uint64_t *", kept["due_ns"])
        raw.round_ns, raw.patience_ns = self.round_ns, self.patience_ns
        raw.count, raw.keep_ethernet = len(self.lengths), self.keep_ethernet
        return raw, kept


@dataclass(frozen=True)
class Plan:
    """What is sent. `flows` has the dtype FLOW, in the order of sending."""

    flows: np.ndarray
    trace: Trace | None  # not None: its frames, and flows and sizes are not used
    sizes: tuple[int, ...]  # of frames, without the check sequence
    size_order: np.ndarray  # uint8, indexes of sizes
    packets: int
    interval_ns: float
    span_ns: int  # from the start to when all has been due
    overtime_ns: int
    source_ethernet: bytes
    next_hop_ethernet: bytes
    run: int


class Loop:
    """One run over two ends."""

    def __init__(self, plan: Plan, transmit: End, receive: End, idle: str, drain_ns: int) -> None:
        raw = ffi.new("struct pktgen_plan *")
        flows = ffi.from_buffer("struct pktgen_flow[]", plan.flows)
        size_order = ffi.from_buffer("uint8_t[]", plan.size_order)
        lib.pktgen_flows_prepare(flows, len(plan.flows))
        raw.flows, raw.flow_count = flows, len(plan.flows)
        raw.size_order, raw.size_order_count = size_order, len(plan.size_order)
        raw.sizes[0 : len(plan.sizes)] = plan.sizes
        raw.size_count = len(plan.sizes)
        raw.packets = plan.packets
        raw.interval_q32 = round(plan.interval_ns * 2**32)
        raw.span_ns = plan.span_ns
        raw.overtime_ns = plan.overtime_ns
        raw.source_ethernet = plan.source_ethernet
        raw.next_hop_ethernet = plan.next_hop_ethernet
        raw.run = plan.run
        trace = plan.trace.pointer() if plan.trace is not None else None
        raw.trace = trace[0] if trace is not None else ffi.NULL
        self._kept = (raw, flows, size_order, transmit, receive, trace)
        self.pointer = lib.pktgen_loop_create(raw, transmit.pointer, receive.pointer)
        if self.pointer == ffi.NULL:
            raise NativeError(-errno.ENOMEM, "making a run of the packet generator")
        self.pointer.idle = IDLE_STRATEGIES[idle]
        self.pointer.drain_ns = drain_ns

    def run(self, out: Collector, back: Collector | None) -> None:
        """Returns when the run is over; other threads run meanwhile."""
        lib.pktgen_loop_run(self.pointer, out.pointer, ffi.NULL if back is None else back.pointer)

    def start(self, out: Collector, back: Collector | None) -> None:
        """Instead of run(): then step() until it returns False, then finish()."""
        lib.pktgen_loop_start(self.pointer, out.pointer, ffi.NULL if back is None else back.pointer)

    def step(self) -> bool:
        return bool(lib.pktgen_loop_step(self.pointer))

    def finish(self) -> None:
        lib.pktgen_loop_finish(self.pointer)

    def stop(self) -> None:
        """Ends the run early, from any thread."""
        lib.pktgen_loop_stop(self.pointer)

    def sent(self) -> int:
        """How many have been sent so far, from any thread."""
        return int(lib.pktgen_loop_sent(self.pointer))

    def sender(self) -> dict[str, int]:
        """When it began and ended (0: it did not come to its end), and how late it was."""
        names = ("start_ns", "finished_ns", "late_ns_max", "late_ns_sum", "built")
        return {name: int(getattr(self.pointer.sender, name)) for name in names}

    def ambiguous(self) -> int:
        """Frames of the trace that have another one alike in it."""
        return int(lib.pktgen_loop_ambiguous(self.pointer))

    def ended_ns(self) -> int:
        return int(self.pointer.ended_ns)

    def close(self) -> None:
        lib.pktgen_loop_destroy(self.pointer)
        self.pointer = ffi.NULL
