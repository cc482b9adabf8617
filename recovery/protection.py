# SPDX-License-Identifier: BSD-3-Clause
"""Carrying out what plan.py decides, in the logger process.

A failover is one step of the packet thread (fence, cut, next epoch), which a dead master's standby
is armed for in advance; everything else here is preparation for the next one.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict

from ftmb.recovery import plan as planning
from ftmb.recovery.checkpoints import Checkpoints
from ftmb.recovery.detection import logs_are_filling
from ftmb.recovery.history import Failover, History
from ftmb.recovery.plan import Observed, Stage
from ftmb.recovery.replicas import CatchUp, ReplicaHandle, Seat, Snapshot

from ftmb._native.logger import Logger
from ftmb.priority import come_last
from ftmb.processes.journal import note

UNPROTECTED_BOUNDS, UNPROTECTED_BOUND_S = 20, 2.0  # heartbeat bounds, and seconds at least
SNAPSHOT_PATIENCE_S = 30.0


class Protection:
    """Who is master, who is standby, and what to do about it."""

    def __init__(
        self,
        logger: Logger,
        *,
        wants_standby: bool,
        heartbeat_bound: float,
        seats: tuple[Seat, Seat],
        checkpoint_interval: float | None = None,
    ) -> None:
        self.logger = logger
        self.seats = seats  # of the first master and of its standby; roles change later
        self.wants_standby = wants_standby
        self.heartbeat_bound = heartbeat_bound
        interval = checkpoint_interval
        self.checkpoints = Checkpoints(logger, interval) if interval is not None else None
        self.master: ReplicaHandle | None = None
        self.standby: ReplicaHandle | None = None
        self.spares: list[ReplicaHandle] = []
        self.fenced: list[ReplicaHandle] = []
        self.snapshot: Snapshot | None = None
        self.is_protected = False
        self.was_ready = False
        self.history = History(logger)
        self._catch_up = CatchUp(logger)
        self._next_epoch = 1

    # What comes in

    def next_epoch(self) -> int:
        """A place in the sequence of masters for a new replica."""
        epoch = self._next_epoch
        self._next_epoch += 1
        return epoch

    def alive(self) -> list[ReplicaHandle]:
        """All replicas that are, or may become, master or standby."""
        present = [self.master, self.standby, *self.spares]
        return [replica for replica in present if replica is not None]

    def master_died(self) -> None:
        """The packet thread saw it."""
        if self.master is not None and self.master.peer.is_dead():
            self.master.lose("died")

    def snapshot_done(
        self, sender: ReplicaHandle, epoch: int, ok: bool, pause_ns: int, records: list[int]
    ) -> None:
        """The master has written the snapshot that it was asked for, or could not."""
        if self.checkpoints is not None:
            if sender is self.master and self.checkpoints.done(sender, epoch, ok, records):
                self.history.record_pause(pause_ns)
            return
        if sender is not self.master or self.snapshot is None or self.snapshot.epoch != epoch:
            return  # one that was asked for earlier, for a standby that is gone
        if not ok:
            if self.standby is not None:
                self.standby.lose("no snapshot")
            return
        self.snapshot.is_complete = True
        self.snapshot.pause_ns = pause_ns
        self.history.record_pause(pause_ns)

    def look(self, now: float) -> None:
        """Takes in what only looking shows: heartbeats, rejected records, first packets."""
        self._adopt_succession()
        for replica in reversed(self.alive()):  # the master last: what it may do hangs on them
            replica.check(now, self._bound_of(replica))
        if self.standby is not None and not self.is_protected:
            self._check_resynchronising(self.standby, now)
        if self.master is not None and self.logger.master_is_rejected():
            self.master.lose("rejected")
        if self.master is not None and self.checkpoints and self.checkpoints.is_overdue():
            self.master.lose("no checkpoint")
        self.history.note_first_output(self.master.epoch if self.master else None)

    def _bound_of(self, replica: ReplicaHandle) -> float:
        """A master that nobody could follow gets time: nothing would be gained by hurrying. That
        is also one that is silent together with its standby, on a machine that stood still."""
        can_follow = self.is_protected and (
            self.checkpoints is not None or (self.standby is not None and self.standby.lost is None)
        )
        if self.wants_standby and replica is self.master and not can_follow:
            return max(UNPROTECTED_BOUNDS * self.heartbeat_bound, UNPROTECTED_BOUND_S)
        return self.heartbeat_bound

    def _check_resynchronising(self, standby: ReplicaHandle, now: float) -> None:
        """A standby that is not ready must not hold the logs until arrivals are dropped."""
        is_owed = self.snapshot is not None and not self.snapshot.is_complete
        if is_owed and self.snapshot and now - self.snapshot.asked_at > SNAPSHOT_PATIENCE_S:
            standby.lose("no snapshot")
        if logs_are_filling(self.logger):
            standby.lose("logs are filling: make them larger")

    def awaits_replica(self) -> bool:
        """Whether the master has no standby because there is no spare that could be one."""
        is_alone = self.master is not None and self.standby is None
        return self.wants_standby and is_alone and self.checkpoints is None

    def is_settled(self) -> bool:
        """Whether nothing is under way, so that looking seldom is enough."""
        is_whole = self.is_protected or (not self.wants_standby and self.master is not None)
        return is_whole and not self.history.waits_for_output() and self.checkpoints is None

    # Deciding and acting

    def advance(self) -> None:
        """Plans and acts until nothing more is to be done now."""
        self._adopt_succession()
        while actions := planning.plan(self._observe()):
            for action in actions:
                self._act(action)

    def _observe(self) -> Observed:
        if self.standby is not None and self.standby.peer.is_dead():
            self.standby.lose("died")  # never promote the dead, whose hang-up is still to come
        return Observed(
            wants_standby=self.wants_standby,
            master=self.master.view() if self.master else None,
            standby=self.standby.view() if self.standby else None,
            spares=tuple(spare.view() for spare in self.spares),
            master_is_live=self.master is not None and self.master.peer.phase() == "live",
            is_protected=self.is_protected,
            has_snapshot=self.snapshot is not None and self.snapshot.is_complete,
            has_caught_up=self._catch_up.is_done(self.standby),
            wants_checkpoints=self.checkpoints is not None,
            has_checkpoint=self.checkpoints is not None and self.checkpoints.is_usable(),
            checkpoint_is_due=self.checkpoints is not None and self.checkpoints.is_due(),
        )

    def _act(self, action: planning.Action) -> None:
        match action:
            case planning.FailOver(cause):
                self._fail_over(cause)
            case planning.LoseState(cause):
                self._give_up_master(cause, lost_state=True)
            case planning.DropStandby(cause):
                self._drop_standby(cause)
            case planning.DropSpare(epoch):
                self._drop_spare(epoch)
            case planning.StartEmpty(epoch):
                self._start_empty(epoch)
            case planning.MakeMaster():
                self._make_master()
            case planning.TakeSnapshot(epoch):
                self._take_snapshot(epoch)
            case planning.LoadSnapshot():
                self._load_snapshot()
            case planning.DeclareProtected():
                self._declare_protected()
            case planning.GoBack(cause):
                self._give_up_master(cause, lost_state=False)
            case planning.TakeCheckpoint() if self.checkpoints and self.master:
                self.checkpoints.begin(self.master)
            case planning.LoadCheckpoint(epoch):
                self._load_checkpoint(epoch)

    def _fail_over(self, cause: str) -> None:
        assert self.master is not None and self.standby is not None
        detected_ns = time.monotonic_ns()
        self.logger.arm(None)
        if self._adopt_succession():
            return
        if not self.logger.change_master(self.standby.peer):
            self.standby.lose("stopped reading")
            return  # nobody is master now; the next plan says what that means
        self.logger.watch(self.standby.peer)
        self._follow(cause, detected_ns, time.monotonic_ns())

    def _adopt_succession(self) -> bool:
        """Takes note of what the packet thread did by itself, being armed; whether it did."""
        succession = self.logger.take_succession()
        if succession is None:
            return False
        assert self.master is not None and self.standby is not None
        self.master.lose("died")
        if succession.has_succeeded:
            self._follow(self.master.lost or "", succession.detected_ns, succession.live_ns)
            self.master_died()  # it may be dead too, and told of in the same event
        else:
            self.standby.lose("stopped reading")
        return True

    def _follow(self, cause: str, detected_ns: int, live_ns: int) -> None:
        assert self.master is not None and self.standby is not None
        self.history.retire_digests(self.standby.peer)
        self.history.record(Failover(self.standby.epoch, cause, False, detected_ns, live_ns))
        self._fence(self.master)
        self.master, self.standby = self.standby, None
        self.is_protected = False
        note("failover", cause=cause, epoch=self.master.epoch, unprotected=True)

    def _give_up_master(self, cause: str, *, lost_state: bool) -> None:
        """Fenced, with nobody ready to follow at once."""
        assert self.master is not None
        detected_ns = time.monotonic_ns()
        self.logger.change_master(None)
        self.logger.watch(None)
        if self.checkpoints is not None:
            lost_state = not self.checkpoints.go_back()
        self.history.record(Failover(self.master.epoch, cause, lost_state, detected_ns))
        self._fence(self.master)
        self.master = None
        self.is_protected = False
        what = "state lost" if lost_state else "back to the last checkpoint"
        severity = "error" if lost_state else "warning"
        note(what, cause=cause, severity=severity, wants_standby=self.wants_standby)

    def _load_checkpoint(self, epoch: int) -> None:
        assert self.checkpoints is not None and self.checkpoints.last is not None
        spare = self._spare(epoch)
        spare.enter(Stage.STARTING)
        spare.seat = 0
        start = {"kind": "start", "access": self._access_starts(), **asdict(self.seats[0])}
        spare.send(start, [self.checkpoints.last.descriptor])

    def _fence(self, replica: ReplicaHandle) -> None:
        """It has no way out any more; its connection goes when it hangs up."""
        come_last(replica.pid)
        replica.peer.remove()
        if replica.has_hung_up:
            replica.channel.close()
        else:
            replica.fenced_at = time.monotonic()
            self.fenced.append(replica)

    def _drop_standby(self, cause: str) -> None:
        assert self.standby is not None
        self.logger.arm(None)
        if self._adopt_succession():
            return  # it is the master now
        self.history.retire_digests(self.standby.peer)
        self.logger.set_standby(None)
        if self.snapshot is not None:
            self.snapshot.close()
            self.snapshot = None
        note("standby dropped", cause=cause, epoch=self.standby.epoch, unprotected=True)
        self.standby.dismiss()
        self.standby = None
        self.is_protected = False

    def _drop_spare(self, epoch: int) -> None:
        spare = self._spare(epoch)
        self.spares.remove(spare)
        spare.dismiss()

    def _spare(self, epoch: int) -> ReplicaHandle:
        return next(spare for spare in self.spares if spare.epoch == epoch)

    def _start_empty(self, epoch: int) -> None:
        spare = self._spare(epoch)
        workers = range(self.logger.settings.workers)
        spare.enter(Stage.STARTING)
        if not self.wants_standby:
            self.logger.discard_input()
        spare.seat = 0
        start = [self.logger.start_of(worker) for worker in workers]
        spare.send({"kind": "start empty", "at": start, **asdict(self.seats[0])})

    def _make_master(self) -> None:
        spare = next(spare for spare in self.spares if spare.stage is Stage.STARTED)
        if self.checkpoints is not None and self.checkpoints.refuses(spare.start_records):
            self.history.state_losses += 1
            spare.lose("its checkpoint is not what was committed")
            return
        self.spares.remove(spare)
        self.master = spare
        self.logger.change_master(spare.peer)
        self.logger.watch(spare.peer)
        if not self.wants_standby:
            self._become_ready()
        note("master", epoch=spare.epoch, unprotected=True)

    def _take_snapshot(self, epoch: int) -> None:
        assert self.master is not None
        spare = self._spare(epoch)
        self.spares.remove(spare)
        self.standby = spare
        self._catch_up = CatchUp(self.logger)
        self.logger.set_standby(spare.peer)
        try:
            self.snapshot = Snapshot(os.memfd_create("ftmb-snapshot", os.MFD_CLOEXEC), epoch)
        except OSError as error:  # no descriptors or no memory left: traffic goes on meanwhile
            note("no snapshot", reason=str(error), severity="warning")
            spare.lose("no snapshot")
            return
        self.master.send({"kind": "snapshot", "epoch": epoch}, [self.snapshot.descriptor])

    def _load_snapshot(self) -> None:
        assert self.master is not None and self.standby is not None
        assert self.snapshot is not None
        self.standby.enter(Stage.STARTING)
        self.standby.seat = 1 - self.master.seat  # where the master is not
        seat = self.seats[self.standby.seat]
        start = {"kind": "start", "access": self._access_starts(), **asdict(seat)}
        self.standby.send(start, [self.snapshot.descriptor])
        self.snapshot.close()

    def _access_starts(self) -> list[int]:
        return list(map(self.logger.access_start, range(self.logger.settings.workers)))

    def _declare_protected(self) -> None:
        assert self.standby is not None or self.checkpoints is not None
        self.is_protected = True
        if self.standby is not None:
            self.logger.arm(self.standby.peer)
        pause = self.snapshot.pause_ns if self.snapshot else None
        self.snapshot = None
        self.history.protected_again(pause)
        self._become_ready()
        note("protected", snapshot_pause_ns=pause)

    def _become_ready(self) -> None:
        if not self.was_ready:
            self.was_ready = True
            self.logger.open_ports()
