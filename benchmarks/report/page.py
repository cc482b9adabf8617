# SPDX-License-Identifier: BSD-3-Clause
"""The report as one page that needs nothing beside it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment

from benchmarks.report import pictures
from benchmarks.report.sections import sections_of
from ftmb.drill.report.page import STYLE

TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    (Path(__file__).parent / "page.html").read_text()
)


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def draw(report: dict[str, Any], folder: Path) -> str:
    """The page's text; the pictures are drawn into the folder, too."""
    drawn = {
        name: [(words, _embedded(path)) for words, path in found]
        for name, found in pictures.draw(report, folder).items()
    }
    return TEMPLATE.render(
        style=STYLE,
        heads=(("The machine", "machine"), ("Settings", "settings")),
        report=report,
        measured=report.get("measured", {}),
        sections=sections_of(report),
        pictures=drawn,
    )
