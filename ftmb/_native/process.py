# SPDX-License-Identifier: BSD-3-Clause
"""A master's or standby's C side: the arena, its workers, and snapshots of it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftmb._native.check import NativeError, check, ffi, lib
from ftmb._native.logger import IDLE_STRATEGIES, PAL_MODES
from ftmb._native.pipeline import Pipeline

ARENA_ADDRESS: int = lib.ARENA_ADDRESS
PAGES_VERSION: int = lib.PAGES_VERSION

REASONS = {
    errno.EEXIST: f"the address range of the arena at {ARENA_ADDRESS:#x} is taken in this process; "
    "a preloaded library or a sanitizer may have mapped it",
    errno.ENOMEM: "the elements' state does not fit: raise memory.arena_mib, lower the tables' "
    "sizes, or free memory on this machine",
    errno.EPROTO: "the processes of this box are of different versions: stop it with "
    "'ftmb down' and start it again",
}


class ProcessError(Exception):
    """A master or standby cannot be made; the message says what to do."""


@dataclass(frozen=True)
class ProcessSettings:
    """`epoch` is the place in the sequence of masters; `arena_address` 0 is anywhere.

    `seed` is of the elements' random numbers: whoever can guess it can guess the NAT's ports.
    """

    epoch: int
    workers: int
    is_logged: bool
    arena_part_size: int
    arena_address: int = ARENA_ADDRESS
    seed: int = 0
    pal: str = "hand-overs"


@dataclass(frozen=True)
class SnapshotBegun:
    """One that a child is writing: it is complete if the child ends with status 0."""

    child: int
    pause_ns: int  # for which the workers were held
    records: list[int]  # for each worker, the last one that it holds


class Process:
    """A master or standby. Descriptors stay the caller's."""

    def __init__(
        self,
        settings: ProcessSettings,
        pipeline: Pipeline,
        logger_page: int,
        process_page: int,
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline  # the C side borrows it
        error = ffi.new("int *")
        self._logger_page = self._made(lib.pages_map_logger(logger_page, error), error)
        self._page = self._made(lib.pages_map_process(process_page, error), error)
        raw = ffi.new(
            "struct process_settings *",
            {
                "epoch": settings.epoch,
                "workers": settings.workers,
                "arena_address": settings.arena_address,
                "arena_part_size": settings.arena_part_size,
                "configuration_digest": pipeline.digest,
                "seed": settings.seed,
                "is_logged": settings.is_logged,
                "pals": PAL_MODES[settings.pal],
            },
        )
        self.pointer = self._made(
            lib.process_create(raw, pipeline.pointer, self._logger_page, self._page, error), error
        )

    @staticmethod
    def _made(pointer: Any, error: Any) -> Any:
        if pointer == ffi.NULL:
            number = abs(error[0])
            reason = REASONS.get(number, str(NativeError(number, "starting a process")))
            raise ProcessError(reason)
        return pointer

    def attach_logs(
        self, inputs: Sequence[int], accesses: Sequence[int], outputs: Sequence[int]
    ) -> None:
        """One descriptor each per worker."""
        for worker in range(self.settings.workers):
            code = lib.process_attach_logs(
                self.pointer, worker, inputs[worker], accesses[worker], outputs[worker]
            )
            check(code, "mapping the logs")

    def set_start(self, worker: int, record_number: int, input_position: int) -> None:
        """For a master with empty state: where it begins."""
        lib.process_set_start(self.pointer, worker, record_number, input_position)

    def set_access_start(self, worker: int, position: int) -> None:
        """For a standby: where in the access log it begins to read."""
        lib.process_set_access_start(self.pointer, worker, position)

    def load_snapshot(self, descriptor: int) -> None:
        """Takes over the state of a snapshot, before `start`."""
        code = lib.snapshot_load(self.pointer, descriptor)
        if code == -errno.EINVAL:
            raise ProcessError("the snapshot is of a box with another configuration")
        check(code, "loading a snapshot")

    def begin_snapshot(self, descriptor: int) -> SnapshotBegun:
        """Forks; the child writes the state as it was between two records."""
        pause = ffi.new("uint64_t *")
        records = ffi.new("uint64_t []", self.settings.workers)
        child = check(
            lib.snapshot_begin(self.pointer, descriptor, pause, records), "taking a snapshot"
        )
        return SnapshotBegun(child, pause[0], list(records))

    def begin_snapshot_in_replay(self, descriptor: int) -> SnapshotBegun | None:
        """The same of a standby; None when it cannot be now, and may be asked again."""
        pause = ffi.new("uint64_t *")
        records = ffi.new("uint64_t []", self.settings.workers)
        child = lib.snapshot_begin_in_replay(self.pointer, descriptor, pause, records)
        if child == -errno.EAGAIN:
            return None
        check(child, "copying the state")
        return SnapshotBegun(child, pause[0], list(records))

    def begin(self) -> None:
        """Its state is as it shall be; without threads, for who calls `step`."""
        lib.process_begin(self.pointer)

    def start(self, cores: Sequence[int] | None = None, idle: str = "yield") -> None:
        """Starts the worker threads; `idle` is what they do when there is nothing to do."""
        pinned = list(cores) if cores else [-1] * self.settings.workers
        code = lib.process_start(self.pointer, pinned, IDLE_STRATEGIES[idle])
        check(code, "starting the workers")

    def hold(self) -> None:
        """Stops all workers between two records, until `release`."""
        lib.process_hold_workers(self.pointer)

    def release(self) -> None:
        """Lets the workers go on."""
        lib.process_release_workers(self.pointer)

    def step(self, worker: int) -> bool:
        """One step of one worker on this thread; whether it found anything to do."""
        return bool(lib.process_step(self.pointer, worker))

    def step_until_idle(self) -> int:
        """All workers in turn on this thread, until none finds anything to do; the steps made."""
        return int(lib.stepping_process(self.pointer))

    def is_fenced(self) -> bool:
        """Whether another master's epoch has come: this process has no way out any more."""
        return bool(lib.phase_of_process(self._page) == lib.PHASE_FENCED)

    def is_live(self) -> bool:
        """Whether it is master and has replayed all that came before it."""
        return bool(lib.phase_of_process(self._page) == lib.PHASE_LIVE)

    def replayed(self) -> list[int]:
        """For each worker, the last record that its state includes; before `start`, or held."""
        workers = range(self.settings.workers)
        return [int(lib.process_replayed(self.pointer, worker)) for worker in workers]

    def state_digest(self) -> int:
        """A digest of the whole state; no worker may have anything to do."""
        return int(lib.process_state_digest(self.pointer))

    def state_size(self) -> int:
        """Bytes that the state takes once all of it is touched."""
        return int(lib.process_state_size(self.pointer))

    def close(self) -> None:
        """Stops the workers and frees everything."""
        if self.pointer is not None:
            lib.process_destroy(self.pointer)
            self.pointer = None
