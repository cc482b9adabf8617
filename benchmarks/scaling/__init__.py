# SPDX-License-Identifier: BSD-3-Clause
"""1 to N workers wherever this is started, and a model of what more of them would do.

points.py measures, model.py fits costs to what was measured and predicts with them.
"""

from __future__ import annotations

from typing import Any

from benchmarks.scaling.model import fitted_and_predicted
from benchmarks.scaling.points import measure_points


def measure(rounds: int, *, threads_max: int | None = None, quick: bool = False) -> dict[str, Any]:
    """Points, the model fitted to them, and predictions."""
    points = measure_points(rounds, threads_max=threads_max, quick=quick)
    return {
        "points": points,
        **fitted_and_predicted(points),
        "command": f"python -m benchmarks.scaling --rounds {rounds}",
    }
