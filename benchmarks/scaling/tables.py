# SPDX-License-Identifier: BSD-3-Clause
"""The scaling section as tables."""

from __future__ import annotations

from typing import Any

from benchmarks.report.table import Table


def tables(section: dict[str, Any]) -> list[Table]:
    """Measured with threads, measured stepped, prices, predictions."""
    found = [_threaded(section), _stepped(section)]
    return [*found, _prices(section["model"]), _predictions(section)]


def _pairs(section: dict[str, Any], kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    sides: dict[bool, dict[tuple[int, int], dict[str, Any]]] = {True: {}, False: {}}
    for point in section["points"]:
        if point["kind"] == kind:
            sides[point["protected"]][point["workers"], point["share"]] = point
    return [(sides[True][key], sides[False][key]) for key in sorted(sides[True])]


def _threaded(section: dict[str, Any]) -> Table:
    table = Table("Measured, a core for each worker",
                  ("workers", "% of flows in shared tables", "protected Mpps", "unprotected Mpps",
                   "ratio", "PALs a packet"),
                  command=section["command"])  # fmt: skip
    for a, b in _pairs(section, "threaded"):
        table.add(a["workers"], a["share"], a["mpps"], b["mpps"], a["mpps"] / b["mpps"], a["pals"])
    return table


def _stepped(section: dict[str, Any]) -> Table:
    table = Table("Measured, workers in turn on one core: cycles a packet",
                  ("workers", "% of flows in shared tables", "master", "unprotected", "loggers",
                   "unprotected", "standby", "PALs a packet"),
                  note="no line moves between cores here; rings and tables of many workers do "
                  "share one core's caches", command=section["command"])  # fmt: skip
    for a, b in _pairs(section, "stepped"):
        table.add(a["workers"], a["share"], a["master"], b["master"], a["loggers"], b["loggers"],
                  a["standby"], a["pals"])  # fmt: skip
    return table


def _prices(model: dict[str, Any]) -> Table:
    table = Table("Fitted costs, cycles",
                  ("role", "what", "cycles", "error on the points: median", "largest", "points"),
                  note=f"at {model['cycles_per_us']:,.0f} cycles a microsecond")  # fmt: skip
    for role, prices in model["cycles"].items():
        errors = model["errors"][role]
        for index, (name, price) in enumerate(prices.items()):
            told = (f"{errors['median']:.1%}", f"{errors['largest']:.1%}", errors["points"])
            table.add(role, name.replace("_", " "), price, *(told if index == 0 else ("", "", "")))
    return table


def _predictions(section: dict[str, Any]) -> Table:
    table = Table("Predicted, a core for each worker",
                  ("workers", "% of flows in shared tables", "protected Mpps", "unprotected Mpps",
                   "ratio", "one packet thread carries, Mpps"),
                  note="bands: a shared variable changes hands at every access that it can, or "
                  "once a burst; one packet thread is the limit of this design")  # fmt: skip
    for row in section["predictions"]:
        bands = [
            " to ".join(f"{value:,.1f}" for value in dict.fromkeys(row[f"{side}_mpps"]))
            for side in ("protected", "unprotected")
        ]
        ratio = " to ".join(f"{value:.2f}" for value in dict.fromkeys(row["ratio"]))
        table.add(row["workers"], row["share"], *bands, ratio, row["protected_packet_thread_mpps"])
    return table
