# SPDX-License-Identifier: BSD-3-Clause
"""From a trial that is asked for to what exactly is sent in it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np

from ftmb._native.pktgen import Plan, Trace
from ftmb.errors import PktgenError
from ftmb.pktgen import traffic
from ftmb.pktgen.capture import Capture, flows_in_order, trace_of
from ftmb.pktgen.settings import PACKETS_MAX, SECONDS_MAX, Flows, Replay
from ftmb.pktgen.trial import Run

OVERTIME_SHARE = 0.2  # how much longer than planned a generator that falls behind may send
OVERTIME_NS_MIN = 100_000_000
RUNS = 256  # a run's number has 8 bits


@dataclass(frozen=True)
class Order:
    """A trial that is asked for."""

    rate_pps: float
    seconds: float
    flows: Flows
    frames: tuple[int, ...] | str
    reply: bool
    idle: str
    drain_ms: int
    per_flow: bool
    each_flow_once: bool  # instead of `seconds`
    replay: Replay | None  # instead of flows and frames


def longest_frame(frames: tuple[int, ...] | str, capture: Capture | None) -> int:
    """In bytes, without the check sequence."""
    if capture is not None:
        return max(len(frame) for frame in capture.frames)
    return max(traffic.sizes_and_order(frames, 0)[0])


@dataclass
class Planner:
    """Makes runs of orders between two ends."""

    sources: ipaddress.IPv4Network
    targets: ipaddress.IPv4Network
    own_ethernet: bytes
    next_hop_ethernet: bytes
    capture: Capture | None
    runs: int = 0

    def run(self, order: Order) -> Run:
        self.runs = (self.runs + 1) % RUNS
        if order.replay is not None:
            return self._replay(order, order.replay)
        table = traffic.flow_table(order.flows, self.sources, self.targets)
        if order.each_flow_once:
            packets, sending = len(table), traffic.each_once(table, order.flows)
        else:
            packets = max(1, round(order.rate_pps * order.seconds))
            sending = traffic.in_order_of_sending(table, order.flows, packets)
        interval_ns = 1e9 / order.rate_pps
        span_ns = round(packets * interval_ns)
        return self._run(order, sending, None, packets, interval_ns, span_ns, len(table))

    def _replay(self, order: Order, replay: Replay) -> Run:
        capture = self.capture
        assert capture is not None, "it was read when the ends were opened"
        count = len(capture.frames)
        interval_ns = 1e9 / order.rate_pps
        due_ns = None
        if replay.timing == "own":
            due_ns = (capture.due_ns / replay.speed).astype(np.uint64)
            # one round follows the other as packets follow one another on average
            round_ns = int(due_ns[-1]) + int(due_ns[-1]) // max(count - 1, 1)
        else:
            round_ns = round(count * interval_ns)
        trace = trace_of(
            capture,
            due_ns=due_ns,
            round_ns=round_ns,
            patience_ns=order.drain_ms * 1_000_000,
            keep_ethernet=replay.keep_ethernet,
        )
        sending, span_ns = flows_in_order(capture), replay.loops * round_ns
        packets = count * replay.loops
        if packets > PACKETS_MAX or span_ns > SECONDS_MAX * 1e9:
            raise PktgenError(
                f"{replay.file}: a replay of {packets:,} packets in {span_ns / 1e9:,.0f} s; "
                f"allowed: {PACKETS_MAX:,} in {SECONDS_MAX:,} s: change replay.loops or "
                "replay.speed, or cut the capture"
            )
        return self._run(order, sending, trace, packets, interval_ns, span_ns, capture.flow_count)

    def _run(
        self,
        order: Order,
        sending: np.ndarray,
        trace: Trace | None,
        packets: int,
        interval_ns: float,
        span_ns: int,
        flow_count: int,
    ) -> Run:
        sizes, size_order = traffic.sizes_and_order(order.frames, order.flows.seed)
        plan = Plan(
            flows=sending,
            trace=trace,
            sizes=sizes,
            size_order=size_order,
            packets=packets,
            interval_ns=interval_ns,
            span_ns=span_ns,
            overtime_ns=max(OVERTIME_NS_MIN, int(span_ns * OVERTIME_SHARE)),
            source_ethernet=self.own_ethernet,
            next_hop_ethernet=self.next_hop_ethernet,
            run=self.runs,
        )
        return Run(
            plan=plan,
            rate_pps=packets / span_ns * 1e9 if span_ns else order.rate_pps,
            flow_count=flow_count,
            reply=order.reply,
            idle=order.idle,
            drain_ns=order.drain_ms * 1_000_000,
            per_flow=order.per_flow,
        )
