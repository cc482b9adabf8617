# SPDX-License-Identifier: BSD-3-Clause
"""Started in the background, tests would hand an ignored SIGINT on to what they interrupt."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
