# SPDX-License-Identifier: BSD-3-Clause
"""The logger process's C side: logs, packet thread, and who is master."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ftmb._native.check import check, created, ffi, lib
from ftmb._native.pipeline import Pipeline
from ftmb.priority import BACKGROUND_NICE, come_first

RELEASE_MODES = {
    "parallel": lib.RELEASE_PARALLEL,
    "none": lib.RELEASE_NONE,
    "checkpoint": lib.RELEASE_CHECKPOINT,
}
PAL_MODES = {"hand-overs": lib.PAL_HAND_OVERS, "every-access": lib.PAL_EVERY_ACCESS}
PAL_SIZE: int = ffi.sizeof("struct pal")
IDLE_STRATEGIES = {"spin": lib.IDLE_SPIN, "yield": lib.IDLE_YIELD, "sleep": lib.IDLE_SLEEP}
PORT_DROPS = ("too_long", "for_other_host", "unresolved", "send_stuck", "send_short")
RECORD_FAULTS = ("fine", "size", "epoch", "number", "input", "slot", "pal", "vector")
WORKER_DROPS = ("no_path", "emit_overflow")
PHASES = ("loading", "replaying", "live", "fenced", "diverged")
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class LoggerSettings:
    """Sizes are bytes of each worker's log and powers of two; `release` is a key of RELEASE_MODES,
    `pal` of PAL_MODES."""

    workers: int
    idle: str
    input_size: int
    access_size: int
    output_size: int
    is_logged: bool
    release: str = "parallel"
    pal: str = "hand-overs"


@dataclass(frozen=True)
class Succession:
    """A failover that the packet thread made by itself; not succeeded: the heir was given up."""

    epoch: int
    has_succeeded: bool
    detected_ns: int
    live_ns: int  # fence and cut were done


def _numbers(struct: Any, names: tuple[str, ...]) -> dict[str, int]:
    return {name: getattr(struct, name) for name in names}


class Peer:
    """A master's or standby's memory in the logger process, which outlives that process."""

    def __init__(self, logger: Logger, index: int, epoch: int) -> None:
        self.logger = logger
        self.index = index
        self.epoch = epoch
        self._raw = logger.pointer.peers[index]

    @property
    def page_descriptor(self) -> int:
        return int(self._raw.page_descriptor)

    @property
    def output_descriptors(self) -> list[int]:
        return list(self._raw.output_descriptors[0 : self.logger.settings.workers])

    def is_dead(self) -> bool:
        """What the kernel says, which is earlier than the socket's hang-up."""
        return bool(lib.pages_is_dead(self._raw.page))

    def phase(self) -> str:
        """Loading, replaying, live, fenced or diverged; what it claims."""
        claimed = lib.phase_of_process(self._raw.page)
        return PHASES[claimed] if claimed < len(PHASES) else "diverged"

    def worker_counts(self, worker: int) -> dict[str, Any]:
        """The counters of one worker, with drops as lists by stage and reason."""
        counts = ffi.new("struct worker_counts *")
        lib.counts_of_worker(self._raw.page, worker, counts)
        numbers: dict[str, Any] = _numbers(
            counts,
            ("heartbeat", "replayed", "bursts", "packets", "busy_cycles", "pals",
             "digests_compared", "digests_mismatched", "output_waits"),
        )  # fmt: skip
        numbers["drops"] = [list(stage) for stage in counts.drops]
        numbers["worker_drops"] = list(counts.worker_drops)
        return numbers

    def heartbeats(self) -> list[int]:
        """One number for each worker; one that stands still is a worker that hangs."""
        workers = range(self.logger.settings.workers)
        return [int(lib.heartbeat_of_process(self._raw.page, worker)) for worker in workers]

    def replayed(self) -> list[int]:
        """For each worker, the last record that it has replayed."""
        workers = range(self.logger.settings.workers)
        return [int(lib.replayed_of_process(self._raw.page, worker)) for worker in workers]

    def remove(self) -> None:
        """Gives the memory back, in the background; it must be neither master nor standby."""
        self.logger.background.submit(lib.logger_remove_peer, self.logger.pointer, self.index)


class Logger:
    """Input and output logger; `run` is the packet thread, `step` its rounds by hand (tests)."""

    def __init__(self, settings: LoggerSettings, pipeline: Pipeline) -> None:
        self.settings = settings
        self.pipeline = pipeline
        raw = ffi.new(
            "struct logger_settings *",
            {
                "workers": settings.workers,
                "idle": IDLE_STRATEGIES[settings.idle],
                "input_size": settings.input_size,
                "access_size": settings.access_size,
                "output_size": settings.output_size,
                "is_logged": settings.is_logged,
                "release": RELEASE_MODES[settings.release],
                "pals": PAL_MODES[settings.pal],
            },
        )
        error = ffi.new("int *")
        self.pointer = created(
            lib.logger_create(raw, pipeline.pointer, error), error, "making the logs"
        )
        self.ports: dict[str, Any] = {}
        # Making and unmapping logs takes tens of milliseconds, in which a failure could not be
        # noticed: it is done by one thread of its own.
        self.background = ThreadPoolExecutor(
            1, "logs", initializer=come_first, initargs=(BACKGROUND_NICE,)
        )

    def add_port(self, name: str, port: Any) -> None:
        """Ports are numbered in the order in which they are added."""
        base = ffi.cast("struct port *", port)
        check(lib.logger_add_port(self.pointer, base), "adding a port")
        self.ports[name] = base

    def descriptors(self) -> list[int]:
        """Read-only: the logger's page, then all input logs, then all access logs."""
        workers = self.settings.workers
        raw = self.pointer
        return [
            raw.page_descriptor,
            *raw.input_descriptors[0:workers],
            *raw.access_descriptors[0:workers],
        ]

    def add_peer_later(self, epoch: int) -> Future[Peer]:
        """The memory for a new master or standby with this place in the sequence of masters."""
        return self.background.submit(self._add_peer, epoch)

    def add_peer(self, epoch: int) -> Peer:
        """The same, waiting for it."""
        return self.add_peer_later(epoch).result()

    def _add_peer(self, epoch: int) -> Peer:
        index = check(lib.logger_add_peer(self.pointer, epoch), "making a process's logs")
        return Peer(self, index, epoch)

    def start_of(self, worker: int) -> tuple[int, int]:
        """(record number, input position) from which a master with empty state begins."""
        number, position = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        lib.logger_start_of(self.pointer, worker, number, position)
        return number[0], position[0]

    def access_start(self, worker: int) -> int:
        """Where in the access log a new standby begins to read."""
        return int(lib.logger_access_start(self.pointer, worker))

    def expect_thread(self) -> None:
        """To be said before the thread that will call `run` is started."""
        lib.logger_expect_thread(self.pointer)

    def run(self, core: int | None) -> None:
        """The packet thread's life; returns after `stop`."""
        lib.logger_run(self.pointer, -1 if core is None else core)

    def stop(self) -> None:
        lib.logger_stop(self.pointer)

    def step(self, now_ns: int) -> int:
        """One round at this time, without a packet thread; how much was moved."""
        return int(lib.logger_step(self.pointer, now_ns))

    def step_until_quiet(self) -> int:
        """Rounds without a packet thread until there is nothing to do; their cycles."""
        return int(lib.stepping_logger(self.pointer))

    def change_master(self, peer: Peer | None) -> bool:
        """Fence, cut, and the next master; returns when it is done.

        False: the standby had stopped reading what was committed and was given up; nobody is
        master now.
        """
        index = -1 if peer is None else peer.index
        code = lib.logger_change_master(self.pointer, index)
        return code != -errno.ETIMEDOUT and check(code, "changing the master") == 0

    def set_standby(self, peer: Peer | None) -> None:
        """For whom the logs are kept."""
        index = -1 if peer is None else peer.index
        check(lib.logger_set_standby(self.pointer, index), "setting the standby")

    def watch(self, peer: Peer | None) -> None:
        """Raises `death_event` as soon as the kernel says that this process died."""
        lib.logger_watch(self.pointer, -1 if peer is None else peer.index)

    def arm(self, peer: Peer | None) -> None:
        """Decides in advance who follows the watched master when it dies."""
        lib.logger_arm(self.pointer, -1 if peer is None else peer.index)

    def take_succession(self) -> Succession | None:
        """What that led to, once."""
        raw = ffi.new("struct succession *")
        if not lib.logger_take_succession(self.pointer, raw):
            return None
        return Succession(raw.epoch, raw.has_succeeded, raw.detected_ns, raw.live_ns)

    @property
    def death_event(self) -> int:
        """An eventfd; the logger's own."""
        return int(self.pointer.death_event)

    def open_ports(self) -> None:
        """From now on frames are taken from the ports."""
        lib.logger_open_ports(self.pointer)

    def discard_input(self) -> None:
        """With no master: the next one begins behind what was logged by now."""
        lib.logger_discard_input(self.pointer)

    def command(self, place: int, text: str) -> list[int] | None:
        """Tells the element at this place of the pipeline; None: the logs are full now.

        The command's number in the input log of each worker. Nothing checks the text here: see
        Pipeline.command_problem().
        """
        sequences = ffi.new("uint64_t[]", self.settings.workers)
        if not lib.logger_command(self.pointer, place, text.encode(), sequences):
            return None
        return list(sequences)

    def checkpoint(self, records: Sequence[int]) -> bool:
        """Release "checkpoint": a snapshot with these records, one for each worker, is complete.
        False: the master cannot have got there."""
        return bool(lib.logger_checkpoint(self.pointer, list(records)))

    def master_is_rejected(self) -> bool:
        """Whether the master wrote what no sane master writes; nothing of it is read any more."""
        return bool(lib.logger_master_is_rejected(self.pointer))

    def committed(self) -> list[int]:
        """The cut: for each worker, the last record that is committed."""
        return [
            int(lib.logger_committed(self.pointer, worker))
            for worker in range(self.settings.workers)
        ]

    def counts(self) -> dict[str, Any]:
        """The output logger's counters."""
        raw = ffi.new("struct logger_counts *")
        lib.counts_of_logger(self.pointer, raw)
        counts: dict[str, Any] = _numbers(
            raw,
            ("records", "discarded", "slots_out_again", "slots_out", "slots_dropped", "pals",
             "dependencies", "cut_lag_max", "access_waits", "first_output_ns", "busy_cycles",
             "rounds", "epoch"),
        )  # fmt: skip
        counts["rejected"] = {
            name: raw.rejected[index] for index, name in enumerate(RECORD_FAULTS) if index > 0
        }
        return counts

    def queue_counts(self, worker: int) -> dict[str, int]:
        """One worker's logs: fill in bytes, records, arrivals dropped since a log was full."""
        raw = ffi.new("struct queue_counts *")
        lib.counts_of_queue(self.pointer, worker, raw)
        return _numbers(
            raw,
            ("logged", "dropped", "input_fill", "input_size", "access_fill", "access_size",
             "received", "committed", "released", "consumed"),
        )  # fmt: skip

    def port_counts(self, name: str) -> dict[str, Any]:
        """One port's counters, with drops by reason."""
        raw = ffi.new("struct port_counts *")
        lib.counts_of_port(self.ports[name], raw)
        counts: dict[str, Any] = _numbers(
            raw, ("received", "received_bytes", "sent", "sent_bytes", "resolution", "missed")
        )
        counts["drops"] = {
            reason: raw.drops[index] for index, reason in enumerate(PORT_DROPS) if raw.drops[index]
        }
        return counts

    def close(self) -> None:
        """Frees the logs; the packet thread must have ended."""
        self.background.shutdown()
        if self.pointer is not None:
            lib.logger_destroy(self.pointer)
            self.pointer = None
