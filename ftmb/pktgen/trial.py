# SPDX-License-Identifier: BSD-3-Clause
"""One run at one rate, in the process that has the ports: from a plan to what was counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ftmb._native.pktgen import BIN_NS, Collector, End, Loop, Plan
from ftmb.pktgen.latencies import summarize
from ftmb.pktgen.result import Direction, FlowCounts, Trial
from ftmb.pktgen.traffic import sent_of_each

PROGRESS_S = 0.1
Progress = Callable[[int, int, int], None]  # packets in all, sent, received


@dataclass(frozen=True)
class Run:
    """What a trial is made of, but for the ends."""

    plan: Plan
    rate_pps: float
    flow_count: int
    reply: bool
    idle: str
    drain_ns: int
    per_flow: bool


def execute(
    run: Run, transmit: End, receive: End, progress: Progress, stop: threading.Event
) -> Trial:
    """Sends and counts; `stop`, set by anybody, ends it early with what there is."""
    plan = run.plan
    span_ns = plan.span_ns + plan.overtime_ns + run.drain_ns
    bins = int(span_ns // BIN_NS) + 2
    out = Collector(plan.packets, run.flow_count, bins)
    back = Collector(plan.packets, run.flow_count, bins) if run.reply else None
    before = _counts(transmit, receive)
    loop = Loop(plan, transmit, receive, run.idle, run.drain_ns)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(PROGRESS_S):
            progress(plan.packets, loop.sent(), (back or out).received)
            if stop.is_set():
                loop.stop()

    watcher = threading.Thread(target=watch, name="progress")
    watcher.start()
    begun = time.thread_time()
    try:
        loop.run(out, back)
    finally:
        cpu_seconds = time.thread_time() - begun
        over.set()
        watcher.join()
    try:
        trial = _trial(run, loop, out, back, _difference(before, _counts(transmit, receive)), stop)
        return replace(trial, cpu_seconds=cpu_seconds)
    finally:
        loop.close()


def _counts(transmit: End, receive: End) -> dict[str, int]:
    counts = transmit.counts()
    for name, value in receive.counts().items():
        counts[name] += value
    counts["missed"] = transmit.missed() + receive.missed()
    return counts


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after}


def _trial(
    run: Run,
    loop: Loop,
    out: Collector,
    back: Collector | None,
    counts: dict[str, int],
    stop: threading.Event,
) -> Trial:
    sender, sent = loop.sender(), loop.sent()
    finished_ns = sender["finished_ns"] or loop.ended_ns()
    seconds = max((finished_ns - sender["start_ns"]) / 1e9, 1e-9)
    sent_of = sent_of_each(run.plan.flows, run.flow_count, sent)
    return Trial(
        start_ns=sender["start_ns"],
        rate_pps=run.rate_pps,
        flow_count=run.flow_count,
        packets=run.plan.packets,
        sent=sent,
        unsent=run.plan.packets - sent,
        sent_pps=sent / max(seconds, run.plan.span_ns / 1e9)
        if not stop.is_set()
        else sent / seconds,
        seconds=seconds,
        cpu_seconds=0.0,
        late_ns_max=sender["late_ns_max"],
        late_ns_mean=sender["late_ns_sum"] / max(sender["built"], 1),
        interrupted=stop.is_set(),
        out=_direction(run, out, sent, sent_of, seconds),
        back=None if back is None else _direction(run, back, sent, sent_of, seconds),
        foreign=counts["foreign"],
        missed=counts["missed"],
        answers_unsent=counts["answers_unsent"],
        ambiguous=loop.ambiguous(),
    )


def _direction(
    run: Run, counted: Collector, sent: int, sent_of: np.ndarray, seconds: float
) -> Direction:
    flows = counted.flows
    lost_of = sent_of - flows["received"]
    received = counted.received
    start_ns = counted.start_ns
    filled = np.flatnonzero(counted.bins)
    return Direction(
        sent=sent,
        received=received,
        lost=sent - received,
        duplicated=counted.duplicated,
        reordered=counted.reordered,
        corrupted=counted.corrupted,
        stale=counted.stale,
        impossible=counted.impossible,
        flows_seen=int(np.count_nonzero(flows["received"])),
        flows_with_loss=int(np.count_nonzero(lost_of)),
        received_pps=received / seconds,
        first_ns=counted.first_ns - start_ns if counted.first_ns else None,
        last_ns=counted.last_ns - start_ns if counted.first_ns else None,
        gap_ns_max=counted.gap_ns_max,
        gap_end_ns=counted.gap_end_ns - start_ns if counted.gap_ns_max else None,
        flow_gap_ns_max=int(flows["gap_us_max"].max()) * 1000,
        latency=summarize(counted.latency_ns[:sent]),
        bins=counted.bins[: filled[-1] + 1 if len(filled) else 0].copy(),
        flows=_flow_counts(flows, sent_of, lost_of) if run.per_flow else None,
    )


def _flow_counts(flows: np.ndarray, sent_of: np.ndarray, lost_of: np.ndarray) -> FlowCounts:
    return FlowCounts(
        sent=sent_of,
        received=flows["received"].copy(),
        lost=lost_of,
        duplicated=flows["duplicated"].copy(),
        reordered=flows["reordered"].copy(),
        corrupted=flows["corrupted"].copy(),
        first_us=flows["first_us"].copy(),
        last_us=flows["last_us"].copy(),
        gap_us_max=flows["gap_us_max"].copy(),
    )
