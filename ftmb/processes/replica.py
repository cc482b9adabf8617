# SPDX-License-Identifier: BSD-3-Clause
"""A replica: the process of a master or a standby. `python -m ftmb.processes.replica SOCKET`.

It connects to the logger process, is handed its memory, lays out its state, waits to be told
where to begin, and from then on its C workers run; this thread only answers messages:

    to the logger process      hello, prepared, started {records}, fenced, failed {reason},
                               snapshot done {epoch, ok, pause_ns, records}, armed {point},
                               state copied {number, ok, pause_ns, records} or {number, ok, reason}
    from the logger process    prepare, start empty {at, cores, idle}, start {access, cores, idle},
                               snapshot {epoch}, copy state {number}, crash at {point}

It ends when the logger process hangs up, or when it finds itself fenced.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftmb._native import crash_points
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import (
    PAGES_VERSION,
    Process,
    ProcessError,
    ProcessSettings,
    SnapshotBegun,
)
from ftmb.priority import REPLICA_NICE, come_first, session_comes_first
from ftmb.processes import memory_left
from ftmb.processes.journal import note
from ftmb.processes.messages import Channel, HungUp, Message, read_descriptor
from ftmb.processes.modes import is_protected_by_replay

FENCE_CHECK_MS = 50
COPY_ATTEMPTS = 5
EXIT_FENCED = 75
EXIT_FAILED = 1


@dataclass(frozen=True)
class SnapshotChild:
    """The process that writes a snapshot, and what is to be told once it is written."""

    begun: SnapshotBegun
    done: Message


class ReplicaProcess:
    """One replica, from hello to its end."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.process: Process | None = None
        self.snapshots: dict[int, SnapshotChild] = {}  # by pidfd
        self.poll = select.poll()

    def run(self) -> int:
        """Until the end; the exit status."""
        self.channel.send({"kind": "hello", "version": PAGES_VERSION})
        self.poll.register(self.channel.fileno(), select.POLLIN)
        while True:
            for descriptor, _ in self.poll.poll(FENCE_CHECK_MS):
                if descriptor == self.channel.fileno():
                    message, descriptors = self.channel.receive()
                    try:
                        self._handle(message, descriptors)
                    finally:
                        for handed in descriptors:
                            os.close(handed)
                else:
                    self._finish_snapshot(descriptor)
            if self.process is not None and self.process.is_fenced():
                note("fenced", epoch=self.process.settings.epoch)
                self.channel.send({"kind": "fenced"})
                return EXIT_FENCED

    def _handle(self, message: Message, descriptors: list[int]) -> None:
        match message["kind"]:
            case "prepare":
                self._prepare(message, descriptors)
            case "start empty":
                for worker, (record, position) in enumerate(message["at"]):
                    self._made().set_start(worker, record, position)
                self._start(message["cores"], message["idle"])
            case "start":
                self._made().load_snapshot(descriptors[0])
                for worker, position in enumerate(message["access"]):
                    self._made().set_access_start(worker, position)
                self._start(message["cores"], message["idle"])
            case "snapshot":
                self._begin_snapshot(message["epoch"], descriptors[0])
            case "copy state":
                self._begin_copy(message["number"], descriptors[0])
            case "crash at":
                crash_points.arm(message["point"])
                self.channel.send({"kind": "armed", "point": message["point"]})
            case unknown:
                note("unknown message", kind=unknown)

    def _made(self) -> Process:
        if self.process is None:
            raise ProcessError("told to begin before there was anything to begin with")
        return self.process

    def _prepare(self, message: Message, descriptors: list[int]) -> None:
        own_configuration, logger_page, process_page, *logs = descriptors
        configuration = json.loads(read_descriptor(own_configuration))
        workers = configuration["workers"]["count"]
        pipeline = Pipeline.of(configuration)
        settings = ProcessSettings(
            epoch=message["epoch"],
            workers=workers,
            is_logged=is_protected_by_replay(configuration),
            arena_part_size=configuration["memory"]["arena_mib"] << 20,
            seed=int.from_bytes(os.urandom(8), "little"),
            pal=configuration["pal"],
        )
        process = Process(settings, pipeline, logger_page, process_page)
        process.attach_logs(
            logs[:workers], logs[workers : 2 * workers], logs[2 * workers : 3 * workers]
        )
        self._refuse_if_memory_is_short(process)
        self.process = process
        self.channel.send({"kind": "prepared"})

    @staticmethod
    def _refuse_if_memory_is_short(process: Process) -> None:
        available = memory_left.available()
        if process.state_size() > available:
            raise ProcessError(
                f"the elements' state can take {process.state_size() >> 20} MiB, but only "
                f"{available >> 20} MiB of memory are free: lower the tables' sizes"
            )

    def _start(self, cores: list[int] | None, idle: str) -> None:
        process = self._made()
        come_first(REPLICA_NICE)
        records = process.replayed()  # once started, this is the workers' to know
        if idle == "sleep":
            session_comes_first(REPLICA_NICE)
        process.start(cores, idle)
        self.channel.send({"kind": "started", "records": records})

    def _begin_snapshot(self, epoch: int, descriptor: int) -> None:
        """For the standby with this epoch. What fails is told, and is not the master's end."""
        process = self._made()
        done = {"kind": "snapshot done", "epoch": epoch}
        try:
            if not process.is_live():
                raise OSError("not live yet")
            self._watch(process.begin_snapshot(descriptor), done)
        except OSError as error:
            note("no snapshot", reason=str(error), severity="warning")
            self.channel.send({**done, "ok": False, "pause_ns": 0, "records": []})

    def _begin_copy(self, number: int, descriptor: int) -> None:
        """Of a standby's state, for somebody who wants to look at it."""
        process = self._made()
        done = {"kind": "state copied", "number": number}
        try:
            begun = self._snapshot_in_replay(process, descriptor)
            self._watch(begun, done)
        except OSError as error:
            self.channel.send({**done, "ok": False, "reason": str(error)})

    @staticmethod
    def _snapshot_in_replay(process: Process, descriptor: int) -> SnapshotBegun:
        if memory_left.resident() > memory_left.available():
            raise OSError("there is not enough memory for a copy of the state")
        for _ in range(COPY_ATTEMPTS):
            if (begun := process.begin_snapshot_in_replay(descriptor)) is not None:
                return begun
        raise OSError("the standby's workers did not come to a halt: ask again")

    def _watch(self, begun: SnapshotBegun, done: Message) -> None:
        watched = _watched(begun.child)
        self.snapshots[watched] = SnapshotChild(begun, done)
        self.poll.register(watched, select.POLLIN)

    def _finish_snapshot(self, watched: int) -> None:
        snapshot = self.snapshots.pop(watched)
        self.poll.unregister(watched)
        os.close(watched)
        begun = snapshot.begun
        _, status = os.waitpid(begun.child, 0)
        told = {"ok": status == 0, "pause_ns": begun.pause_ns, "records": begun.records}
        self.channel.send({**snapshot.done, **told})


def _watched(child: int) -> int:
    """A descriptor of it; a child that cannot be watched is ended."""
    try:
        return os.pidfd_open(child)
    except OSError:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def main(arguments: list[str]) -> int:
    """The process's whole life."""
    # A crash is ours to survive, not to write gigabytes of core for before the socket hangs up.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the orchestrator's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel = Channel.connect(Path(arguments[0]))
    replica = ReplicaProcess(channel)
    status: Any = EXIT_FAILED
    try:
        status = replica.run()
    except HungUp:
        status = 0
    except (ProcessError, ValueError, OSError) as error:
        note("replica failed", reason=str(error), severity="error")
        try:
            channel.send({"kind": "failed", "reason": str(error)})
        except HungUp:
            pass
    # The kernel gives all of it back faster than destructors would.
    os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
