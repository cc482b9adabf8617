# SPDX-License-Identifier: BSD-3-Clause
"""Decisions, one by one, and that every course of events ends protected or says why not."""

from __future__ import annotations

from dataclasses import replace

from ftmb.recovery import plan as p
from ftmb.recovery.plan import Observed, Replica, Stage, plan
from hypothesis import given
from hypothesis import strategies as st

PREPARED = Replica(3, Stage.PREPARED)
STARTED = Replica(1, Stage.STARTED)
STANDBY = Replica(2, Stage.STARTED)


def lost(replica: Replica) -> Replica:
    return Replica(replica.epoch, replica.stage, "hangup")


def test_without_anybody_nothing_can_be_done() -> None:
    assert plan(Observed(wants_standby=True)) == []


def test_the_first_replica_starts_empty_and_becomes_master() -> None:
    assert plan(Observed(True, spares=(PREPARED,))) == [p.StartEmpty(3)]
    starting = Replica(3, Stage.STARTING)
    assert plan(Observed(True, spares=(starting, Replica(4, Stage.PREPARED)))) == []
    assert plan(Observed(True, spares=(STARTED,))) == [p.MakeMaster()]


def test_the_next_one_becomes_the_standby() -> None:
    live = Observed(True, master=STARTED, spares=(PREPARED,), master_is_live=True)
    assert plan(live) == [p.TakeSnapshot(3)]
    waiting = Observed(True, master=STARTED, standby=PREPARED)
    assert plan(waiting) == []
    assert plan(Observed(True, STARTED, PREPARED, has_snapshot=True)) == [p.LoadSnapshot()]
    assert plan(Observed(True, STARTED, STANDBY)) == []
    assert plan(Observed(True, STARTED, STANDBY, has_caught_up=True)) == [p.DeclareProtected()]


def test_no_snapshot_is_asked_of_a_master_that_still_replays() -> None:
    """It would be of a state before the cut, and its workers wait for one another."""
    assert plan(Observed(True, master=STARTED, spares=(PREPARED,))) == []


def test_protected_is_where_it_rests() -> None:
    assert plan(Observed(True, STARTED, STANDBY, is_protected=True, has_caught_up=True)) == []


def test_without_protection_no_standby_is_sought() -> None:
    assert plan(Observed(False, STARTED, spares=(PREPARED,))) == []


def test_with_checkpoints_the_master_is_asked_for_one_whenever_it_is_due() -> None:
    live = Observed(True, STARTED, spares=(PREPARED,), master_is_live=True, wants_checkpoints=True)
    assert plan(live) == []
    assert plan(replace(live, checkpoint_is_due=True)) == [p.TakeCheckpoint()]
    assert plan(replace(live, checkpoint_is_due=True, master_is_live=False)) == []
    assert plan(replace(live, has_checkpoint=True)) == [p.DeclareProtected()]
    assert plan(replace(live, has_checkpoint=True, is_protected=True)) == []


def test_with_checkpoints_a_lost_master_is_followed_by_what_loads_the_last_one() -> None:
    gone = Observed(
        True, lost(STARTED), spares=(PREPARED,), wants_checkpoints=True, has_checkpoint=True
    )
    assert plan(gone) == [p.GoBack("hangup")]
    assert plan(replace(gone, has_checkpoint=False)) == [p.LoseState("hangup")]
    assert plan(replace(gone, master=None)) == [p.LoadCheckpoint(3)]
    assert plan(replace(gone, master=None, has_checkpoint=False)) == [p.StartEmpty(3)]
    assert plan(replace(gone, master=None, spares=(STARTED,))) == [p.MakeMaster()]


def test_a_lost_master_is_followed_by_its_standby() -> None:
    observed = Observed(True, lost(STARTED), STANDBY, is_protected=True, has_caught_up=True)
    assert plan(observed) == [p.FailOver("hangup")]


def test_a_standby_that_is_not_ready_never_takes_over() -> None:
    """Promotion before the state is complete would make state up."""
    observed = Observed(True, lost(STARTED), STANDBY, has_caught_up=True)
    assert plan(observed) == [p.DropStandby("its master is gone")]
    assert plan(replace(observed, standby=None)) == [p.LoseState("hangup")]
    observed = Observed(True, lost(STARTED), lost(STANDBY), is_protected=True)
    assert p.FailOver("hangup") not in plan(observed)


def test_a_lost_standby_is_dropped_before_anything_else_is_tried() -> None:
    observed = Observed(True, STARTED, lost(STANDBY), spares=(PREPARED,), is_protected=True)
    assert plan(observed) == [p.DropStandby("hangup")]


def test_a_lost_spare_is_dropped() -> None:
    assert plan(Observed(True, STARTED, spares=(lost(PREPARED),))) == [p.DropSpare(3)]


def test_a_spare_whose_place_was_passed_over_is_dropped() -> None:
    master = Replica(4, Stage.STARTED)
    assert plan(Observed(True, master, spares=(PREPARED,))) == [p.DropSpare(3)]


def test_a_spare_that_the_standby_passed_over_is_replaced_while_there_is_time() -> None:
    """Once that standby is master it would be of no use, and the next one a long time off."""
    standby = Replica(4, Stage.STARTED)
    observed = Observed(True, STARTED, standby, spares=(PREPARED,))
    assert plan(observed) == []
    assert plan(replace(observed, is_protected=True)) == [p.DropSpare(3)]


def test_the_spare_whose_turn_is_first_becomes_the_standby() -> None:
    spares = (Replica(5, Stage.PREPARED), PREPARED, Replica(2, Stage.PREPARING))
    observed = Observed(True, STARTED, spares=spares, master_is_live=True)
    assert plan(observed) == [p.TakeSnapshot(3)]


replicas = st.builds(
    Replica, st.integers(1, 9), st.sampled_from(Stage), st.sampled_from([None, "hangup"])
)


@given(
    st.builds(
        Observed,
        wants_standby=st.booleans(),
        master_is_live=st.booleans(),
        master=st.none() | replicas,
        standby=st.none() | replicas,
        spares=st.lists(replicas, max_size=3).map(tuple),
        is_protected=st.booleans(),
        has_snapshot=st.booleans(),
        has_caught_up=st.booleans(),
    )
)
def test_nobody_takes_over_unless_protected(observed: Observed) -> None:
    for action in plan(observed):
        if isinstance(action, p.FailOver):
            assert observed.is_protected
            assert observed.standby is not None and observed.standby.lost is None
            assert observed.master is not None and observed.master.lost is not None
