# SPDX-License-Identifier: BSD-3-Clause
"""What to do next, as a pure function of what is observed.

The same function serves the first start, a failover, a lost standby and the return to protection:
each is the difference between what there is and what should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """How far a replica is on its way to being master or standby."""

    PREPARING = "preparing"  # it has its memory and lays out its state
    PREPARED = "prepared"  # it waits to be told where to begin
    STARTING = "starting"  # it was told
    STARTED = "started"  # its workers run


@dataclass(frozen=True)
class Replica:
    """One master, standby or spare, by its place in the sequence of masters."""

    epoch: int
    stage: Stage
    lost: str | None = None  # why it cannot be relied on any more: hangup, heartbeat, ...


@dataclass(frozen=True)
class Observed:
    """All that a decision is made from."""

    wants_standby: bool
    master: Replica | None = None
    standby: Replica | None = None
    spares: tuple[Replica, ...] = ()
    master_is_live: bool = False  # it has replayed what its predecessor left
    is_protected: bool = False  # the standby has everything that was committed
    has_snapshot: bool = False  # the standby's snapshot is complete
    has_caught_up: bool = False
    wants_checkpoints: bool = False  # instead of a standby
    has_checkpoint: bool = False  # a complete one
    checkpoint_is_due: bool = False


@dataclass(frozen=True)
class FailOver:
    """The standby becomes master; nothing is lost."""

    cause: str


@dataclass(frozen=True)
class LoseState:
    """The master is gone and nobody has its state."""

    cause: str


@dataclass(frozen=True)
class DropStandby:
    """The standby cannot take over any more."""

    cause: str


@dataclass(frozen=True)
class DropSpare:
    """A replica without a role is gone."""

    epoch: int


@dataclass(frozen=True)
class StartEmpty:
    """There is no master: this replica begins with empty state behind the cut."""

    epoch: int


@dataclass(frozen=True)
class MakeMaster:
    """A replica that started with empty state takes the logs over."""


@dataclass(frozen=True)
class TakeSnapshot:
    """This replica is to be the standby: hold the logs for it, ask the master for a snapshot."""

    epoch: int


@dataclass(frozen=True)
class LoadSnapshot:
    """The standby begins from the snapshot."""


@dataclass(frozen=True)
class DeclareProtected:
    """From now on the standby could take over, or a replica that loads the last checkpoint."""


@dataclass(frozen=True)
class GoBack:
    """The master is gone; what it did since the last checkpoint will be done again."""

    cause: str


@dataclass(frozen=True)
class TakeCheckpoint:
    """The master is asked for the next one."""


@dataclass(frozen=True)
class LoadCheckpoint:
    """There is no master: this replica begins from the last checkpoint."""

    epoch: int


Action = (
    FailOver
    | LoseState
    | DropStandby
    | DropSpare
    | StartEmpty
    | MakeMaster
    | TakeSnapshot
    | LoadSnapshot
    | DeclareProtected
    | GoBack
    | TakeCheckpoint
    | LoadCheckpoint
)


def _after_lost_master(observed: Observed, cause: str) -> list[Action]:
    standby = observed.standby
    if observed.has_checkpoint:
        return [GoBack(cause)]
    if standby is not None and standby.lost is None and observed.is_protected:
        return [FailOver(cause)]
    return [DropStandby("its master is gone") if standby is not None else LoseState(cause)]


def _without_master(observed: Observed) -> list[Action]:
    for spare in observed.spares:
        if spare.stage is Stage.STARTED:
            return [MakeMaster()]
        if spare.stage is Stage.STARTING:
            return []
    for spare in observed.spares:
        if spare.stage is Stage.PREPARED:
            epoch = spare.epoch
            return [LoadCheckpoint(epoch) if observed.has_checkpoint else StartEmpty(epoch)]
    return []


def _towards_checkpoints(observed: Observed) -> list[Action]:
    if not observed.master_is_live:
        return []
    if observed.has_checkpoint and not observed.is_protected:
        return [DeclareProtected()]
    return [TakeCheckpoint()] if observed.checkpoint_is_due else []


def _towards_protection(observed: Observed) -> list[Action]:
    standby = observed.standby
    if standby is None:
        if not observed.master_is_live:
            return []
        prepared = [spare for spare in observed.spares if spare.stage is Stage.PREPARED]
        return [TakeSnapshot(min(spare.epoch for spare in prepared))] if prepared else []
    if standby.stage is Stage.PREPARED and observed.has_snapshot:
        return [LoadSnapshot()]
    if standby.stage is Stage.STARTED and observed.has_caught_up and not observed.is_protected:
        return [DeclareProtected()]
    return []


def _is_useless(spare: Replica, observed: Observed) -> bool:
    """Gone, or with its place in the sequence of masters passed over: by the master, so that it
    could never follow, or by the standby, so that a failover would find no spare. Better that
    another one is made while there is time."""
    passed = (observed.master, observed.standby if observed.is_protected else None)
    return spare.lost is not None or any(
        replica is not None and spare.epoch < replica.epoch for replica in passed
    )


def plan(observed: Observed) -> list[Action]:
    """The next actions, most urgent first; empty when all is as it should be."""
    if observed.master is not None and observed.master.lost is not None:
        return _after_lost_master(observed, observed.master.lost)
    if observed.standby is not None and observed.standby.lost is not None:
        return [DropStandby(observed.standby.lost)]
    useless = [spare for spare in observed.spares if _is_useless(spare, observed)]
    if useless:
        return [DropSpare(spare.epoch) for spare in useless]
    if observed.master is None:
        return _without_master(observed)
    if observed.wants_checkpoints:
        return _towards_checkpoints(observed)
    return _towards_protection(observed) if observed.wants_standby else []
