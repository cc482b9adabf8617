# SPDX-License-Identifier: BSD-3-Clause
"""`make_box`: every test of an element runs plainly and with a failover before every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.elements.harness import Box


@pytest.fixture(params=[False, True], ids=["plain", "failing over"])
def make_box(request: pytest.FixtureRequest) -> Iterator[Callable[..., Box]]:
    """Makes boxes that are closed at the end of the test; the arguments are Box's."""
    with ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> Box:
            options.setdefault("fails_over", request.param)
            return stack.enter_context(Box(*arguments, **options))

        yield make
