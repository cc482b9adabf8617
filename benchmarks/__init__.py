# SPDX-License-Identifier: BSD-3-Clause
"""Measurements, each with its baseline in the same run: `python -m benchmarks`."""
