# SPDX-License-Identifier: BSD-3-Clause
"""For tests of elements, inside the project's tree and outside it.

`Box` is a protected box in the test's own process. Where ftmb is installed, pytest has the fixture
`make_box`, by which every test runs plainly and with a failover before every run.
"""

from ftmb.testing.box import TICK_NS, Box

__all__ = ["TICK_NS", "Box"]
