# SPDX-License-Identifier: BSD-3-Clause
"""Prometheus metrics of the elements, from the tables in which they say what is one.

They come from copies of the standby's state, so the master has no part in it. A copy costs the
standby a fork: however often somebody scrapes, one is made every `seconds` at most. Without a
standby the last one stands; ftmb_state_age_seconds tells how old it is.

How many time series there are is bounded by the configuration: a table has few rows, or gives those
with the most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ftmb.errors import NotRunningError

if TYPE_CHECKING:
    from ftmb._native.tables import Table

LABELS = ("label", "top")
TOP_ROWS = 32  # somebody may pay for each
ELEMENT = "element"  # the label that tells elements of one kind apart
KINDS: dict[str, type[CounterMetricFamily] | type[GaugeMetricFamily]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}


def has_metrics(configuration: dict[str, Any]) -> bool:
    """Whether any element of a box has a table with one."""
    from ftmb._native.tables import tables_of

    return any(
        field.metric is not None
        for stage in configuration["pipeline"]
        for table in tables_of(stage["element"])
        for field in table.fields
    )


def table_metrics(kind: str, name: str, table: Table, rows: Any) -> list[Metric]:
    """Of the rows of an element of this kind and name: rows with the same labels are added up."""
    from ftmb.state.frames import frame_of

    labels = [field.name for field in table.fields if field.metric in LABELS]
    numbers = [field for field in table.fields if field.metric in KINDS]
    if not numbers or not len(rows):
        return []
    frame = frame_of(table, rows, 0).select(*labels, *(field.name for field in numbers))
    frame = frame.group_by(labels).sum() if labels else frame.sum()
    frame = frame.sort(numbers[0].name, *labels, descending=[True, *(False for _ in labels)])
    is_top = any(field.metric == "top" for field in table.fields)
    shown = frame.head(TOP_ROWS) if is_top else frame
    families: list[Metric] = []
    for field in numbers:
        assert field.metric is not None
        called = f"ftmb_{kind}_{table.name}_{field.name}"
        family = KINDS[field.metric](called, field.help, labels=[ELEMENT, *labels])
        for row in shown.iter_rows(named=True):
            family.add_metric(
                [name, *(str(row[label]) for label in labels)], float(row[field.name])
            )
        families.append(family)
    return families


def state_metrics(box: str) -> list[Metric]:
    """Of all elements of a running box, from a copy that its standby makes now."""
    import ftmb.state

    families: dict[str, Metric] = {}
    with ftmb.state.read(box) as state:
        for place in state.tables():
            if all(field.metric is None for field in place.table.fields):
                continue
            rows = state.array(place.element, place.table.name)
            for family in table_metrics(place.kind, place.element, place.table, rows):
                known = families.setdefault(family.name, family)
                if known is not family:
                    known.samples += family.samples
    return list(families.values())


class ElementCollector(Collector):
    """Any thread may collect; one at a time asks for a copy."""

    def __init__(self, box: str, seconds: float) -> None:
        self.box = box
        self.seconds = seconds
        self._lock = threading.Lock()
        self._families: list[Metric] = []
        self._read_at: float | None = None
        self._tried_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            now = time.monotonic()
            if now - self._tried_at >= self.seconds:
                self._tried_at = now
                try:
                    self._families = state_metrics(self.box)
                    self._read_at = now
                except NotRunningError:
                    pass  # no standby at the moment: the age tells
            families, read_at = self._families, self._read_at
        if read_at is not None:
            yield GaugeMetricFamily(
                "ftmb_state_age_seconds",
                "how old the copy of the standby's state is that the elements' metrics are of",
                value=time.monotonic() - read_at,
            )
        yield from families
