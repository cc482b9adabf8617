# SPDX-License-Identifier: BSD-3-Clause
"""What pytest finds by itself where ftmb is installed: the fixture `make_box`.

It is loaded with every run of pytest, so it imports the box only for who asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ftmb.testing.box import Box


@pytest.fixture(params=[False, True], ids=["plain", "failing over"])
def make_box(request: pytest.FixtureRequest) -> Iterator[Callable[..., Box]]:
    """Makes boxes that are closed at the end of the test; the arguments are Box's. Every test runs
    twice: plainly, and with a failover before every run."""
    from ftmb.testing.box import Box

    with ExitStack() as stack:

        def make(*arguments: Any, **options: Any) -> Box:
            options.setdefault("fails_over", request.param)
            return stack.enter_context(Box(*arguments, **options))

        yield make
