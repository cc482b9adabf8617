# SPDX-License-Identifier: BSD-3-Clause
"""The report's store: sections come one by one, and the page follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.document import filled
from benchmarks.report import store

LATENCY = {
    "unprotected": {"p50": 1.0, "p99": 2.0},
    "protected": {"p50": 1.5, "p99": 9.0},
    "added": {"p50": 0.5, "p99": 7.0},
    "packets_per_second": 1_000_000,
    "cdf": {"protected": [[1.0, 0.5], [2.0, 0.99], [9.0, 1.0]]},
}


def row(rate: float) -> dict[str, Any]:
    return {
        "protected_mpps": rate,
        "unprotected_mpps": 20.0,
        "ratio": rate / 20,
        "protected_ns_per_packet": 1000 / rate,
        "protected_spread": [rate - 1, rate + 1],
        "unprotected_spread": [19.0, 21.0],
        "command": "again",
    }


def test_a_section_is_added_and_the_others_stay(tmp_path: Path) -> None:
    store.update({"throughput": {"nat": {"10000": row(18.0)}}}, tmp_path)
    first = store.load(tmp_path)["measured"]["throughput"]
    store.update({"latency_us": LATENCY}, tmp_path)
    report = store.load(tmp_path)
    assert report["throughput"]["nat"]["10000"]["protected_mpps"] == 18.0
    assert report["latency_us"]["added"]["p99"] == 7.0
    assert report["measured"]["throughput"] == first
    assert set(report["measured"]["latency_us"]) == {"at", "revision"}


def test_a_row_replaces_its_own_alone(tmp_path: Path) -> None:
    rows = {"nat": {"10000": {**row(18.0), "stale": 1}, "1000": row(19.0)}}
    store.update({"throughput": {**rows, "forward": {"10000": row(90.0)}}}, tmp_path, draws=False)
    store.update({"throughput": {"nat": {"10000": row(17.0)}}}, tmp_path, draws=False)
    throughput = store.load(tmp_path)["throughput"]
    assert throughput["nat"]["10000"] == row(17.0)  # whole: nothing of the old row stays
    assert throughput["nat"]["1000"] == row(19.0)
    assert throughput["forward"]["10000"] == row(90.0)


def test_a_section_that_is_measured_whole_is_replaced_whole(tmp_path: Path) -> None:
    store.update({"latency_us": LATENCY}, tmp_path, draws=False)
    store.update({"latency_us": {"protected": {"p50": 1.0}}}, tmp_path, draws=False)
    assert store.load(tmp_path)["latency_us"] == {"protected": {"p50": 1.0}}


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    sections = {
        "throughput": {"nat": {"10000": row(18.0), "1000": row(19.0)}},
        "latency_us": LATENCY,
        "something_new": {"inner": {"figure": 12345}, "text": "<b>"},
    }
    store.update(sections, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count('src="data:image/png;base64,') == page.count("<img") == 3
    assert not [part for part in page.split('"') if part.startswith(("http", "//", "file"))]
    assert "inner / figure" in page and "12,345" in page  # an unknown section, as it is
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "Targets" in page and "python -m benchmarks throughput" in page


def test_what_was_written_by_halves_is_never_read(tmp_path: Path) -> None:
    store.update({"a": {"b": 1}}, tmp_path, draws=False)
    assert json.loads((tmp_path / "report.json").read_text())["a"] == {"b": 1}
    assert not list(tmp_path.glob("*.partial"))


def test_the_document_takes_its_figures_from_the_report(tmp_path: Path) -> None:
    store.update({"throughput": {"nat": {"10000": row(18.25)}}}, tmp_path, draws=False)
    marked = "<!-- figures: {} -->\nold\n<!-- end -->\n"
    text = "a\n" + marked.format("throughput") + "b\n" + marked.format("peers")
    document = filled(text, store.load(tmp_path))
    assert "18.25 (17.25 to 19.25)" in document and "old" not in document
    assert document.startswith("a\n") and "\nb\n" in document
    assert "Not measured yet" in document.split("figures: peers")[1]
    assert filled(document, store.load(tmp_path)) == document
