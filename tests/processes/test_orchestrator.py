# SPDX-License-Identifier: BSD-3-Clause
"""The orchestrator dies, comes back, cannot start processes: the box goes on all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftmb import orchestrator
from ftmb.errors import NotRunningError, StartError
from ftmb.lab import Lab
from ftmb.orchestrator import folder as folders
from ftmb.orchestrator import members
from ftmb.orchestrator.daemon import Orchestrator
from ftmb.orchestrator.folder import box_folder
from ftmb.processes.orchestrator_link import FENCED_PATIENCE_S, OrchestratorLink
from tests.processes.boxes import PATIENCE_S, Status, box_processes, fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def log_of_the_box() -> list[dict[str, Any]]:
    lines = (box_folder("test") / folders.LOG_NAME).read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def lose_the_orchestrator() -> Status:
    fail(orchestrator.status("test"), "orchestrator", signal.SIGKILL)
    return wait_for(lambda s: s["processes"]["orchestrator"]["pid"] is None)


def test_a_box_without_orchestrator_gets_a_new_one_undisturbed(
    box: Callable[..., bool], lab: Lab
) -> None:
    assert not box()
    before = lose_the_orchestrator()
    fail(before, "master", signal.SIGKILL)
    wait_for(lambda s: s["failover_count"] == 1)
    pings(lab)
    assert box()  # it says that it attached
    after = wait_for(lambda s: s["state"] == "protected")
    assert after["processes"]["logger"] == before["processes"]["logger"]
    assert after["processes"]["master"] == before["processes"]["standby"]
    assert after["state_losses"] == 0 and after["digest"]["mismatched"] == 0
    pings(lab)
    with pytest.raises(StartError, match="running already"):
        box()
    orchestrator.stop("test")
    assert box_processes() == [] and not box_folder("test").exists()


def test_a_new_orchestrator_can_be_lost_too(box: Callable[..., bool], lab: Lab) -> None:
    box()
    for _ in range(2):
        lose_the_orchestrator()
        assert box()
    assert orchestrator.status("test")["state"] == "protected"
    pings(lab)


def test_another_configuration_does_not_attach(
    box: Callable[..., bool], configuration: dict[str, Any]
) -> None:
    box()
    lose_the_orchestrator()
    with pytest.raises(StartError, match="another configuration"):
        box(heartbeat={"bound_ms": 77})
    assert box()


def test_a_box_without_orchestrator_can_be_stopped(box: Callable[..., bool]) -> None:
    """Also when one of its processes is stopped and so cannot end by itself."""
    box()
    before = lose_the_orchestrator()
    fail(before, "master", signal.SIGSTOP)
    wait_for(lambda s: s["failover_count"] == 1)
    orchestrator.stop("test")
    assert box_processes() == [] and not box_folder("test").exists()


def test_a_hung_logger_process_can_be_stopped(box: Callable[..., bool]) -> None:
    box()
    fail(orchestrator.status("test"), "logger", signal.SIGSTOP)
    orchestrator.stop("test")
    assert box_processes() == [] and not box_folder("test").exists()


def test_an_attached_orchestrator_ends_replicas_that_it_did_not_start(
    box: Callable[..., bool],
) -> None:
    box()
    before = lose_the_orchestrator()
    fail(before, "master", signal.SIGSTOP)
    wait_for(lambda s: s["failover_count"] == 1)
    assert box()
    fail(orchestrator.status("test"), "orchestrator", signal.SIGTERM)
    wait_until(lambda: box_processes() == [], "processes stay")
    assert not box_folder("test").exists()


def test_a_dead_logger_process_is_told(box: Callable[..., bool]) -> None:
    box()
    lose_the_orchestrator()
    assert box()
    fail(orchestrator.status("test"), "logger", signal.SIGKILL)
    wait_until(lambda: box_processes() == [], "processes stay")
    assert "logger process died" in [entry["event"] for entry in log_of_the_box()]
    assert not box()  # and a new one starts where it was


def test_a_box_that_is_ending_is_waited_for(box: Callable[..., bool]) -> None:
    """It has removed its files, and the kernel has yet to take back its lock."""
    folder = box_folder("test")
    folder.mkdir(parents=True)
    ending = folders.lock_box(folder)
    assert ending is not None
    end = threading.Timer(0.5, os.close, [ending])
    end.start()
    assert not box()
    end.join()


def test_a_spare_that_ends_unknown_is_asked_for_again_at_once(box: Callable[..., bool]) -> None:
    """Stopped before it could say hello, then killed."""
    box()
    wait_for(lambda s: len(s["spares"]) == 1)
    known = {replica.pid for replica in members.members(box_folder("test"), members.REPLICA)}
    fail(orchestrator.status("test"), "standby", signal.SIGKILL)

    def newcomers() -> list[members.Member]:
        found = members.members(box_folder("test"), members.REPLICA)
        return [replica for replica in found if replica.pid not in known]

    wait_until(lambda: bool(newcomers()), "no new replica")
    (newcomer,) = newcomers()
    newcomer.send(signal.SIGSTOP)
    newcomer.send(signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda s: s["state"] == "protected" and len(s["spares"]) == 1)
    assert time.monotonic() - killed < 8  # the box by itself waits for 10 s


def orchestrator_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    said = {"name": "test", "protection": "standby", "workers": {"idle": "sleep", "count": 1}}
    said |= {"logger": {"idle": None}, "standby": {"idle": None}}
    (tmp_path / folders.CONFIGURATION_NAME).write_text(json.dumps(said))
    made = Orchestrator(tmp_path, os.open(os.devnull, os.O_WRONLY), None)
    sent: list[Any] = []

    class Heard:
        send = staticmethod(sent.append)

    monkeypatch.setattr(made, "channel", Heard())
    return made, sent


def test_no_process_for_a_replica_is_said_and_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, sent = orchestrator_of(tmp_path, monkeypatch)

    def none_left(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none_left)
    made._handle({"kind": "spawn", "count": 1, "awaited": False})
    made._spawn()
    assert [message["kind"] for message in sent] == ["spawn failed"]
    made._handle({"kind": "spawn", "count": 1, "awaited": False})
    made._spawn()  # too early
    assert len(sent) == 1 and made.to_spawn == 1


def test_whoever_orchestrates_is_asked_to_kill_what_stays() -> None:
    """Nobody is asked while nobody is there, and the next one if the first has died over it."""
    stopped = SimpleNamespace(pid=7, fenced_at=time.monotonic())
    sent: list[Any] = []
    link = OrchestratorLink(SimpleNamespace(fenced=[stopped]))  # type: ignore[arg-type]

    def asked_after(seconds: float) -> int:
        stopped.fenced_at -= seconds
        sent.clear()
        link.kill_what_stays()
        assert all(message == {"kind": "kill", "pid": 7} for message in sent)
        return len(sent)

    assert asked_after(FENCED_PATIENCE_S) == 0
    link.attach(SimpleNamespace(send=sent.append), 8)  # type: ignore[arg-type]
    assert asked_after(0) == 1
    assert asked_after(0) == 0
    assert asked_after(FENCED_PATIENCE_S) == 1


def test_an_error_of_its_own_does_not_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, _ = orchestrator_of(tmp_path, monkeypatch)
    rounds = iter([NotRunningError("no answer"), TimeoutError(), ValueError("odd"), None])

    def attend() -> None:
        error = next(rounds)
        if error is None:
            made.must_stop = True
        else:
            raise error

    monkeypatch.setattr(made, "_attend", attend)
    made._serve()
    assert capsys.readouterr().err.count("orchestrator error") == 3


def test_in_the_foreground_a_box_that_died_is_an_error(
    configuration: dict[str, Any], lab: Lab
) -> None:
    program = (
        "import json, sys; from ftmb import orchestrator; from ftmb.errors import FtmbError\n"
        "try: orchestrator.start(json.loads(sys.argv[1]), foreground=True)\n"
        "except FtmbError as error: sys.exit(str(error))"
    )
    starting = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(configuration)],
        stderr=subprocess.PIPE,
        text=True,
    )

    def is_up() -> bool:
        try:
            return bool(orchestrator.status("test")["state"] == "protected")
        except NotRunningError:
            return False

    wait_until(is_up, "it does not start")
    fail(orchestrator.status("test"), "logger", signal.SIGKILL)
    _, said = starting.communicate(timeout=PATIENCE_S)
    assert starting.returncode != 0
    assert "ended by itself" in said or "process died" in said  # before it was told: ready
    assert box_processes() == []


def test_the_log_is_bounded_while_processes_append_to_it(tmp_path: Path) -> None:
    log = tmp_path / folders.LOG_NAME
    with open(log, "ab", buffering=0) as written:
        written.write(b"x" * 900)
        assert not folders.bound_log(tmp_path, 1000)
        written.write(b"y" * 200)
        assert folders.bound_log(tmp_path, 1000)
        written.write(b"z" * 10)
    assert log.read_bytes() == b"z" * 10
    assert (tmp_path / folders.OLD_LOG_NAME).stat().st_size == 1100


def test_the_log_of_a_running_box_is_bounded(box: Callable[..., bool]) -> None:
    box()
    log = box_folder("test") / folders.LOG_NAME
    with open(log, "ab") as written:
        written.write(b"\n" * (folders.LOG_SIZE_MAX + 1))
    wait_until(lambda: log.stat().st_size < folders.LOG_SIZE_MAX, "it only grows")
    fail(orchestrator.status("test"), "standby", signal.SIGKILL)
    wait_for(lambda s: s["state"] == "protected")
    wait_until(lambda: any(e["event"] == "protected" for e in log_of_the_box()), "nothing logged")
