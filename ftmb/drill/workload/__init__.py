# SPDX-License-Identifier: BSD-3-Clause
"""The real programs of a drill, each started and stopped in the lab, and what they measured."""

from ftmb.drill.workload.traffic import Figures, Traffic

__all__ = ["Figures", "Traffic"]
