# SPDX-License-Identifier: BSD-3-Clause
"""The orchestrator: `python -m ftmb.orchestrator.daemon FOLDER REPORT_DESCRIPTOR`.

It starts the logger process, brings replicas whenever the logger process asks for them, and
cleans up at the end. It is not on the way of a failover: while it is gone, the box only stays
without a new standby. The first line it writes to the report descriptor is "ready", or what went
wrong.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ftmb.orchestrator.folder import LOG_NAME, SOCKET_NAME, take_lock
from ftmb.processes.journal import note
from ftmb.processes.messages import Channel, HungUp, Message
from ftmb.processes.priority import REPLICA_NICE, come_first

CONNECT_PATIENCE_S = 20.0
START_PATIENCE_S = 30.0
END_PATIENCE_S = 3.0
EXIT_FAILED = 1
SHORT_LIFE_S = 1.0  # a replica that could not even start is replaced only after a while
PAUSE_AFTER_SHORT_LIFE_S = 0.5


class Failed(Exception):
    """The box does not come up, or cannot go on; the message is for the user."""


class Orchestrator:
    """One box's processes."""

    def __init__(self, folder: Path, report: int) -> None:
        self.folder = folder
        self.report_descriptor: int | None = report
        self.configuration: dict[str, Any] = json.loads((folder / "box.json").read_text())
        self.logger: subprocess.Popen[bytes] | None = None
        self.channel: Channel | None = None
        self.replicas: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.must_stop = False
        self.spawn_after = 0.0
        self.to_spawn = 0
        self.is_ready = False

    def report(self, line: str) -> None:
        """To whoever started the box; once."""
        if self.report_descriptor is not None:
            os.write(self.report_descriptor, line.replace("\n", " ").encode() + b"\n")
            os.close(self.report_descriptor)
            self.report_descriptor = None

    def run(self) -> None:
        """The box's whole life."""
        try:
            self.logger = self._python("ftmb.processes.logger", str(self.folder))
            self.channel = self._connect()
            self.channel.send({"kind": "orchestrate"})
            self._start_metrics()
            self._serve()
        finally:
            self._end()

    @staticmethod
    def _python(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _connect(self) -> Channel:
        assert self.logger is not None
        deadline = time.monotonic() + CONNECT_PATIENCE_S
        while not self.must_stop:
            if self.logger.poll() is not None:
                raise Failed(self._last_error() or "the logger process ended while starting")
            try:
                return Channel.connect(self.folder / SOCKET_NAME)
            except OSError:
                if time.monotonic() > deadline:
                    raise Failed("the logger process does not answer") from None
                time.sleep(0.01)
        raise Failed("interrupted")

    def _last_error(self) -> str | None:
        """The newest error in the structured log."""
        found = None
        for line in (self.folder / LOG_NAME).read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("severity") == "error":
                found = str(entry.get("reason", entry.get("event")))
        return found

    def _start_metrics(self) -> None:
        metrics = self.configuration["metrics"]
        if metrics["port"] == 0:
            return
        from ftmb.orchestrator.metrics import serve

        try:
            serve(self.configuration["name"], metrics["address"], metrics["port"])
        except OSError as error:
            raise Failed(
                f"metrics cannot be served at {metrics['address']}:{metrics['port']}: "
                f"{error.strerror}. Choose another metrics.port, or 0 for none"
            ) from error

    def _serve(self) -> None:
        assert self.channel is not None and self.logger is not None
        deadline = time.monotonic() + START_PATIENCE_S
        while not self.must_stop:
            readable, _, _ = select.select([self.channel], [], [], 0.02 if self.to_spawn else 0.1)
            if readable:
                try:
                    message, _ = self.channel.receive()
                except HungUp:
                    break
                self._handle(message)
            self._spawn()
            self._reap()
            if not self.is_ready:
                self._check_ready()
                if time.monotonic() > deadline:
                    raise Failed(f"not protected within {START_PATIENCE_S:.0f} s: see the log")
        if not self.must_stop and self.logger.wait(END_PATIENCE_S) != 0:
            note("logger process died", severity="error", effect="the box is down")
            raise Failed("the logger process died: the box is down")

    def _handle(self, message: Message) -> None:
        match message["kind"]:
            case "spawn":
                self.to_spawn += int(message["count"])
            case "replica failed" if not self.is_ready:
                raise Failed(str(message["reason"]))
            case "kill" if message["pid"] in self.replicas:
                os.kill(message["pid"], signal.SIGKILL)

    def _spawn(self) -> None:
        while self.to_spawn > 0 and time.monotonic() >= self.spawn_after:
            replica = self._python("ftmb.processes.replica", str(self.folder / SOCKET_NAME))
            self.replicas[replica.pid] = (replica, time.monotonic())
            self.to_spawn -= 1

    def _reap(self) -> None:
        for pid, (replica, since) in list(self.replicas.items()):
            if replica.poll() is None:
                continue
            del self.replicas[pid]
            note("replica ended", replica=pid, status=replica.returncode)
            if replica.returncode == EXIT_FAILED and time.monotonic() - since < SHORT_LIFE_S:
                self.spawn_after = time.monotonic() + PAUSE_AFTER_SHORT_LIFE_S

    def _check_ready(self) -> None:
        from ftmb.orchestrator import status

        state = status(self.configuration["name"])["state"]
        wanted = "protected" if self.configuration["protection"] == "standby" else "unprotected"
        if state == wanted:
            self.is_ready = True
            self.report("ready")

    def _end(self) -> None:
        """Everything goes, also what is stopped or hung."""
        if self.channel is not None:
            self.channel.close()
        if self.logger is not None:
            self.logger.terminate()
            self._wait_or_kill(self.logger, END_PATIENCE_S)
        for replica, _ in self.replicas.values():
            self._wait_or_kill(replica, 0.5)
        for name in ("box.json", SOCKET_NAME):
            (self.folder / name).unlink(missing_ok=True)

    @staticmethod
    def _wait_or_kill(process: subprocess.Popen[bytes], patience: float) -> None:
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main(arguments: list[str]) -> int:
    """The process's whole life; the exit status."""
    come_first(REPLICA_NICE)
    folder, report = Path(arguments[0]), int(arguments[1])
    lock = take_lock(folder)
    orchestrator = Orchestrator(folder, report)
    if lock is None:
        orchestrator.report("this box is running already")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(orchestrator, "must_stop", True))
    try:
        orchestrator.run()
    except Failed as error:
        orchestrator.report(str(error))
        return 1
    finally:
        # The log stays for whoever looks for the reason, unless all went well.
        ended_well = sys.exc_info()[0] is None and orchestrator.must_stop
        for entry in folder.iterdir():
            if ended_well or entry.name != LOG_NAME:
                entry.unlink(missing_ok=True)
        if ended_well:
            folder.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
