# SPDX-License-Identifier: BSD-3-Clause
"""Whatever a caller sends to the logger process ends that caller at most, and nobody else.

A logger process in this process, without ports: the test plays its callers and its replicas.
"""

from __future__ import annotations

import gc
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ftmb.recovery import protection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ftmb._native.process import PAGES_VERSION
from ftmb.processes import logger as logger_process
from ftmb.processes.logger import CALLS_MAX, LoggerProcess
from ftmb.processes.messages import DESCRIPTORS_MAX, MESSAGE_SIZE_MAX, Channel, HungUp, Server

CONFIGURATION = {
    "name": "test",
    "network_namespace": None,
    "ports": [{"name": "left"}, {"name": "right"}],
    "pipeline": [{"element": "forward", "options": {"first": "left", "second": "right"}}],
    "paths": [],
    "workers": {"count": 1, "cores": None, "idle": "yield"},
    "logger": {"core": None, "idle": None},
    "standby": {"cores": None, "idle": None},
    "protection": "standby",
    "release": "parallel",
    "checkpoint_ms": 25,
    "pal": "hand-overs",
    "logs": {"input_mib": 1, "access_mib": 1, "output_mib": 1},
    "heartbeat": {"bound_ms": 60000},
}
KINDS = [
    "hello", "prepared", "started", "snapshot done", "failed", "fenced", "orchestrate",
    "spawn failed", "status", "crash at", "armed", "stop", "prepare", "start", "kill", "state",
    "state copied",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "version",
            "records",
            "epoch",
            "ok",
            "pause_ns",
            "reason",
            "pid",
            "count",
            "point",
            "number",
        ]
    ),
    JSON | st.just(PAGES_VERSION) | st.lists(st.integers(), min_size=1, max_size=1),
    max_size=6,
)
MESSAGES = st.builds(lambda kind, fields: {"kind": kind, **fields}, st.sampled_from(KINDS), FIELDS)
ANY_DATA = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Door:
    """The logger process and its server, stepped by hand."""

    def __init__(self, folder: Path) -> None:
        (folder / "box.json").write_text(json.dumps(CONFIGURATION))
        self.process = LoggerProcess(folder)
        self.process.protection._become_ready = lambda: None  # type: ignore[method-assign]
        self.server = Server(folder / logger_process.SOCKET_NAME)
        process = self.process
        for fileobj in (self.server, process.logger.death_event, process.made_event):
            process.selector.register(fileobj, 1, None)
        self.bystander = self.call()

    def call(self) -> Channel:
        channel = Channel.connect(self.server.path)
        channel.socket.settimeout(20)
        self.serve()
        return channel

    def serve(self, rounds: int = 3) -> None:
        for _ in range(rounds):
            self.process._serve(self.server)

    def check_bystander(self) -> dict[str, Any]:
        """Somebody else is still answered."""
        self.bystander.send({"kind": "status"})
        self.serve()
        answer = self.bystander.hear()
        assert answer["kind"] == "status"
        status: dict[str, Any] = answer["status"]
        return status

    def replica(self) -> Channel:
        """A caller that said hello and was handed its memory."""
        channel = self.call()
        channel.send({"kind": "hello", "version": PAGES_VERSION})
        channel.socket.setblocking(False)
        for _ in range(20_000):
            self.serve(1)
            try:
                assert channel.hear()["kind"] == "prepare"
            except HungUp:
                continue
            channel.socket.settimeout(20)
            return channel
        raise AssertionError("no memory for a replica")

    def close(self) -> None:
        self.bystander.close()
        self.serve()
        self.server.close()
        self.process.logger.close()


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    # A fenced replica comes last on the machine, and here that would be this very process.
    monkeypatch.setattr(protection, "come_last", lambda _pid: None)
    made = Door(tmp_path)
    yield made
    made.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def check_descriptors(door: Door, wanted: int) -> None:
    """As many as before, once everybody who hung up was noticed and collected."""
    gc.collect()
    for _ in range(2000):
        if descriptors() == wanted:
            return
        door.serve(1)
    assert descriptors() == wanted


def hang_up(door: Door, caller: Channel) -> None:
    caller.close()
    door.serve(4)
    door.process.must_stop = False
    assert door.check_bystander()["state"] == "starting"


def say_all(door: Door, caller: Channel, messages: list[dict[str, Any]]) -> None:
    """One after the other, until the other side hangs up."""
    for message in messages:
        try:
            caller.send(message)
        except HungUp:
            return
        door.serve(2)


@ANY_DATA
@given(st.lists(MESSAGES, min_size=1, max_size=5))
@example([{"kind": "failed", "reason": {"a": "\ud800"}}])
@example([{"kind": "hello", "version": PAGES_VERSION}] * 4)
@example([{"kind": "hello", "version": [PAGES_VERSION]}])
def test_any_messages_of_a_stranger(door: Door, messages: list[dict[str, Any]]) -> None:
    caller = door.call()
    say_all(door, caller, messages)
    hang_up(door, caller)


@ANY_DATA
@given(st.lists(MESSAGES, min_size=1, max_size=5))
@example([{"kind": "prepared"}, {"kind": "started", "records": [10**18]}, {"kind": "stop"}])
@example([{"kind": "hello", "version": PAGES_VERSION}])
def test_any_messages_of_a_replica(door: Door, messages: list[dict[str, Any]]) -> None:
    caller = door.replica()
    say_all(door, caller, messages)
    assert not door.process.must_stop, "a replica stopped the box"
    assert door.check_bystander()["fenced_count"] == 0
    hang_up(door, caller)
    assert door.process.protection.alive() == []


@ANY_DATA
@given(st.binary(min_size=1, max_size=300))
@example(b'{"kind": "status"' + b" " * 1000)
@example(b"[" * 100_000)
@example(b'{"kind":' * 20_000)
@example(b'{"kind": "failed", "reason": ' + b"[" * 20_000 + b"]" * 20_000 + b"}")
@example(b'{"kind": "snapshot done", "epoch": ' + b"9" * 5000 + b"}")
@example(b'{"kind": "failed", "reason": "' + b"x" * (MESSAGE_SIZE_MAX - 40) + b'"}')
def test_any_bytes(door: Door, raw: bytes) -> None:
    for caller in (door.call(), door.replica()):
        caller.socket.send(raw)
        hang_up(door, caller)


def test_a_message_that_is_too_large_is_cut_short_and_ends_its_sender(door: Door) -> None:
    caller = door.call()
    caller.socket.send(b'{"kind": "status", "filler": "' + b"x" * MESSAGE_SIZE_MAX + b'"}')
    door.serve()
    with pytest.raises(HungUp):
        caller.hear()
    hang_up(door, caller)


@pytest.mark.parametrize("count", [1, DESCRIPTORS_MAX, DESCRIPTORS_MAX + 50])
def test_descriptors_that_nobody_asked_for_are_closed(door: Door, count: int) -> None:
    gc.collect()  # what earlier tests left to be closed
    before = descriptors()
    caller = door.call()
    for raw in (b'{"kind": "status"}', b"no message"):
        try:
            socket.send_fds(caller.socket, [raw], [0] * count)
        except OSError:
            break
        door.serve()
    hang_up(door, caller)
    check_descriptors(door, before)


def test_one_process_cannot_use_up_the_connections(door: Door) -> None:
    """The bystander, a caller of the same process in this test, keeps its own."""
    gc.collect()  # what earlier tests left to be closed
    before = descriptors()
    callers = [door.call() for _ in range(3 * CALLS_MAX)]
    assert descriptors() <= before + len(callers) + CALLS_MAX
    assert door.check_bystander()
    for caller in callers:
        caller.close()
    door.serve(6)
    check_descriptors(door, before)


def test_a_flood_of_a_replica_ends_it(door: Door) -> None:
    caller = door.replica()
    caller.socket.setblocking(False)
    try:
        for _ in range(10_000):
            caller.send({"kind": "failed", "reason": "x" * 1000})
    except HungUp:
        pass
    door.serve()
    hang_up(door, caller)
    assert door.process.protection.alive() == []


def test_one_who_does_not_read_its_answers_is_hung_up_on(door: Door) -> None:
    caller = door.call()
    caller.socket.setblocking(False)
    for _ in range(3000):
        try:
            caller.send({"kind": "status"})
        except HungUp:
            break
        door.serve(1)
    hang_up(door, caller)
