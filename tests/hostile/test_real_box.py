# SPDX-License-Identifier: BSD-3-Clause
"""A real box whose master goes mad: noise over all that it can write, and anything over its socket.
The logger process lives, says what it rejected, fails over without losing state, and traffic goes
on; afterwards the box is protected again."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.lab import Lab
from tests.hostile.possessed import WRITTEN_OFFSET, Possessed
from tests.processes.boxes import pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

Attack = Callable[[Possessed, random.Random], None]


def noise_over_logs(mad: Possessed, noise: random.Random) -> None:
    for log in mad.memory("ftmb-output-log"):
        log[0:] = noise.randbytes(4096) * (len(log) // 4096)
        log.close()


def noise_over_the_page(mad: Possessed, noise: random.Random) -> None:
    (page,) = mad.memory("ftmb-process-page")
    page[0:] = noise.randbytes(len(page))
    page.close()


def ones_over_the_page(mad: Possessed, noise: random.Random) -> None:
    (page,) = mad.memory("ftmb-process-page")
    page[0:] = b"\xff" * len(page)
    page.close()


def publishing_backwards(mad: Possessed, noise: random.Random) -> None:
    log = mad.memory("ftmb-output-log")[0]
    log[WRITTEN_OFFSET : WRITTEN_OFFSET + 8] = (16).to_bytes(8, "little")
    log.close()


def publishing_far_ahead(mad: Possessed, noise: random.Random) -> None:
    log = mad.memory("ftmb-output-log")[0]
    log[WRITTEN_OFFSET : WRITTEN_OFFSET + 8] = (1 << 60).to_bytes(8, "little")
    log.close()


def nested_deeply(mad: Possessed, noise: random.Random) -> None:
    mad.socket().send(b"[" * 200_000)


def commanding(mad: Possessed, noise: random.Random) -> None:
    """Messages of other roles."""
    connection = mad.socket()
    for kind in ("orchestrate", "stop", "crash in element", "hello", "spawn failed", "fenced"):
        try:
            connection.send(b'{"kind": "%s", "version": 1}' % kind.encode())
        except OSError:
            return


def handing_over_descriptors(mad: Possessed, noise: random.Random) -> None:
    connection = mad.socket()
    for _ in range(20):
        try:
            socket.send_fds(connection, [b'{"kind": "prepared"}'], [0] * 250)
        except OSError:
            return


def flooding(mad: Possessed, noise: random.Random) -> None:
    connection = mad.socket()
    connection.setblocking(False)
    for _ in range(20_000):
        try:
            connection.send(b'{"kind": "failed", "reason": "' + b"x" * 4000 + b'"}')
        except OSError:
            return


# With the causes that may be named: whichever of its signs of madness is seen first.
MEMORY = {"rejected", "died", "diverged", "heartbeat", "hangup"}
ATTACKS: list[tuple[Attack, set[str], bool]] = [
    (noise_over_logs, {"rejected"}, True),
    (noise_over_the_page, MEMORY, False),
    (ones_over_the_page, MEMORY, False),
    (publishing_backwards, {"rejected"}, True),
    (publishing_far_ahead, {"rejected"}, True),
    (nested_deeply, {"hangup"}, False),
    (commanding, {"hangup"}, False),
    (handing_over_descriptors, {"hangup"}, False),
    (flooding, {"hangup"}, False),
]


@pytest.mark.parametrize(
    ("attack", "causes", "is_counted"), ATTACKS, ids=[attack.__name__ for attack, *_ in ATTACKS]
)
def test_a_mad_master_is_replaced(
    box: Callable[..., None], lab: Lab, attack: Attack, causes: set[str], is_counted: bool
) -> None:
    # A bound that a busy machine does not reach: nobody is to be lost but the one gone mad.
    box(heartbeat={"bound_ms": 2000})
    pings(lab)
    before = wait_for(lambda status: status["state"] == "protected")
    attack(Possessed(before["processes"]["master"]["pid"]), random.Random(7))

    def is_replaced(status: dict[str, Any]) -> bool:
        return bool(status["failover_count"] == 1 and status["state"] == "protected")

    pings(lab, 10)
    after = wait_for(is_replaced)
    pings(lab)
    (failover,) = after["failovers"]
    assert failover["cause"] in causes
    assert not failover["lost_state"]
    assert after["state_losses"] == 0
    assert after["processes"]["logger"]["pid"] == before["processes"]["logger"]["pid"]
    assert after["processes"]["master"]["pid"] == before["processes"]["standby"]["pid"]
    assert (sum(after["logger"]["rejected"].values()) > 0) == is_counted
    assert orchestrator.status("test")["digest"]["mismatched"] == 0
