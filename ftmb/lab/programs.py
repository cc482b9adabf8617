# SPDX-License-Identifier: BSD-3-Clause
"""Programs that run inside a host of the lab, in a process group of their own.

Their output is kept in a file, so that a program never blocks on a full pipe. A
program written for the drill prints a line beginning with `ready` once it serves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ftmb.errors import LabError

_ENTER = Path(__file__).with_name("enter.py")
_SYSTEM_PYTHON_FLAGS = ("-I", "-S")


class Program:
    """Borrows the namespace; the caller ends it by `stop` or `kill`."""

    def __init__(
        self,
        namespace: str,
        command: Sequence[str | os.PathLike[str]],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [os.fspath(word) for word in command]
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - kept while it runs
        enter = [sys.executable, *_SYSTEM_PYTHON_FLAGS, str(_ENTER), namespace, str(os.getpid())]
        self.process = subprocess.Popen(
            [*enter, *self.command],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )

    @property
    def name(self) -> str:
        return " ".join(self.command[:4])

    def running(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        descriptor = self._output.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def wait_ready(self, patience_s: float = 15.0, word: str = "ready") -> None:
        """Waits for a line that begins with `word`; raises LabError with what it said instead."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            output = self.output()
            if any(line.startswith(word) for line in output.splitlines()):
                return
            if not self.running():
                raise LabError(f"{self.name}: ended at its start: {output.strip()[-500:]}")
            time.sleep(0.02)
        raise LabError(f"{self.name}: not ready after {patience_s:.0f} s: {self.output()[-500:]}")

    def wait(self, patience_s: float) -> int:
        """Waits for its own end; raises LabError when it does not come."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name}: still running after {patience_s:.0f} s") from None

    def stop(self, patience_s: float = 10.0, by: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end and waits; kills what is left of its group. Returns its exit status."""
        if self.running():
            self.process.send_signal(by)
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """Ends it and its children at once; fine if they have ended."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
