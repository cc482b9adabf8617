# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import pytest
from hypothesis import settings

from ftmb.rules.canonical import Context
from ftmb.rules.classification import usual
from ftmb.rules.head import DEFAULT_VARIABLES, Variables

settings.register_profile("rules", deadline=None)  # nothing here is about time
settings.load_profile("rules")


@pytest.fixture(scope="session")
def context() -> Context:
    return Context(Variables(DEFAULT_VARIABLES), usual())
