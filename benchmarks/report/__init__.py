# SPDX-License-Identifier: BSD-3-Clause
"""The report: report.json, and the page, tables and pictures that are drawn from it."""
