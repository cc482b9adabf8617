# SPDX-License-Identifier: BSD-3-Clause
"""The core under the address, undefined-behaviour and thread sanitizers; see sanitized.py."""

from __future__ import annotations

import shutil

import pytest

from tests.sanitize.sanitized import ROOT, TESTS, run

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler"),
    pytest.mark.timeout(900),
]
PROBES = {"thread": "data race", "address": "heap-buffer-overflow"}


@pytest.mark.parametrize("kind", TESTS)
def test_nothing_is_found(kind: str) -> None:
    status, said = run(kind, TESTS[kind])
    assert status == 0, said[-8000:]
    assert " passed" in said


@pytest.mark.parametrize("kind", TESTS)
def test_it_would_be_found(kind: str) -> None:
    """A test that breaks the rules on purpose: the sanitizer is there, and is listened to."""
    probe = ROOT / "tests/sanitize/probe.py"
    status, said = run(kind, [f"{probe}::test_{kind}"])
    assert status != 0
    assert PROBES[kind] in said, said[-8000:]
