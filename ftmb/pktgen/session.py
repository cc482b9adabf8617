# SPDX-License-Identifier: BSD-3-Clause
"""A generator with its ends open, for as many trials as wanted: a process of its own below."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from ftmb.errors import PktgenError
from ftmb.pktgen.order import Order
from ftmb.pktgen.result import Trial
from ftmb.pktgen.settings import Flows, Settings

CLOSE_PATIENCE_S = 10.0
Progress = Callable[[int, int, int], None]  # packets in all, sent, received


class Session:
    """A context manager; `settings` names both ends. Not for several threads, but for `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.devices: tuple[str, str] = ("", "")
        self.was_stopped = False

    def __enter__(self) -> Self:
        settings = self.settings
        if settings.transmit is None or settings.receive is None:
            raise PktgenError(
                "both ends are needed: --transmit NAMESPACE:INTERFACE and "
                "--receive NAMESPACE:INTERFACE, or tables [transmit] and [receive] in the script"
            )
        if os.geteuid() != 0:
            raise PktgenError("no privileges for ports and namespaces: run it as root (sudo ...)")
        with contextlib.ExitStack() as exits:
            self._start(exits)
            self.devices = self._ask(("open", settings.transmit, settings.receive, settings), None)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def _start(self, exits: contextlib.ExitStack) -> None:
        ours, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - kept while it runs
        exits.callback(self._output.close)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ftmb.pktgen.process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # numpy's threads would spin beside it
            start_new_session=True,
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        exits.callback(self._end)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.send(("stop",))
            self._connection.send(("close",))
        try:
            self.process.wait(CLOSE_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._connection.close()

    def trial(
        self,
        rate_pps: float,
        *,
        seconds: float | None = None,
        flows: Flows | None = None,
        each_flow_once: bool = False,
        progress: Progress | None = None,
    ) -> Trial:
        """One run; what is left out is as the settings have it. Ctrl-C ends it early, and the
        trial says that it was interrupted."""
        settings = self.settings
        order = Order(
            rate_pps=rate_pps,
            seconds=settings.seconds if seconds is None else seconds,
            flows=flows or settings.flows,
            frames=settings.frames,
            reply=settings.reply,
            idle=settings.idle,
            drain_ms=settings.drain_ms,
            per_flow=settings.per_flow,
            each_flow_once=each_flow_once,
            replay=settings.replay,
        )
        trial: Trial = self._ask(("trial", order), progress)
        return trial

    def stop(self) -> None:
        """Ends the trial that is under way, from any thread; it is returned as it is."""
        self.was_stopped = True
        with contextlib.suppress(OSError):
            self._connection.send(("stop",))

    def _ask(self, message: Any, progress: Progress | None) -> Any:
        try:
            self._connection.send(message)
            while True:
                try:
                    kind, *answer = self._connection.recv()
                    if kind == "progress" and progress is not None:
                        progress(*answer)
                except KeyboardInterrupt:
                    self.stop()
                    continue
                if kind == "failed":
                    raise PktgenError(answer[0])
                if kind == "done":
                    return answer[0]
        except (EOFError, OSError):
            raise PktgenError(
                "the generator's process ended by itself: "
                f"{self._said() or f'status {self.process.wait()}'}"
            ) from None

    def _said(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), 2000, max(0, size - 2000)).decode(errors="replace")
