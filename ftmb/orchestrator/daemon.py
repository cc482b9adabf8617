# SPDX-License-Identifier: BSD-3-Clause
"""The orchestrator: `python -m ftmb.orchestrator.daemon FOLDER REPORT_DESCRIPTOR LOCK_DESCRIPTOR`.

It starts the logger process, or with -1 in the place of the folder's lock attaches to the one
that runs; it brings replicas whenever the logger process asks for them, and cleans up at the end.
It is not on the way of a failover: while it is gone, the box only stays without a new standby.
The first line it writes to the report descriptor is "ready", or what went wrong.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ftmb.orchestrator import READY, members, status
from ftmb.orchestrator.crash_points import arm_from_environment, crash_point
from ftmb.orchestrator.folder import (
    CONFIGURATION_NAME,
    LOG_NAME,
    OLD_LOG_NAME,
    SOCKET_NAME,
    bound_log,
    lock_box,
    remove,
)
from ftmb.orchestrator.members import Member
from ftmb.priority import choose_idle, hurry
from ftmb.processes.journal import note
from ftmb.processes.messages import CREDENTIALS, Channel, HungUp, Message

CONNECT_PATIENCE_S = 20.0
START_PATIENCE_S = 30.0
END_PATIENCE_S = 3.0
REPLICA_END_PATIENCE_S = 0.5
EXIT_FAILED = 1
SHORT_LIFE_S = 1.0  # a replica that could not even start is replaced only after a while
PAUSE_AFTER_SHORT_LIFE_S = 0.5
RECOUNT_AFTER_S = 0.25  # by then the logger process has noticed that a replica ended
LOG_LOOK_S = 1.0


class Failed(Exception):
    """The box does not come up, or cannot go on; the message is for the user."""


class Orchestrator:
    """One box's processes. `lock`: the folder's, for the logger process to hold as well; None
    when the box runs and only has no orchestrator."""

    def __init__(self, folder: Path, report: int, lock: int | None) -> None:
        self.folder = folder
        self.report_descriptor: int | None = report
        self.lock = lock
        self.configuration: dict[str, Any] = json.loads((folder / CONFIGURATION_NAME).read_text())
        self.logger_child: subprocess.Popen[bytes] | None = None
        self.logger: Member | None = None
        self.channel: Channel | None = None
        self.replicas: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.must_stop = False
        self.has_ended = False
        self.spawn_after = 0.0
        self.recount_at: float | None = None
        self.log_look_at = 0.0
        self.to_spawn = 0
        self.is_awaited = False  # a replica, by a master without a standby
        self.idle = choose_idle(self.configuration).workers
        self.is_ready = False

    @property
    def attaches(self) -> bool:
        return self.lock is None

    def report(self, line: str) -> None:
        """To whoever started the box; once. Nobody may be there any more to hear it."""
        if self.report_descriptor is not None:
            try:
                os.write(self.report_descriptor, line.replace("\n", " ").encode() + b"\n")
            except OSError:
                pass
            os.close(self.report_descriptor)
            self.report_descriptor = None

    def run(self) -> None:
        """The box's whole life, or what is left of it."""
        try:
            if self.lock is not None:
                for remark in self.configuration.get("notes", ()):
                    note("configuration", remark=remark)
                crash_point("orchestrator-before-logger")
                self.logger_child = self._python(members.LOGGER, str(self.folder), lock=self.lock)
                self.logger = Member(self.logger_child.pid)
                crash_point("orchestrator-logger-started")
            self.channel = self._connect()
            crash_point("orchestrator-connected")
            self.logger = self.logger or self._process_behind(self.channel)
            self.channel.send({"kind": "orchestrate"})
            crash_point("orchestrator-announced")
            if self.attaches:
                note("attached", logger=self.logger.pid)
            self._start_metrics()
            self._serve()
        finally:
            # Whoever only came to help, and could not, leaves the box as it was.
            if not self.attaches or self.is_ready:
                self._end()

    @staticmethod
    def _python(module: str, *arguments: str, lock: int | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[] if lock is None else [lock],
        )

    @staticmethod
    def _process_behind(channel: Channel) -> Member:
        raw = channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        return Member(CREDENTIALS.unpack(raw)[0])

    def _connect(self) -> Channel:
        deadline = time.monotonic() + CONNECT_PATIENCE_S
        while not self.must_stop:
            if self.logger_child is not None and self.logger_child.poll() is not None:
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
            serve(self.configuration)
        except OSError as error:
            raise Failed(
                f"metrics cannot be served at {metrics['address']}:{metrics['port']}: "
                f"{error.strerror}. Choose another metrics.port, or 0 for none"
            ) from error

    def _serve(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not self.must_stop:
            try:
                self._attend()
            except HungUp:
                break
            except Failed:
                raise
            except Exception as error:  # the box is fine without whatever this was
                note("orchestrator error", severity="error", reason=repr(error))
                time.sleep(0.1)
            if not self.is_ready and time.monotonic() > deadline:
                self._give_up_waiting()
        if not self.must_stop and not self._logger_ended_well():
            note("logger process died", severity="error", effect="the box is down")
            raise Failed("the logger process died: the box is down")

    def _attend(self) -> None:
        """One round."""
        assert self.channel is not None
        readable, _, _ = select.select([self.channel], [], [], 0.02 if self.to_spawn else 0.1)
        if readable:
            message, _ = self.channel.receive()
            self._handle(message)
        self._spawn()
        self._reap()
        self._recount()
        if not self.is_ready:
            self._check_ready()
        if time.monotonic() >= self.log_look_at:
            self.log_look_at = time.monotonic() + LOG_LOOK_S
            bound_log(self.folder)

    def _give_up_waiting(self) -> None:
        text = f"not protected within {START_PATIENCE_S:.0f} s: see the log"
        if not self.attaches:
            raise Failed(text)
        self.is_ready = True
        self.report(f"attached to the box, which is {text}")

    def _logger_ended_well(self) -> bool:
        """It hung up; one that was told to stop takes its socket with it."""
        assert self.logger is not None
        if not self.logger.ends_within(END_PATIENCE_S):
            return False
        if self.logger_child is not None:
            return self.logger_child.wait() == 0
        return not (self.folder / SOCKET_NAME).exists()

    def _handle(self, message: Message) -> None:
        match message["kind"]:
            case "spawn":
                self.to_spawn += int(message["count"])
                self.is_awaited = bool(message["awaited"])
                self._hurry_replicas()
            case "replica failed" if not self.is_ready and not self.attaches:
                raise Failed(str(message["reason"]))
            case "kill":
                self._kill(int(message["pid"]))

    def _kill(self, pid: int) -> None:
        for replica in members.members(self.folder, members.REPLICA):
            if replica.pid == pid:
                replica.send(signal.SIGKILL)
            replica.close()

    def _spawn(self) -> None:
        while self.to_spawn > 0 and time.monotonic() >= self.spawn_after:
            self.to_spawn -= 1
            crash_point("orchestrator-before-spawn")
            try:
                replica = self._python(members.REPLICA, str(self.folder / SOCKET_NAME))
            except OSError as error:
                note("no process for a replica", severity="error", reason=str(error))
                self.spawn_after = time.monotonic() + PAUSE_AFTER_SHORT_LIFE_S
                self._tell_spawn_failed(str(error))
                return
            crash_point("orchestrator-after-spawn")
            self.replicas[replica.pid] = (replica, time.monotonic())
            self._hurry_replicas()

    def _hurry_replicas(self) -> None:
        """While packets wait for nobody, a replica on its way comes after them; while the master
        has no standby, before them. (Those that have arrived come first anyway.)"""
        for pid in self.replicas if self.is_awaited else ():
            hurry(pid, self.idle)

    def _tell_spawn_failed(self, reason: str) -> None:
        assert self.channel is not None
        self.channel.send({"kind": "spawn failed", "reason": reason})

    def _reap(self) -> None:
        for pid, (replica, since) in list(self.replicas.items()):
            if replica.poll() is None:
                continue
            crash_point("orchestrator-reaping")
            del self.replicas[pid]
            note("replica ended", replica=pid, status=replica.returncode)
            self.recount_at = time.monotonic() + RECOUNT_AFTER_S
            if replica.returncode == EXIT_FAILED and time.monotonic() - since < SHORT_LIFE_S:
                self.spawn_after = time.monotonic() + PAUSE_AFTER_SHORT_LIFE_S

    def _recount(self) -> None:
        """A replica that ended before the box knew it is still expected there: say that it is
        not on its way any more, so that it is asked for again at once."""
        if self.recount_at is None or time.monotonic() < self.recount_at:
            return
        self.recount_at = None
        found = status(self.configuration["name"])
        roles = [found["processes"]["master"], found["processes"]["standby"]]
        known = {r["pid"] for r in (*roles, *found["spares"], *found["fenced"]) if r}
        crash_point("orchestrator-recounting")
        on_their_way = len(self.replicas.keys() - known) + self.to_spawn
        for _ in range(found["replicas_expected"] - on_their_way):
            self._tell_spawn_failed("it ended before it could be used")

    def _check_ready(self) -> None:
        state = status(self.configuration["name"])["state"]
        wanted = "protected" if self.configuration["protection"] == "standby" else "unprotected"
        if state == wanted:
            crash_point("orchestrator-before-ready")
            self.is_ready = True
            self.report(READY)

    def _end(self) -> None:
        """Everything goes, also what is stopped or hung, and whoever started it."""
        crash_point("orchestrator-before-end")
        if self.channel is not None:
            self.channel.close()
        if self.logger is not None:
            self.logger.send(signal.SIGTERM)
            members.end([self.logger], END_PATIENCE_S)
        if self.logger_child is not None:
            self.logger_child.wait()
        crash_point("orchestrator-logger-ended")
        members.end(members.members(self.folder, members.REPLICA), REPLICA_END_PATIENCE_S)
        for replica, _ in self.replicas.values():
            replica.wait()
        crash_point("orchestrator-before-clean-up")
        self.has_ended = True


def _clean_up(orchestrator: Orchestrator, ended_well: bool) -> None:
    """The log stays for whoever looks for the reason, unless all went well."""
    folder = orchestrator.folder
    if orchestrator.attaches and lock_box(folder) is None:
        return  # somebody starts the box anew
    remove(folder, but=() if ended_well else (LOG_NAME, OLD_LOG_NAME))


def main(arguments: list[str]) -> int:
    """The process's whole life; the exit status."""
    arm_from_environment()
    folder, report, lock = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    orchestrator = Orchestrator(folder, report, None if lock < 0 else lock)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(orchestrator, "must_stop", True))
    ended_well = False
    try:
        orchestrator.run()
        ended_well = True
    except Failed as error:
        orchestrator.report(str(error))
    finally:
        if orchestrator.has_ended:
            _clean_up(orchestrator, ended_well or orchestrator.must_stop)
    return 0 if ended_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
