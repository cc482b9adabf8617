# SPDX-License-Identifier: BSD-3-Clause
"""What was measured. Times are in nanoseconds, counted from the start of the trial where they are
moments; rates in packets a second."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

LATE_SHARE = 0.01
PAUSE_S = 0.02


@dataclass(frozen=True)
class Latency:
    """From when a packet was due to when it was taken in, of all packets that came."""

    count: int
    min_ns: int
    mean_ns: float
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    beyond_range: int  # of 4.29 s and more: they stand in the histogram as that
    histogram: str  # HDR, compressed and in base64: HdrHistogram.decode() reads it
    cdf: tuple[tuple[int, float], ...]  # (latency in ns, share of packets at most as late)


@dataclass(frozen=True)
class FlowCounts:
    """Arrays with an entry for each flow, by its number."""

    sent: np.ndarray
    received: np.ndarray
    lost: np.ndarray
    duplicated: np.ndarray
    reordered: np.ndarray
    corrupted: np.ndarray
    first_us: np.ndarray  # of no meaning where received is 0
    last_us: np.ndarray
    gap_us_max: np.ndarray


@dataclass(frozen=True)
class Direction:
    """One way: out, or back. sent = received + lost; the corrupted are among the lost."""

    sent: int
    received: int
    lost: int
    duplicated: int
    reordered: int
    corrupted: int
    stale: int  # of a trial before
    impossible: int  # intact, and yet never sent
    flows_seen: int
    flows_with_loss: int
    received_pps: float
    first_ns: int | None
    last_ns: int | None
    gap_ns_max: int  # longest time between two packets
    gap_end_ns: int | None
    flow_gap_ns_max: int  # the same within one flow
    latency: Latency | None
    bins: np.ndarray  # packets that came in each millisecond
    flows: FlowCounts | None


@dataclass(frozen=True)
class Trial:
    """One run at one rate."""

    start_ns: int  # by the monotonic clock: when the first packet was due
    rate_pps: float
    flow_count: int
    packets: int  # that were to be sent
    sent: int
    unsent: int
    sent_pps: float
    seconds: float  # from the first that was due to the last that left
    cpu_seconds: float  # of the generator's thread, with what the kernel did for it; waiting too
    late_ns_max: int  # how long after its time a packet left
    late_ns_mean: float
    interrupted: bool
    out: Direction
    back: Direction | None
    foreign: int  # frames of others that came in at either end
    missed: int  # that the generator's own devices had to drop
    answers_unsent: int
    ambiguous: int  # frames of a replay that have another one alike: see docs/pktgen.md

    @property
    def kept_up(self) -> bool:
        """Whether the generator itself was fast enough for this rate: all left, and the last no
        later than 1 % of the trial, or than a scheduler's pause may make it."""
        planned_s = self.packets / self.rate_pps
        late_s = self.seconds - planned_s
        is_in_time = late_s <= max(LATE_SHARE * planned_s, PAUSE_S)
        return self.interrupted or (self.unsent == 0 and is_in_time)

    @property
    def loss(self) -> float:
        """The share of packets lost; there and back, if there were answers."""
        arrived = self.out.received if self.back is None else self.back.received
        return 1 - arrived / self.sent if self.sent else 0.0


@dataclass(frozen=True)
class Throughput:
    """The highest rate found; `limit` says what ended the search."""

    flow_count: int
    rate_pps: float  # 0: none of the rates tried held
    limit: str  # "loss", "generator" or "maximum"
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Result:
    """A whole script's result."""

    kind: str
    settings: dict[str, Any]
    transmit: str  # the devices as they were opened
    receive: str
    machine: dict[str, Any]
    trials: tuple[Trial, ...]
    throughput: tuple[Throughput, ...]
    interrupted: bool


def plain(value: Any) -> Any:
    """JSON types only."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, Trial):
            named |= {"kept_up": value.kept_up, "loss": value.loss}
        return named
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value
