# SPDX-License-Identifier: BSD-3-Clause
"""Programs that run inside the hosts of the lab, each for one purpose.

Each prints `ready` once it serves, ends on SIGTERM and then writes what it recorded:
NAME.json for figures and NAME.<column> for long columns of numbers. They use the
standard library alone, so that they start quickly.
"""
