# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb command` to a real box: carried out once by every worker, whoever is master by then."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

import ftmb.state
from ftmb import orchestrator
from ftmb.command_line import ExitStatus, run
from ftmb.errors import CommandError
from ftmb.orchestrator.folder import SOCKET_NAME, box_folder
from ftmb.processes import commands
from ftmb.processes.messages import Channel, HungUp
from ftmb.state.frames import Query, select
from tests.processes.boxes import fail, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

SERVICE = "tcp 198.51.100.1:80"


@pytest.fixture
def balancer(box: Callable[..., bool], configuration: dict[str, Any]) -> Callable[..., None]:
    stage = {
        "element": "load_balancer",
        "name": "balancer",
        "options": {
            "clients": "outside",
            "servers": "inside",
            "services": [SERVICE],
            "backends": [f"{SERVICE} -> 10.77.0.{host}:80" for host in (11, 12)],
        },
    }

    def start(**changes: Any) -> None:
        box(pipeline=[stage], **changes)

    return start


def backends() -> dict[str, set[tuple[int, str]]]:
    """What each worker knows of each: {address: {(worker, state)}}."""
    found: dict[str, set[tuple[int, str]]] = {}
    with ftmb.state.read("test") as state:
        place = state.find("balancer", "backends")
        rows = select(place.table, state.array("balancer", "backends"), Query(None, (), None), 0)
        for row in rows.iter_rows(named=True):
            found.setdefault(str(row["address"]), set()).add((row["worker"], row["state"]))
    return found


def test_every_worker_carries_it_out_and_so_does_who_follows(
    balancer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    balancer()
    assert run(["command", "balancer", "drain", SERVICE, "10.77.0.11:80"]) == ExitStatus.OK
    assert "done" in capsys.readouterr().out
    assert backends()["10.77.0.11"] == {(0, "drained"), (1, "drained")}
    fail(orchestrator.status("test"), "master", signal.SIGKILL)
    assert orchestrator.command("test", "balancer", f"add {SERVICE} 10.77.0.13:80") is None
    wait_for(lambda status: status["failover_count"] == 1 and status["state"] == "protected")
    known = backends()
    assert known["10.77.0.11"] == {(0, "drained"), (1, "drained")}
    assert known["10.77.0.13"] == {(0, "active"), (1, "active")}


def test_what_cannot_be_is_refused_and_changes_nothing(
    balancer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    balancer()
    before = backends()
    for element, text, why in (
        ("nat", "drain x", "no element 'nat' in this box; it has: balancer"),
        ("balancer", "explode", "has these commands"),
        ("balancer", f"drain {SERVICE} nowhere", "nowhere"),
        ("balancer", "drain " + "x" * 300, "at most 255 bytes"),
    ):
        with pytest.raises(CommandError, match=why):
            orchestrator.command("test", element, text)
    assert run(["command", "balancer", "explode"]) == ExitStatus.USAGE
    assert "has these commands" in capsys.readouterr().err
    assert backends() == before


def test_without_words_it_says_what_there_is(
    balancer: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    balancer()
    assert run(["command", "balancer"]) == ExitStatus.OK
    assert {"add", "drain", "remove"} <= set(capsys.readouterr().out.split())
    assert run(["command", "nothing"]) == ExitStatus.USAGE
    assert "it has: balancer" in capsys.readouterr().err


def test_an_unprotected_box_takes_them_too(balancer: Callable[..., None]) -> None:
    balancer(protection="none")
    assert orchestrator.command("test", "balancer", f"drain {SERVICE} 10.77.0.11:80") is None


def test_a_message_that_is_no_command_ends_its_caller_alone(
    balancer: Callable[..., None],
) -> None:
    balancer()
    for message in (
        {"kind": "command"},
        {"kind": "command", "element": 3, "text": "x"},
        {"kind": "command", "element": "balancer", "text": ["drain"]},
    ):
        channel = Channel.connect(box_folder("test") / SOCKET_NAME)
        channel.send(message)
        with pytest.raises(HungUp):
            channel.hear()
        channel.close()
    assert orchestrator.status("test")["state"] == "protected"


def test_a_caller_hears_that_it_is_logged_before_it_gives_up() -> None:
    assert commands.PATIENCE_S < orchestrator.ANSWER_PATIENCE_S
