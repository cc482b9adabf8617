# SPDX-License-Identifier: BSD-3-Clause
"""What is told of a process that does not end."""

from __future__ import annotations

import os
import subprocess
import threading
import time

from ftmb.drill.failures import threads_of


def test_every_thread_is_told_with_what_it_waits_for() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        deadline = time.monotonic() + 10
        while "nanosleep" not in (told := threads_of(sleeper.pid)):
            assert time.monotonic() < deadline, told
            time.sleep(0.01)
        assert told.startswith("sleep S")
    finally:
        sleeper.kill()
        sleeper.wait()
    assert threads_of(sleeper.pid) == "it has no threads any more"


def test_all_threads_of_one() -> None:
    event = threading.Event()
    other = threading.Thread(target=event.wait)
    other.start()
    told = threads_of(os.getpid())
    event.set()
    other.join()
    assert told.count(", ") >= 1
