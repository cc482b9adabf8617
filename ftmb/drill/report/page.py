# SPDX-License-Identifier: BSD-3-Clause
"""The report as one self-contained page."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path

from ftmb.drill.report.table import rows
from ftmb.drill.workload.part import Report, Section

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #212f3c; max-width: 1200px; margin: 2em auto;
       padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .25em 1em .25em 0; border-bottom: 1px solid #d5d8dc; text-align: left; }
td + td, th + th { text-align: right; }
.good { color: #1e8449; font-weight: bold; } .bad { color: #c0392b; font-weight: bold; }
img { max-width: 100%; } pre { background: #f4f6f7; padding: 1em; overflow: auto; font-size: 12px; }
"""


def page_of(report: Report, sections: Sequence[Section], picture: Path) -> str:
    image = base64.b64encode(picture.read_bytes()).decode()
    data = html.escape(json.dumps(report, indent=2))
    return f"""<!DOCTYPE html>
<!-- SPDX-License-Identifier: BSD-3-Clause -->
<html lang="en">
<head><meta charset="utf-8"><title>ftmb drill</title><style>{STYLE}</style></head>
<body>
<h1>Drill of {html.escape(report["pipeline"])}: {report["kills"]} failures under real traffic</h1>
{_verdict(report["broken_guarantees"])}
<p><img alt="throughput and stalls over time, failures marked"
src="data:image/png;base64,{image}"></p>
<p>Above, the bytes through the box; in the middle, the longest stall of any interactive
connection; below, a row for each connection, coloured by how long it was left without a reply
(a line is sent every 50 ms). Dashed lines are failures of the master.</p>
{_table(report, sections)}
{_failures(report)}
<details><summary>report.json</summary><pre>{data}</pre></details>
</body>
</html>
"""


def _verdict(broken: list[str]) -> str:
    if not broken:
        return '<p class="good">Every guarantee was kept.</p>'
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in broken)
    return f'<p class="bad">Guarantees were broken:</p><ul>{lines}</ul>'


def _table(report: Report, sections: Sequence[Section]) -> str:
    body = []
    for label, protected, unprotected, must_be_zero in rows(report, sections):
        style = ""
        if must_be_zero:
            style = f' class="{"good" if protected == "0" else "bad"}"'
        cells = f"<td>{html.escape(label)}</td><td{style}>{protected}</td><td>{unprotected}</td>"
        body.append(f"<tr>{cells}</tr>")
    head = "<tr><th></th><th>protected</th><th>unprotected</th></tr>"
    return f"<table>{head}{''.join(body)}</table>"


def _failures(report: Report) -> str:
    columns = ("at_s", "kind", "cause", "detect_ms", "failover_ms", "protected_again_ms", "fenced")
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(failure[column])}</td>" for column in columns) + "</tr>"
        for failure in report["failures"]
    )
    return f"<h2>Failures of the protected run</h2><table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return html.escape(f"{value:.1f}" if isinstance(value, float) else str(value))
