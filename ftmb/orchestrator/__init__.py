# SPDX-License-Identifier: BSD-3-Clause
"""Starting, stopping and asking a box; the orchestrator process itself is in daemon.py.

A box lives in a folder of the run directory: box.json (its checked configuration), control.sock
(the logger process's), log.jsonl (all processes' structured log) and a lock on the folder that
the orchestrator holds for as long as it lives.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftmb.errors import NotRunningError, StartError, StopError
from ftmb.orchestrator.folder import LOG_NAME, SOCKET_NAME, box_folder, is_locked
from ftmb.processes.messages import Channel, HungUp, Message

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 15.0


def start(configuration: dict[str, Any], *, foreground: bool) -> None:
    """Returns once the box is protected (or, without protection, runs); in the foreground, when
    it has ended. StartError says what to do; nothing of the box is left behind then."""
    folder = box_folder(configuration["name"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_locked(folder):
        raise StartError(
            f"box '{configuration['name']}' is running already: see 'ftmb status', "
            "or stop it with 'ftmb down' first"
        )
    (folder / "box.json").write_text(json.dumps(configuration))
    (folder / LOG_NAME).unlink(missing_ok=True)
    reading, writing = os.pipe()
    with open(folder / LOG_NAME, "ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "ftmb.orchestrator.daemon", str(folder), str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[writing],
        )
    os.close(writing)
    with _stopping_on_interrupt(daemon):
        with os.fdopen(reading) as reports:
            report = reports.readline().strip()
        if report != "ready":
            daemon.wait()
            raise StartError(report or f"the orchestrator ended early: see {folder / LOG_NAME}")
        if foreground:
            daemon.wait()


@contextlib.contextmanager
def _stopping_on_interrupt(daemon: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C or SIGTERM while starting or in the foreground stops the box."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, previous)


def _ask(name: str, message: Message) -> Message:
    path = box_folder(name) / SOCKET_NAME
    try:
        channel = Channel.connect(path)
    except OSError as error:
        raise NotRunningError(
            f"box '{name}' does not answer at {path}: {error.strerror}. "
            f"Is it running? Its log is {path.parent / LOG_NAME}"
        ) from error
    try:
        channel.socket.settimeout(5.0)
        return channel.ask(message)
    except (HungUp, TimeoutError) as error:
        raise NotRunningError(f"box '{name}' stopped answering") from error
    finally:
        channel.close()


def status(name: str) -> dict[str, Any]:
    """What processes/status.py gathers. NotRunningError if there is no such box."""
    found: dict[str, Any] = _ask(name, {"kind": "status"})["status"]
    return found


def crash_in_element(name: str) -> None:
    """Makes the master's workers raise SIGSEGV inside an element."""
    if _ask(name, {"kind": "crash in element"})["kind"] != "crashing":
        raise NotRunningError(f"box '{name}' has no master at the moment")


def stop(name: str) -> None:
    """Ends all processes of a box and removes its folder."""
    folder = box_folder(name)
    if not folder.exists():
        raise NotRunningError(f"no box '{name}' is running here")
    processes: list[int] = []
    with contextlib.suppress(NotRunningError):
        processes = _watch_processes(status(name))
        _ask(name, {"kind": "stop"})
    deadline = time.monotonic() + STOP_PATIENCE_S
    for watched in processes:
        select.select([watched], [], [], max(0.0, deadline - time.monotonic()))
        os.close(watched)
    if folder.exists() and is_locked(folder):
        raise StopError(f"box '{name}' does not end: see {folder / LOG_NAME}")
    _remove(folder)


def _watch_processes(found: dict[str, Any]) -> list[int]:
    """Descriptors that become readable when the box's processes have ended."""
    pids = [process["pid"] for process in found["processes"].values() if process]
    watched = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, TypeError):
            watched.append(os.pidfd_open(pid))
    return watched


def _remove(folder: Path) -> None:
    if folder.exists():
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
