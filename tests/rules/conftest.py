# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import pytest

from ftmb.rules.canonical import Context
from ftmb.rules.classification import usual
from ftmb.rules.head import DEFAULT_VARIABLES, Variables


@pytest.fixture(scope="session")
def context() -> Context:
    return Context(Variables(DEFAULT_VARIABLES), usual())
