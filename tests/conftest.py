# SPDX-License-Identifier: BSD-3-Clause
"""What every test leaves as it found it: how signals are taken, and how much of the machine this
process gets."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

# Started in the background, tests would hand an ignored SIGINT on to what they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def keeps_its_priority() -> Iterator[None]:
    """A test that plays a replica may be told to come last, and so would all tests after it."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
