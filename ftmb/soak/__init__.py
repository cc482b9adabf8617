# SPDX-License-Identifier: BSD-3-Clause
"""The soak: a real box under real traffic, failed at random for as long as one likes.

Beside what the drill counts it looks for what only time shows: memory, descriptors, mappings, huge
pages or logs that grow from failure to failure.

- ``growth``   what is measured while the box is whole, and when it counts as grown
- ``run``      the soak itself
- ``report``   report.json, report.png and what is told at the end
"""
