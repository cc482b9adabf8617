# SPDX-License-Identifier: BSD-3-Clause
"""A master that goes mad before it dies: each thing it may write is counted by its reason, ends it,
and has no other effect; the standby takes over and nothing is lost or doubled."""

from __future__ import annotations

import random
import struct
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from ftmb.testing import Box
from tests.hostile.mad_master import CONSUMED_OFFSET, RING_HEADER, WRITTEN_OFFSET, MadMaster
from tests.native.test_logger import FORWARD, PORTS, frame, numbers
from tests.native.test_output_record import Record

MONITOR = ("monitor", {"first": "left", "second": "right"})
FRAME_MAX = 2048


def wrong(**changes: object) -> Callable[[Record], Record]:
    return lambda record: replace(record, **changes)  # type: ignore[arg-type]


WRONG = {
    "no size": (wrong(size=0), "size"),
    "a size of half a header": (wrong(size=24), "size"),
    "a size with the top bit": (wrong(size=1 << 31), "size"),
    "a size that is one unit more": (wrong(size=160), "size"),
    "another's epoch": (wrong(epoch=0), "epoch"),
    "a coming epoch": (wrong(epoch=3), "epoch"),
    "the number before": (wrong(number=0), "number"),
    "the greatest number": (wrong(number=(1 << 64) - 1), "number"),
    "no input": (wrong(input_count=0), "input"),
    "more input than a burst": (wrong(input_count=33), "input"),
    "more input than was logged": (wrong(input_count=32), "input"),
    "more input than can be told": (wrong(input_count=(1 << 32) - 1), "input"),
    "more slots than there can be": (wrong(slot_count=65), "size"),
    "more slots than it has": (wrong(slot_count=2), "slot"),
    "a slot longer than a frame": (wrong(slots=[(FRAME_MAX + 1, 0, None)]), "slot"),
    "a slot of the greatest length": (wrong(slots=[(60, 0, None), (65535, 0, 80)]), "slot"),
    "a stride of nothing": (wrong(slots=[(60, 0, 0)]), "slot"),
    "a stride out of the record": (wrong(slots=[(60, 0, (1 << 32) - 16)]), "slot"),
    "a port that is not there": (wrong(slots=[(60, 2, None)]), "slot"),
    "again by a port that is not there": (wrong(slots=[(60, 0x82, None)]), "slot"),
    "more PALs than there can be": (wrong(pal_count=2049), "size"),
    "PALs that it has not": (wrong(pal_count=2048), "size"),
    "PALs behind its end": (wrong(pals_offset=1 << 31), "size"),
    "PALs in its header": (wrong(pals_offset=16), "size"),
    "a PAL of a worker that is not there": (wrong(pals=[(0, 1, 1, 1, 64)]), "pal"),
    "PALs out of order": (wrong(pals=[(5, 1, 1, 1, 0), (5, 2, 1, 1, 0)]), "pal"),
    "vectors of packets that nobody asked for": (wrong(vector_count=2), "size"),
    "dependencies that it has not": (wrong(dependency_count=1), "size"),
    "more dependencies than can be told": (wrong(dependency_count=(1 << 32) - 1), "size"),
    "dependence on itself": (wrong(dependencies=[(1, 0)]), "vector"),
    "dependence on a worker that is not there": (wrong(dependencies=[(1, 2)]), "vector"),
    "dependence on what can never be": (wrong(dependencies=[(1 << 62, 1)]), "vector"),
    "dependence on the greatest number": (wrong(dependencies=[((1 << 64) - 1, 1)]), "vector"),
}


def goes_on(box: Box, first: int, before: list[int]) -> None:
    """The standby has everything, and what comes now is forwarded."""
    for number in range(first, first + 50):
        box.inject("left", frame(number))
    box.fail_over()
    assert sorted(before + numbers(box.run())) == list(range(first + 50))


@pytest.mark.parametrize(("change", "reason"), WRONG.values(), ids=WRONG)
def test_a_record_that_is_wrong_in_one_field(
    change: Callable[[Record], Record], reason: str
) -> None:
    with Box([FORWARD], PORTS, 2) as box:
        mad = MadMaster(box)
        mad.let_a_tick_pass()
        mad.send(change(mad.record()).encode())
        assert mad.rejected() == [reason]
        assert box.logger.master_is_rejected()
        mad.close()
        goes_on(box, 0, numbers(box._released()))


def test_a_right_record_is_taken() -> None:
    """That of which the others above are wrong in one field."""
    with Box([FORWARD], PORTS, 2) as box:
        mad = MadMaster(box)
        mad.let_a_tick_pass()
        mad.send(mad.record().encode())
        assert mad.rejected() == []
        assert [len(sent) for _, sent in box._released()] == [60]
        mad.close()


@pytest.mark.parametrize("distance", [-16, -1, 16, 47, 1 << 20, 1 << 40, 1 << 63])
def test_a_claim_to_have_published_what_cannot_be(distance: int) -> None:
    with Box([FORWARD], PORTS) as box:
        for number in range(40):
            box.inject("left", frame(number))
        before = numbers(box.run())
        mad = MadMaster(box)
        mad.publish(mad.position + distance + (mad.size if distance == 1 << 20 else 0))
        box.step()
        assert mad.rejected() == ["size"]
        mad.close()
        goes_on(box, 40, before)


def test_dependence_on_the_near_future_is_waited_for_and_then_garbage() -> None:
    with Box([FORWARD], PORTS, 2) as box:
        mad = MadMaster(box)
        mad.let_a_tick_pass()
        mad.send(replace(mad.record(), slots=[], dependencies=[(40, 1)]).encode())
        assert mad.rejected() == []
        assert box.logger.queue_counts(0)["committed"] == 0
        box._now_ns += 6_000_000_000
        box.step()
        assert mad.rejected() == ["vector"]
        mad.close()
        goes_on(box, 0, [])


def test_a_record_of_the_greatest_size_is_a_record() -> None:
    with Box([FORWARD], PORTS) as box:
        mad = MadMaster(box)
        mad.let_a_tick_pass()
        pals = [(access, 0, 1, 0, 0xFFFFFFFF) for access in range(2048)]
        mad.send(replace(mad.record(), slots=[(FRAME_MAX, 1, None)] * 64, pals=pals).encode())
        assert mad.rejected() == []
        released = box._released()
        assert [len(sent) for _, sent in released] == [FRAME_MAX] * 64
        mad.close()


def test_pals_that_never_come_true_hold_up_that_standby_and_nobody_else() -> None:
    """Whole, so the logger cannot know; its worker's heartbeat stands still, and it is given up."""
    with Box([MONITOR], PORTS, 2) as box:
        mad = MadMaster(box)
        for number in range(16):
            box.inject("left", frame(number))
        box.step()
        logged = box.logger.queue_counts(0)["logged"]
        assert logged > 1
        pals = [(0, 1, 9, 77, 1)]
        mad.send(replace(mad.record(), input_count=logged, pals=pals).encode())
        assert mad.rejected() == []
        assert box.logger.committed()[0] == 1
        for _ in range(50):
            box.step()
        assert box.standby_peer.replayed()[0] == 0
        mad.close()
        box.standby.close()  # it can be ended, though it waits for what never comes
        box.standby, box.standby_peer = box._new_process()
        box.standby.start()


@pytest.mark.parametrize("seed", range(12))
def test_noise_over_the_whole_log_and_its_header(seed: int) -> None:
    with Box([MONITOR], PORTS, 2) as box:
        for number in range(60):
            box.inject("left", frame(number))
        before = numbers(box.run())
        noise = random.Random(seed)
        mads = [MadMaster(box, 0), MadMaster(box, 1)]
        for _ in range(40):
            mad = noise.choice(mads)
            at = noise.choice([WRITTEN_OFFSET, CONSUMED_OFFSET, 0, noise.randrange(mad.size - 64)])
            mad.memory[at : at + 64] = noise.randbytes(64)
            box.step()
        assert len(mads[0].rejected()) <= 1
        for mad in mads:
            mad.publish(1 << 50)
        box.step()
        assert box.logger.master_is_rejected()
        for mad in mads:
            mad.close()
        goes_on(box, 60, before)


def test_slots_changed_after_the_check_cost_their_packets_and_nothing_else() -> None:
    """Between the check and the sending, while the port is busy: what is known of it."""
    with Box([FORWARD], PORTS, port_capacity=8) as box:
        mad = MadMaster(box)
        mad.let_a_tick_pass()
        start = mad.position
        slots: list[tuple[int, int, int | None]] = [(60, 1, None)] * 20
        mad.send(replace(mad.record(), slots=slots).encode())
        assert mad.rejected() == []
        assert len(box._released()) == 8
        mad.write(start + 48 + 12 * 80, struct.pack("<HBBI", 2000, 1, 0, 16))
        box.step()
        assert mad.rejected() == ["slot"]
        mad.close()
        assert all(len(sent) == 60 for _, sent in box._released())


@pytest.mark.parametrize("seed", range(3))
def test_a_log_rewritten_while_it_is_read(seed: int) -> None:
    """Another thread writes over headers and slots as fast as it can, while records are checked,
    committed and released. What leaves has a length that a frame can have; each mad master is
    rejected, or has done nothing that could be seen."""
    with Box([FORWARD], PORTS) as box:
        noise, must_stop = random.Random(seed), threading.Event()
        mad = MadMaster(box)
        ticks = 0

        def rewrite() -> None:
            while not must_stop.is_set():
                at = RING_HEADER + 16 * noise.randrange(1024)
                mad.memory[at : at + 4] = noise.choice(
                    [noise.randbytes(4), struct.pack("<HBB", 2000, 1, 0), struct.pack("<I", 80)]
                )

        scribbler = threading.Thread(target=rewrite)
        scribbler.start()
        try:
            for _ in range(200):
                mad.let_a_tick_pass()
                ticks += 1
                slots: list[tuple[int, int, int | None]] = [(60, 1, None)] * 40
                mad.send(replace(mad.record(), slots=slots).encode())
                for _, sent in box._released():
                    assert len(sent) <= FRAME_MAX
                if box.logger.master_is_rejected():
                    break
        finally:
            must_stop.set()
            scribbler.join()
        assert box.logger.master_is_rejected() or ticks == 200
        assert set(mad.rejected()) <= {"size", "epoch", "number", "input", "slot", "pal", "vector"}
        mad.close()
