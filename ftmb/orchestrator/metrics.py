# SPDX-License-Identifier: BSD-3-Clause
"""Prometheus metrics: the status, seen anew at each scrape, labelled by the process it is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ftmb.errors import NotRunningError
from ftmb.orchestrator.element_metrics import ElementCollector, has_metrics


class BoxCollector(Collector):
    """Asks the box when Prometheus does; ftmb_up says whether it answered."""

    def __init__(self, name: str) -> None:
        self.name = name

    def collect(self) -> Iterator[Metric]:
        from ftmb.orchestrator import status

        try:
            found = status(self.name)
        except NotRunningError:
            yield _gauge("ftmb_up", "whether the box answers", 0)
            return
        yield _gauge("ftmb_up", "whether the box answers", 1)
        yield from _of_protection(found)
        yield from _of_ports(found)
        yield from _of_logs(found)
        yield from _of_workers(found)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(name, help_text, value=value)


def _labelled(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
    name: str,
    help_text: str,
    labels: list[str],
    rows: list[tuple[list[str], float]],
) -> Metric:
    family = kind(name, help_text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def _of_protection(found: dict[str, Any]) -> Iterator[Metric]:
    yield _gauge("ftmb_protected", "a standby could take over", found["state"] == "protected")
    yield _gauge("ftmb_epoch", "the present master's epoch", found["epoch"])
    yield _counter("ftmb_failovers", "masters that failed", found["failover_count"])
    yield _counter("ftmb_state_losses", "failures without a standby", found["state_losses"])
    yield _counter("ftmb_fenced", "masters that found themselves fenced", found["fenced_count"])
    yield _counter("ftmb_digests_compared", "records replayed", found["digest"]["compared"])
    yield _counter(
        "ftmb_digests_mismatched", "records replayed differently", found["digest"]["mismatched"]
    )
    pauses = found["snapshot_pauses_ns"]
    last = pauses[-1] / 1e9 if pauses else 0.0
    yield _gauge("ftmb_snapshot_pause_seconds", "how long the last snapshot held workers", last)


def _of_ports(found: dict[str, Any]) -> Iterator[Metric]:
    ports = found["ports"].items()
    for key, help_text in (
        ("received", "frames received"),
        ("received_bytes", "bytes received"),
        ("sent", "frames sent"),
        ("sent_bytes", "bytes sent"),
        ("missed", "frames that the device had no room for"),
    ):
        rows = [([name], float(counts[key])) for name, counts in ports]
        yield _labelled(CounterMetricFamily, f"ftmb_port_{key}", help_text, ["port"], rows)
    drops = [([name, why], float(n)) for name, c in ports for why, n in c["drops"].items()]
    yield _labelled(
        CounterMetricFamily, "ftmb_port_drops", "frames dropped", ["port", "reason"], drops
    )
    inside = [
        ([where, why], float(n)) for where, r in found["drops"].items() for why, n in r.items()
    ]
    yield _labelled(
        CounterMetricFamily, "ftmb_drops", "packets dropped", ["where", "reason"], inside
    )


def _of_logs(found: dict[str, Any]) -> Iterator[Metric]:
    fills = [
        ([log, str(worker)], fill)
        for log, row in found["log_fill"].items()
        for worker, fill in enumerate(row)
    ]
    yield _labelled(
        GaugeMetricFamily, "ftmb_log_fill_ratio", "of its size", ["log", "worker"], fills
    )
    lag = [([str(worker)], float(records)) for worker, records in enumerate(found["cut_lag"])]
    yield _labelled(
        GaugeMetricFamily, "ftmb_cut_lag_records", "received, not committed", ["worker"], lag
    )
    for key, help_text in (
        ("records", "records received"),
        ("discarded", "records that were not in the cut of a failover"),
        (
            "slots_out_again",
            'packets of these that a port had taken already (release "none" alone)',
        ),
        ("pals", "hand-overs of shared variables logged"),
        ("access_waits", "commits put off since the standby lagged"),
    ):
        yield _counter(f"ftmb_log_{key}", help_text, found["logger"][key])
    rejected = [([why], float(n)) for why, n in found["logger"]["rejected"].items()]
    yield _labelled(
        CounterMetricFamily, "ftmb_records_rejected", "records refused", ["reason"], rejected
    )


def _of_workers(found: dict[str, Any]) -> Iterator[Metric]:
    for key, help_text in (
        ("packets", "input records consumed"),
        ("bursts", "records built"),
        ("busy_cycles", "cycles spent on bursts"),
    ):
        rows = [([str(worker)], float(c[key])) for worker, c in enumerate(found["workers"])]
        yield _labelled(CounterMetricFamily, f"ftmb_master_{key}", help_text, ["worker"], rows)


def serve(configuration: dict[str, Any]) -> None:
    """In a thread of its own, until the process ends. OSError when the port is taken."""
    name, metrics = configuration["name"], configuration["metrics"]
    registry = CollectorRegistry()
    registry.register(BoxCollector(name))
    if metrics["elements_s"] != 0 and has_metrics(configuration):
        registry.register(ElementCollector(name, metrics["elements_s"]))
    start_http_server(metrics["port"], addr=metrics["address"], registry=registry)
