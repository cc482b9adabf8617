# SPDX-License-Identifier: BSD-3-Clause
"""Rate, latency, and what is logged, in each mode: a box in this process, ports in memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.histogram import histogram_of, percentiles_us
from benchmarks.log_bytes import bytes_of_logs
from benchmarks.modes.checkpointer import Checkpointer
from benchmarks.modes.settings import Mode
from benchmarks.rig import Rig
from benchmarks.shared import MONITOR, in_turns
from benchmarks.throughput import options_of
from benchmarks.traffic import Traffic, flows, untouched_by_fork

FLOWS = 10_000
ENDLESS = 1 << 60
WINDOW = 100_000  # frames on the way: checkpoints hold back all that is sent in one interval
SESSIONS_MAX = 65536
SETTLE_S = 0.2


@contextlib.contextmanager
def rig_of(
    mode: Mode, element: str, options: dict[str, Any], traffic: Traffic, **more: Any
) -> Iterator[Rig]:
    """A box in this mode, with checkpoints under way if it needs them."""
    rig = Rig(
        element,
        options,
        traffic,
        protected=mode.is_replayed,
        logger_changes={"release": mode.release, "pal": mode.pal},
        process_changes={"pal": mode.pal},
        **more,
    )
    with contextlib.ExitStack() as exits:
        exits.enter_context(rig)
        if mode.checkpoint_ms is not None:
            exits.enter_context(Checkpointer(rig, mode.checkpoint_ms))
        yield rig


def _nat() -> dict[str, Any]:
    return {**options_of("nat", FLOWS), "sessions_max": SESSIONS_MAX}


def rate(mode: Mode, seconds: float) -> float:
    """Mpps from port to port of a NAT, as fast as it takes them."""
    with rig_of(mode, "nat", _nat(), flows(FLOWS)) as rig:
        rig.warm_up()
        rig.source.set_window(rig.sink, WINDOW)
        rig.source.send(ENDLESS)
        time.sleep(SETTLE_S)
        start, before = time.monotonic(), rig.logger.port_counts("outside")["sent"]
        time.sleep(seconds)
        end, after = time.monotonic(), rig.logger.port_counts("outside")["sent"]
        rig.source.send(0)
        rig.wait_until_sent()
    return float((after - before) / (end - start) / 1e6)


def latency_us(mode: Mode, packets_per_second: int, seconds: float) -> dict[str, float]:
    """Percentiles of a NAT, open loop."""
    warm_up = int(packets_per_second * SETTLE_S)
    count = warm_up + int(packets_per_second * seconds)
    samples = np.frombuffer(untouched_by_fork(4 * count), dtype=np.uint32)
    samples.fill(1)
    with rig_of(mode, "nat", _nat(), flows(FLOWS), samples=samples) as rig:
        rig.warm_up()
        rig.sink.discard_samples()
        rig.source.send(count, round(1e9 / packets_per_second))
        time.sleep(count / packets_per_second + 0.05)
        rig.wait_until_sent()
        taken = rig.sink.samples()
    return dict(percentiles_us(histogram_of(samples[warm_up:taken])))


def shared_state(mode: Mode, workers: int, packets: int) -> dict[str, float]:
    """Of a monitor whose workers write shared tables on every packet: rate, cycles, what is
    logged beyond the packets. Not with checkpoints, which log nothing."""
    with rig_of(
        mode,
        "monitor",
        MONITOR,
        flows(FLOWS),
        workers=workers,
        input_mib=32,
        idle="sleep",
        has_packet_thread=False,
    ) as rig:
        in_turns(rig, packets)
        before = bytes_of_logs(rig)
        found = in_turns(rig, packets)
        after = bytes_of_logs(rig)
        rig.check()
    change = {key: after[key] - before[key] for key in before}
    beyond = change["input"] + change["output"] + change["access"] - 2 * change["packet_bytes"]
    return {
        "mpps": found["mpps"],
        "cycles": found["loggers"] + found["master"] + found["standby"],
        "pals_per_packet": found["pals_per_packet"],
        "log_bytes_per_packet": beyond / change["packets"],
    }
