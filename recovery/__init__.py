# SPDX-License-Identifier: BSD-3-Clause
"""Recovery: noticing that a process failed, and what follows from it.

`detection` notices, `plan` decides (a pure function of what is observed), `protection` carries
the decision out in the logger process. Nothing here waits for the orchestrator.
"""
