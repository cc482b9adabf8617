# SPDX-License-Identifier: BSD-3-Clause
"""What stands between the hosts really forwards the generator's packets, and is really failed."""

from __future__ import annotations

import os
import signal
import time
from typing import Self

import pytest

from benchmarks.peers import contestants, failover, generator, speed
from benchmarks.peers.charged import charged_ns, software_interrupt_threads
from benchmarks.peers.contestants import FtmbBox
from benchmarks.peers.rounds import Rounds
from benchmarks.peers.router import connections
from ftmb.lab import Host, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

KERNEL = {between.name: between for between in speed.KINDS if between.in_kernel}
TRACKING = ("masquerade",)  # in the lab's box itself
DAEMONS = {"keepalived": {"keepalived": 4}, "conntrackd": {"keepalived": 4, "conntrackd": 2}}


@pytest.mark.parametrize("name", KERNEL)
def test_packets_pass(name: str) -> None:
    with Lab("testpeers") as lab, KERNEL[name].make(lab) as pids:
        with generator.session(lab, reply=False) as session:
            trial = session.trial(5000, seconds=0.2)
        tracked = connections(lab.namespace(Host.BOX)).count("udp ")
        box = pids()
    assert {role: len(set(found)) for role, found in box.items()} == DAEMONS.get(name, {})
    assert trial.sent == trial.out.received == 1000
    assert trial.out.duplicated == trial.out.corrupted == 0
    assert tracked == (1000 if name in TRACKING else 0)


def test_a_failure_is_seen_by_the_datagrams() -> None:
    kind = next(kind for kind in contestants.KINDS if kind.name == "conntrackd_100ms")
    found = failover.under_datagrams(kind)
    assert 0 < found.lost < found.sent
    assert found.gap_ms > 100  # what VRRP waits for at least, whatever the machine does meanwhile
    assert found.commit_ms is not None
    assert found.bins[: int(found.killed_ms)].sum() > 0


class Starved(FtmbBox):
    """Before its master dies, nothing of it runs for so long that its ports' rings overflow."""

    def __enter__(self) -> Self:
        for port in self.box.configuration["port"]:
            port["descriptors"] = 64
        return super().__enter__()

    def kill(self) -> int:
        logger = self.pids()["logger"]
        os.kill(logger, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(logger, signal.SIGCONT)
        return super().kill()


def test_what_overflowed_before_the_box_is_told_from_what_the_box_lost() -> None:
    kind = contestants.Kind("starved", "starved", lambda lab, _: Starved(lab), 2.0)
    found = Rounds()._fail(kind, failover.under_datagrams, print)
    assert found.before_box > 0
    assert found.lost == 0


def test_processor_time_is_that_of_the_processes() -> None:
    before, began = charged_ns([os.getpid()]), time.process_time()
    while time.process_time() - began < 0.05:
        pass
    assert charged_ns([os.getpid()]) - before >= 40_000_000
    assert charged_ns([]) == 0
    assert len(software_interrupt_threads()) >= (os.cpu_count() or 1)
