# SPDX-License-Identifier: BSD-3-Clause
"""A protected box in this process: the loggers, a master and a standby over ports in memory.

Every test of an element goes through it. The workers are real threads; the loggers are stepped by
hand, so that time is the test's. `fail_over` fences the master in the middle of whatever the test
does, lets the standby go live and starts a new standby from a snapshot, and each time everything
is quiet the state of master and standby is compared.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftmb._native.elements import load_module
from ftmb._native.logger import WORKER_DROPS, Logger, LoggerSettings, Peer
from ftmb._native.memory import MemoryPort
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process, ProcessSettings
from ftmb._native.tables import Rows, StateCopy
from ftmb.configuration.modules import is_file
from ftmb.state import State

TICK_NS = 10_000_000
START_NS = 1_000_000_000
QUIET_SECONDS = 20.0
ZOMBIES_KEPT = 2  # fenced masters that go on running beside the box


def _stage(element: str | Path, options: dict[str, Any]) -> dict[str, Any]:
    if not is_file(str(element)):
        return {"element": element, "options": options}
    module = load_module(str(element))
    named = {"path": module.path, "digest": module.digest}
    return {"element": module.name, "module": named, "options": options}


class Box:
    """A middlebox of `workers` workers with `pipeline` = [(element, options), ...]: an element's
    name, or the file of one that is built outside the tree."""

    def __init__(
        self,
        pipeline: Sequence[tuple[str | Path, dict[str, Any]]],
        ports: Sequence[str],
        workers: int = 1,
        *,
        paths: Sequence[dict[str, Any]] = (),
        ports_made: dict[str, Any] | None = None,
        fails_over: bool = False,
        part_mib: int = 256,
        port_capacity: int = 4096,
        release: str = "parallel",
        pal: str = "hand-overs",
    ) -> None:
        stages = [_stage(element, options) for element, options in pipeline]
        self.workers = workers
        self.pipeline = Pipeline(stages, ports, workers, paths)
        self.fails_over = fails_over
        self.failovers = 0
        self._part_size = part_mib << 20
        self._now_ns = START_NS
        self._epoch = 0
        self._pal = pal
        settings = LoggerSettings(
            workers, "yield", 1 << 22, 1 << 20, 1 << 20, True, release=release, pal=pal
        )
        self.logger = Logger(settings, self.pipeline)
        self.ports: dict[str, Any] = {
            name: (ports_made or {}).get(name) or MemoryPort(port_capacity) for name in ports
        }
        for name, port in self.ports.items():
            self.logger.add_port(name, port.base())
        self.logger.open_ports()
        self.master, self.master_peer = self._new_process()
        self.standby, self.standby_peer = self._new_process()
        self.fenced: list[tuple[Process, Peer]] = []
        self.logger.change_master(self.master_peer)
        self.logger.set_standby(self.standby_peer)
        self.master.start()
        self.standby.start()

    def _new_process(self) -> tuple[Process, Peer]:
        self._epoch += 1
        peer = self.logger.add_peer(self._epoch)
        settings = ProcessSettings(
            self._epoch,
            self.workers,
            True,
            self._part_size,
            arena_address=0,
            pal=self._pal,
        )
        raw = self.logger.pointer
        process = Process(settings, self.pipeline, raw.page_descriptor, peer.page_descriptor)
        process.attach_logs(raw.input_descriptors, raw.access_descriptors, peer.output_descriptors)
        return process, peer

    def inject(self, port: str, frame: bytes) -> None:
        """Puts a frame where the input logger will find it."""
        self.ports[port].push(bytes(frame))

    def command(self, element: int | str, text: str) -> None:
        """Tells an element, by its place or name, something: an entry of every worker's log."""
        place = element if isinstance(element, int) else self.pipeline.names.index(element)
        problem = self.pipeline.command_problem(place, text)
        assert problem is None, problem
        assert self.logger.command(place, text) is not None, "the logs are full"

    def pass_time(self, seconds: float) -> None:
        """The next round of the loggers comes so much later."""
        self._now_ns += int(seconds * 1e9)

    def step(self) -> None:
        """One round of the loggers."""
        self.logger.step(self._now_ns)

    def run(self) -> list[tuple[str, bytes]]:
        """Until everything is quiet; what left the box, as (port, frame)."""
        if self.fails_over:
            self.step()  # the frames are logged; how far the workers get is up to them
            self.fail_over()
        self._run_until_quiet()
        self.compare_states()
        return self._released()

    def _released(self) -> list[tuple[str, bytes]]:
        released = []
        for name, port in self.ports.items():
            while (frame := port.pop()) is not None:
                released.append((name, frame))
        return released

    def is_quiet(self) -> bool:
        """Whether every input is consumed, committed, released and replayed."""
        replayed = self.standby_peer.replayed()
        for worker in range(self.workers):
            counts = self.logger.queue_counts(worker)
            if (
                counts["consumed"] != counts["logged"]
                or counts["released"] != counts["received"]
                or replayed[worker] < counts["committed"]
            ):
                return False
        return True

    def _run_until_quiet(self) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        quiet_rounds = 0
        while quiet_rounds < 2:
            moved = self.logger.step(self._now_ns)
            quiet_rounds = quiet_rounds + 1 if moved == 0 and self.is_quiet() else 0
            assert self.standby_peer.phase() != "diverged", "the standby's replay diverged"
            assert not self.logger.master_is_rejected(), "the output logger rejected a record"
            assert time.monotonic() < deadline, f"not quiet: {self.describe()}"

    def describe(self) -> str:
        """Where everything stands, for a failing test."""
        queues = [self.logger.queue_counts(worker) for worker in range(self.workers)]
        return f"{queues} replayed={self.standby_peer.replayed()} {self.logger.counts()}"

    def compare_states(self) -> None:
        """Replay equals run: the whole state of master and standby, when all is quiet."""
        digests = []
        for process in (self.master, self.standby):
            process.hold()  # quiet they are, but only this makes what they wrote be seen here
            digests.append(process.state_digest())
            process.release()
        assert digests[0] == digests[1], "the states of master and standby differ"
        for worker in range(self.workers):
            mismatched = self.standby_peer.worker_counts(worker)["digests_mismatched"]
            assert mismatched == 0, "the packets of master and standby differ"

    def advance(self, seconds: float) -> list[tuple[str, bytes]]:
        """Lets input time pass, in at most 1,000 ticks; what left the box meanwhile."""
        total = int(seconds * 1e9)
        step = max(TICK_NS, total // 1000)
        end = self._now_ns + total
        released = []
        for count in range(total // step):
            self._now_ns += step
            self.logger.step(self._now_ns)
            if count % 64 == 63:
                self._run_until_quiet()
        self._now_ns = end
        self._run_until_quiet()
        released += self._released()
        return released

    def fail_over(self) -> None:
        """The master is fenced where it stands; the standby goes live; a new standby starts."""
        self.fenced.append((self.master, self.master_peer))
        if len(self.fenced) > ZOMBIES_KEPT:
            process, peer = self.fenced.pop(0)
            process.close()
            peer.remove()
        self.logger.change_master(self.standby_peer)
        self.master, self.master_peer = self.standby, self.standby_peer
        self.failovers += 1
        self.protect()

    def protect(self) -> None:
        """A new standby from a snapshot of the master, which goes on meanwhile."""
        self._wait_until_live()
        process, peer = self._new_process()
        self.logger.set_standby(peer)
        for worker in range(self.workers):
            process.set_access_start(worker, self.logger.access_start(worker))
        descriptor = os.memfd_create("snapshot")
        child = self.master.begin_snapshot(descriptor).child
        _, status = os.waitpid(child, 0)
        assert status == 0, "the snapshot was not written"
        process.load_snapshot(descriptor)
        os.close(descriptor)
        process.start()
        self.standby, self.standby_peer = process, peer

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        while self.master_peer.phase() != "live":
            self.step()
            assert time.monotonic() < deadline, f"never live: {self.describe()}"

    def table(self, element: str, table: str | None = None) -> Rows:
        """The rows in use of one of an element's tables, as `ftmb state show` would have them."""
        descriptor = os.memfd_create("copy")
        try:
            while (begun := self.standby.begin_snapshot_in_replay(descriptor)) is None:
                self.step()
            _, status = os.waitpid(begun.child, 0)
            assert status == 0, "the copy was not written"
            memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        told = {"pause_ns": begun.pause_ns, "records": begun.records}
        with State("test", StateCopy(memory, self.pipeline), memory, told) as state:
            return state.array(element, table).copy()

    def drops(self) -> dict[str, dict[str, int]]:
        """Drops by element and reason, since the box began, whoever was master."""
        self._now_ns += TICK_NS  # the counts are shown at ticks
        self._run_until_quiet()
        found: dict[str, dict[str, int]] = {}
        for worker in range(self.workers):
            counts = self.master_peer.worker_counts(worker)
            for stage, (name, reasons) in enumerate(self.pipeline.drop_names()):
                for index, reason in enumerate(reasons):
                    self._add(found, name, reason, counts["drops"][stage][index])
            for index, reason in enumerate(WORKER_DROPS):
                self._add(found, "worker", reason, counts["worker_drops"][index])
        return found

    @staticmethod
    def _add(found: dict[str, dict[str, int]], name: str, reason: str, count: int) -> None:
        if count:
            reasons = found.setdefault(name, {})
            reasons[reason] = reasons.get(reason, 0) + count

    def close(self) -> None:
        for process in [self.master, self.standby, *(zombie for zombie, _ in self.fenced)]:
            process.close()
        self.logger.close()
        for port in self.ports.values():
            port.close()

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
