# SPDX-License-Identifier: BSD-3-Clause
"""A real box to be attacked: the fixtures of tests/processes."""

from tests.processes.conftest import box, configuration, lab

__all__ = ["box", "configuration", "lab"]
