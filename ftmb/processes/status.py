# SPDX-License-Identifier: BSD-3-Clause
"""What the logger process tells of the box: the one source of `ftmb status` and of metrics."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ftmb._native.logger import WORKER_DROPS
from ftmb.recovery.state import state_of

if TYPE_CHECKING:
    from ftmb.processes.logger import LoggerProcess
    from ftmb.recovery.replicas import ReplicaHandle


def _replica(replica: ReplicaHandle | None) -> dict[str, Any] | None:
    if replica is None:
        return None
    return {
        "pid": replica.pid,
        "epoch": replica.epoch,
        "stage": replica.stage.value,
        "crash_at": replica.armed,
    }


def _add(drops: dict[str, dict[str, int]], owner: str, reason: str, count: int) -> None:
    if count:
        reasons = drops.setdefault(owner, {})
        reasons[reason] = reasons.get(reason, 0) + count


def _drops(process: LoggerProcess, queues: list[dict[str, int]]) -> dict[str, dict[str, int]]:
    drops: dict[str, dict[str, int]] = {}
    for queue in queues:
        _add(drops, "input_log", "full", queue["dropped"])
    master = process.protection.master
    if master is None:
        return drops
    names = process.logger.pipeline.drop_names()
    for worker in range(len(queues)):
        counts = master.peer.worker_counts(worker)
        for stage, (element, reasons) in enumerate(names):
            for index, reason in enumerate(reasons):
                _add(drops, element, reason, counts["drops"][stage][index])
        for index, reason in enumerate(WORKER_DROPS):
            _add(drops, "worker", reason, counts["worker_drops"][index])
    return drops


def _workers(process: LoggerProcess) -> list[dict[str, int]]:
    """The master's workers."""
    master = process.protection.master
    if master is None:
        return []
    names = ("packets", "bursts", "busy_cycles", "pals", "output_waits")
    counts = [
        master.peer.worker_counts(worker) for worker in range(process.logger.settings.workers)
    ]
    return [{name: count[name] for name in names} for count in counts]


def status_of(process: LoggerProcess) -> dict[str, Any]:
    """Plain data; all times are nanoseconds of the monotonic clock."""
    logger, protection = process.logger, process.protection
    history, standby = protection.history, protection.standby
    queues = [logger.queue_counts(worker) for worker in range(logger.settings.workers)]
    counts = logger.counts()
    return {
        "name": process.configuration["name"],
        "state": state_of(protection),
        "protection": process.configuration["protection"],
        "notes": process.configuration.get("notes", []),
        "epoch": counts["epoch"],
        "processes": {
            "orchestrator": {"pid": process.orchestrator.pid},
            "logger": {"pid": os.getpid()},
            "master": _replica(protection.master),
            "standby": _replica(protection.standby),
        },
        "spares": [_replica(replica) for replica in protection.spares],
        "fenced": [_replica(replica) for replica in protection.fenced],
        "replicas_expected": len(process.orchestrator.spawning),
        "failovers": history.as_data(),
        "failover_count": history.failover_count,
        "state_losses": history.state_losses,
        "fenced_count": history.fenced_count,
        "snapshot_pauses_ns": history.snapshot_pauses_ns,
        "ports": {
            name: {**logger.port_counts(name), "device": port.device, "fault": port.fault()}
            for name, port in process.ports.items()
        },
        "drops": _drops(process, queues),
        "digest": history.digest_counts(standby.peer if standby else None),
        "cut": [queue["committed"] for queue in queues],
        "cut_lag": [queue["received"] - queue["committed"] for queue in queues],
        "cut_lag_max": counts["cut_lag_max"],
        "log_fill": {
            "input": [queue["input_fill"] / queue["input_size"] for queue in queues],
            "access": [queue["access_fill"] / queue["access_size"] for queue in queues],
        },
        "logger": {
            name: counts[name]
            for name in (
                "records",
                "discarded",
                "slots_out_again",
                "slots_out",
                "pals",
                "access_waits",
                "rejected",
            )
        },
        "workers": _workers(process),
        "idle": asdict(process.idle),
    }
