# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks.scaling`: the same as `python -m benchmarks scaling`."""

from benchmarks.command_line import scaling

scaling(prog_name="python -m benchmarks.scaling")
