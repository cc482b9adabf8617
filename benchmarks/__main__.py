# SPDX-License-Identifier: BSD-3-Clause
"""`python -m benchmarks`."""

from benchmarks.command_line import main

main(prog_name="python -m benchmarks")
