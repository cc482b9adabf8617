# SPDX-License-Identifier: BSD-3-Clause
"""Every thread that there is at once: packets, workers, control, and who reads counters.

What is asserted here is little; the thread sanitizer is what looks (tests/sanitize/). Each thread
does what it does in a real box, only that master and standby are threads of one process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ftmb._native.logger import Logger, LoggerSettings, Peer
from ftmb._native.memory import GeneratorPort
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import Process, ProcessSettings
from tests.native.test_logger import frame

PATIENCE_S = 60.0
FRAME_SIZE = 128
NAT = {"inside": "left", "outside": "right", "external": ["198.51.100.1"], "sessions_max": 1024}
PIPELINES: dict[str, tuple[str, dict[str, Any]]] = {
    "monitor": ("monitor", {"first": "left", "second": "right", "stamp": True, "hosts_max": 1024}),
    "nat": ("nat", NAT),
}


class LiveBox:
    """Packet thread and worker threads that run; this thread controls."""

    def __init__(self, element: str, workers: int, *, is_logged: bool) -> None:
        name, options = PIPELINES[element]
        self.workers = workers
        self.is_logged = is_logged
        self.pipeline = Pipeline(
            [{"element": name, "options": options}], ["left", "right"], workers
        )
        settings = LoggerSettings(workers, "yield", 1 << 20, 1 << 20, 1 << 20, is_logged)
        self.logger = Logger(settings, self.pipeline)
        frames = bytearray(b"".join(frame(number, FRAME_SIZE) for number in range(64)))
        self.ports = [GeneratorPort(frames, FRAME_SIZE), GeneratorPort(bytearray(FRAME_SIZE), 0)]
        for port_name, port in zip(("left", "right"), self.ports, strict=True):
            self.logger.add_port(port_name, port.base())
        self.packets = threading.Thread(target=self.logger.run, args=(None,))
        self.logger.expect_thread()
        self.packets.start()
        self.epoch = 0
        self.replicas: list[tuple[Process, Peer]] = []

    def replica(self) -> tuple[Process, Peer]:
        self.epoch += 1
        peer = self.logger.add_peer(self.epoch)
        raw = self.logger.pointer
        settings = ProcessSettings(
            self.epoch, self.workers, self.is_logged, 64 << 20, arena_address=0
        )
        process = Process(settings, self.pipeline, raw.page_descriptor, peer.page_descriptor)
        process.attach_logs(raw.input_descriptors, raw.access_descriptors, peer.output_descriptors)
        self.replicas.append((process, peer))
        return process, peer

    def look(self) -> None:
        """All that the control thread and its status read."""
        self.logger.counts()
        for worker in range(self.workers):
            self.logger.queue_counts(worker)
            self.logger.access_start(worker)
            for _, peer in self.replicas:
                peer.worker_counts(worker)
        for _, peer in self.replicas:
            peer.phase(), peer.heartbeats(), peer.replayed(), peer.is_dead()
        for name in ("left", "right"):
            self.logger.port_counts(name)
        assert not self.logger.master_is_rejected()
        self.logger.committed()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.look()
            assert time.monotonic() < deadline, self.logger.counts()
            time.sleep(0)

    def sent(self) -> int:
        return int(self.logger.port_counts("right")["sent"])

    def close(self) -> None:
        for process, _ in self.replicas:
            process.close()
        self.logger.stop()
        self.packets.join()
        self.logger.close()
        for port in self.ports:
            port.close()


@pytest.fixture
def live_box() -> Iterator[Callable[..., LiveBox]]:
    made: list[LiveBox] = []

    def make(*arguments: Any, **options: Any) -> LiveBox:
        made.append(LiveBox(*arguments, **options))
        return made[-1]

    yield make
    for box in made:
        box.close()


def become_master(box: LiveBox, process: Process, peer: Peer) -> None:
    box.logger.change_master(peer)
    box.logger.watch(peer)
    box.wait_for(lambda: peer.phase() == "live")


def snapshot_into(box: LiveBox, master: Process, standby: Process, peer: Peer) -> None:
    box.logger.set_standby(peer)
    descriptor = os.memfd_create("snapshot")
    child = master.begin_snapshot(descriptor).child
    assert os.waitpid(child, 0)[1] == 0
    for worker in range(box.workers):
        standby.set_access_start(worker, box.logger.access_start(worker))
    standby.load_snapshot(descriptor)
    os.close(descriptor)
    standby.start()


@pytest.mark.parametrize("element", PIPELINES)
def test_traffic_snapshots_and_failovers(live_box: Callable[..., LiveBox], element: str) -> None:
    box = live_box(element, 2, is_logged=True)
    master, peer = box.replica()
    for worker in range(box.workers):
        master.set_start(worker, *box.logger.start_of(worker))
    master.start()
    become_master(box, master, peer)
    box.logger.open_ports()
    total = 0
    for _ in range(3):
        box.ports[0].send(3000)
        standby, next_peer = box.replica()
        snapshot_into(box, master, standby, next_peer)
        box.wait_for(lambda: box.ports[0].left() < 1500)
        become_master(box, standby, next_peer)
        total += 3000
        box.wait_for(lambda: box.ports[0].left() == 0)
        master = standby
    dropped = sum(box.logger.queue_counts(worker)["dropped"] for worker in range(box.workers))
    box.wait_for(lambda: box.sent() == total - dropped)
    for _, replica in box.replicas:
        for worker in range(box.workers):
            assert replica.worker_counts(worker)["digests_mismatched"] == 0


def test_without_protection(live_box: Callable[..., LiveBox]) -> None:
    box = live_box("monitor", 2, is_logged=False)
    box.logger.open_ports()
    for _ in range(2):
        master, peer = box.replica()
        box.logger.discard_input()
        for worker in range(box.workers):
            master.set_start(worker, *box.logger.start_of(worker))
        master.start()
        before = box.sent()
        become_master(box, master, peer)
        box.ports[0].send(1000)
        box.wait_for(lambda sent=before: box.sent() > sent and box.ports[0].left() == 0)  # type: ignore[misc]
        box.logger.watch(None)
        box.logger.change_master(None)
