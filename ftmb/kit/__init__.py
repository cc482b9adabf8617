# SPDX-License-Identifier: BSD-3-Clause
"""For who writes elements: a working one to begin with, headers to build against, and a lint."""

from __future__ import annotations

from pathlib import Path

import ftmb._native

HEADERS = Path(ftmb._native.__file__).parent / "include"
"""The folder that an element's source is compiled with."""
