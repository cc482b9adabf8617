# SPDX-License-Identifier: BSD-3-Clause
"""Bytes of log for a packet, by part, beyond the packet's own bytes.

Read from the logs themselves: the replicas are held while the logs fill, so what is in them is what
so many packets took. In full bursts; and, from counters, at a load at which bursts are short.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Any

from benchmarks.latency import half_load
from benchmarks.rig import Rig
from benchmarks.shared import MONITOR, in_turns, rig_in_turns
from benchmarks.throughput import options_of
from benchmarks.traffic import flows
from ftmb._native.logger import PAL_SIZE

FLOWS = 10_000
WRITTEN_OFFSET = 64  # of a ring's header: bytes published since the start
DEPENDENCY_BYTES = 16
PORTION = 60_000
DIGITS = 3


def written(descriptor: int) -> int:
    """Bytes that were ever published in a log."""
    with mmap.mmap(os.dup(descriptor), 4096, prot=mmap.PROT_READ) as header:
        position: int = struct.unpack_from("<Q", header, WRITTEN_OFFSET)[0]
        return position


def bytes_of_logs(rig: Rig) -> dict[str, int]:
    workers = rig.workers
    descriptors = rig.logger.descriptors()
    return {
        "input": sum(map(written, descriptors[1 : 1 + workers])),
        "access": sum(map(written, descriptors[1 + workers :])),
        "output": sum(map(written, rig.master_peer.output_descriptors)),
        "records": rig.sum_of("master", "bursts"),
        "pals": rig.sum_of("master", "pals"),
        "dependencies": rig.logger.counts()["dependencies"],
        "packets": rig.logger.port_counts("inside")["received"],
        "packet_bytes": rig.logger.port_counts("inside")["received_bytes"],
    }


def parts_of(change: dict[str, int]) -> dict[str, float]:
    """Bytes for a packet: framing of each log, and what the protocol adds to them."""
    packets = change["packets"]
    pals = change["pals"] * PAL_SIZE
    dependencies = change["dependencies"] * DEPENDENCY_BYTES
    parts = {
        "input_framing": change["input"] - change["packet_bytes"],
        "output_framing": change["output"] - change["packet_bytes"] - pals - dependencies,
        "dependencies": dependencies,
        "pals": pals,
        "access_records": change["access"] - pals,
        "access_pals": pals,
    }
    found = {name: round(value / packets, DIGITS) for name, value in parts.items()}
    kept = found["access_records"] + found["access_pals"]
    return {
        **found,
        "protocol": round(found["dependencies"] + found["pals"] + kept, DIGITS),
        "kept_for_standby": round(kept, DIGITS),
        "pals_per_packet": round(change["pals"] / packets, 4),
        "packets_per_record": round(packets / max(1, change["records"]), 2),
    }


def in_full_bursts(element: str, packets: int = PORTION) -> dict[str, float]:
    """One worker."""
    options = options_of(element, FLOWS)
    with Rig(element, options, flows(FLOWS), protected=True, idle="sleep") as rig:
        rig.warm_up(packets)
        before = bytes_of_logs(rig)
        rig.master.hold()
        rig.source.send(packets)
        rig.wait_until_logged()
        rig.master.release()
        rig.wait_until_sent()
        after = bytes_of_logs(rig)
        rig.check()
    return parts_of({key: after[key] - before[key] for key in before})


def at_rate(element: str, rate: int, seconds: float) -> dict[str, float]:
    """One worker that takes packets as they come."""
    options = options_of(element, FLOWS)
    with Rig(element, options, flows(FLOWS), protected=True) as rig:
        rig.warm_up()
        before = bytes_of_logs(rig)
        rig.source.send(int(rate * seconds), round(1e9 / rate))
        rig.wait_until_sent()
        after = bytes_of_logs(rig)
    return parts_of({key: after[key] - before[key] for key in before})


def of_two_workers(packets: int = PORTION) -> dict[str, float]:
    """A monitor whose workers take shared variables from one another."""
    with rig_in_turns(MONITOR, flows(FLOWS), 2, protected=True) as rig:
        in_turns(rig, packets)
        before = bytes_of_logs(rig)
        in_turns(rig, packets)
        after = bytes_of_logs(rig)
        rig.check()
    return parts_of({key: after[key] - before[key] for key in before})


def measure(
    rate: int | None = None, packets: int = PORTION, seconds: float = 0.5
) -> dict[str, Any]:
    """By element and by how full the bursts are; `rate` None: half of what the NAT carries."""
    rate = rate or half_load(1)
    found: dict[str, Any] = {
        f"{element}, full bursts": in_full_bursts(element, packets)
        for element in ("forward", "monitor", "nat")
    }
    found["nat, half load"] = at_rate("nat", rate, seconds)
    found["monitor, 2 workers"] = of_two_workers(packets)
    return {
        "by_element": found,
        "packets_per_second": rate,
        "command": f"python -m benchmarks log-bytes --rate {rate}",
    }
