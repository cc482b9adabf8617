# SPDX-License-Identifier: BSD-3-Clause
"""Starting, stopping and asking a box; the orchestrator process itself is in daemon.py.

A box lives in a folder of the run directory: box.json (its checked configuration), control.sock
(the logger process's), log.jsonl (all processes' structured log), and copies of the elements that
are the user's own. folder.py tells what its locks mean.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftmb.errors import CommandError, NotRunningError, StartError, StopError
from ftmb.orchestrator import crash_points, members, modules
from ftmb.orchestrator.folder import (
    CONFIGURATION_NAME,
    LOG_NAME,
    LOG_SIZE_MAX,
    OLD_LOG_NAME,
    SOCKET_NAME,
    box_folder,
    is_locked,
    lock_box,
    lock_orchestrator,
    remove,
)
from ftmb.processes.messages import Channel, HungUp, Message

ANSWER_PATIENCE_S = 5.0
COPY_PATIENCE_S = 60.0  # gigabytes of state take seconds
STOP_PATIENCE_S = 15.0
LEFT_PATIENCE_S = 1.0  # for replicas, once the logger process has hung up
ENDING_PATIENCE_S = 5.0  # for the locks of a box that has ended: the kernel takes them back last
READY = "ready"


def start(configuration: dict[str, Any], *, foreground: bool, crash_at: str | None = None) -> bool:
    """Returns once the box is protected (or, without protection, runs); in the foreground, when
    it has ended. StartError says what to do; nothing of the box is left behind then.

    A box that has lost its orchestrator gets a new one and is not disturbed; True tells of that.
    The new orchestrator dies at the crash point `crash_at`.
    """
    name = configuration["name"]
    folder = box_folder(name)
    originals, configuration = configuration, modules.placed(configuration, folder)
    with contextlib.ExitStack() as exits:
        orchestrating = lock_orchestrator(folder)
        if orchestrating is None:
            raise StartError(
                f"box '{name}' is running already: see 'ftmb status', "
                "or stop it with 'ftmb down' first"
            )
        exits.callback(os.close, orchestrating)
        running = _lock_unless_running(folder)
        if running is None:
            _require_the_same(configuration, folder)
            daemon, report = _start_daemon(folder, [orchestrating], crash_at)
        else:
            exits.callback(os.close, running)
            _prepare(configuration, folder)
            modules.copy(originals, configuration)
            daemon, report = _start_daemon(folder, [orchestrating, running], crash_at)
    attaches = running is None
    with _stopping_on_interrupt(daemon):
        with os.fdopen(report) as reports:
            said = reports.readline().strip()
        if said != READY:
            if not attaches or not said:  # it has ended, or is about to
                daemon.wait()
            raise StartError(said or f"the orchestrator ended early: see {folder / LOG_NAME}")
        if foreground and daemon.wait() != 0:
            raise NotRunningError(f"box '{name}' ended by itself: see {folder / LOG_NAME}")
    return attaches


def _lock_unless_running(folder: Path) -> int | None:
    """The box's lock; None: the box runs. The caller has the orchestrator's, so an empty box.json
    is one that it has just made: a box whose own is gone is ending, and is waited for."""
    deadline = time.monotonic() + ENDING_PATIENCE_S
    while (running := lock_box(folder)) is None:
        is_ending = (folder / CONFIGURATION_NAME).stat().st_size == 0
        if not is_ending or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return running


def _require_the_same(configuration: dict[str, Any], folder: Path) -> None:
    try:
        found = json.loads((folder / CONFIGURATION_NAME).read_text())
    except ValueError:
        found = None
    if found != json.loads(json.dumps(configuration)):
        raise StartError(
            f"box '{configuration['name']}' is running, without an orchestrator and with another "
            "configuration: start it with the one that it has, or stop it with 'ftmb down' first"
        )


def _prepare(configuration: dict[str, Any], folder: Path) -> None:
    """The folder for a new box; whatever a dead one of this name left goes."""
    members.end(members.members(folder, members.REPLICA), 0.0)
    (folder / CONFIGURATION_NAME).write_text(json.dumps(configuration))
    for stale in (LOG_NAME, OLD_LOG_NAME, SOCKET_NAME):
        (folder / stale).unlink(missing_ok=True)


def _start_daemon(
    folder: Path, locks: list[int], crash_at: str | None
) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the descriptor that its report comes from. It inherits the locks."""
    reading, writing = os.pipe()
    running = locks[1:] or [-1]
    words = [str(folder), str(writing), str(running[0])]
    environment = {**os.environ, crash_points.VARIABLE: crash_at} if crash_at else None
    with open(folder / LOG_NAME, "ab") as log:
        try:
            daemon = subprocess.Popen(
                [sys.executable, "-m", members.ORCHESTRATOR, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                pass_fds=[writing, *locks],
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
    return daemon, reading


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


def _ask(
    name: str,
    message: Message,
    descriptors: list[int] | None = None,
    patience_s: float = ANSWER_PATIENCE_S,
) -> Message:
    path = box_folder(name) / SOCKET_NAME
    try:
        channel = Channel.connect(path)
    except OSError as error:
        raise NotRunningError(
            f"box '{name}' does not answer at {path}: {error.strerror}. "
            f"Is it running? Its log is {path.parent / LOG_NAME}"
        ) from error
    try:
        channel.socket.settimeout(patience_s)
        channel.send(message, descriptors)
        return channel.hear()
    except (HungUp, OSError) as error:
        raise NotRunningError(f"box '{name}' stopped answering") from error
    finally:
        channel.close()


def status(name: str) -> dict[str, Any]:
    """What processes/status.py gathers. NotRunningError if there is no such box."""
    found: dict[str, Any] = _ask(name, {"kind": "status"})["status"]
    return found


def copy_state(name: str, descriptor: int) -> dict[str, Any]:
    """Lets the standby write its state into a memory file of the caller's, as it is between two
    records: {"pause_ns", "records"} of the standby. NotRunningError says why not."""
    answer = _ask(name, {"kind": "state"}, [descriptor], patience_s=COPY_PATIENCE_S)
    if not answer["ok"]:
        reason = answer.get("reason", "its state could not be written: is memory short?")
        raise NotRunningError(f"box '{name}': {reason}")
    return answer


def command(name: str, element: str, text: str) -> str | None:
    """Tells a running element something; None when all workers have carried it out, or why they
    have not yet. CommandError: it was not taken, and nothing has changed."""
    answer = _ask(name, {"kind": "command", "element": element, "text": text})
    if not answer["ok"]:
        raise CommandError(f"box '{name}': {answer['reason']}")
    reason: str | None = answer["reason"]
    return reason


def configuration_of(name: str) -> dict[str, Any]:
    """What a box that runs or ran here was started with. NotRunningError when there is none."""
    try:
        found: dict[str, Any] = json.loads((box_folder(name) / CONFIGURATION_NAME).read_text())
    except FileNotFoundError as error:
        raise NotRunningError(f"no box '{name}' is running here") from error
    return found


def start_again(name: str, crash_at: str | None = None) -> None:
    """The same as `start`, for a box that runs or ran here, with the configuration that it has."""
    start(configuration_of(name), foreground=False, crash_at=crash_at)


def crash_at(name: str, point: str) -> int:
    """Makes a replica die at a crash point; which one. The status says when it is armed."""
    answer = _ask(name, {"kind": "crash at", "point": point})
    if answer["kind"] != "arming":
        raise NotRunningError(f"box '{name}': {answer['reason']}")
    pid: int = answer["pid"]
    return pid


def lengthen_log(name: str) -> None:
    """By empty lines, beyond what its orchestrator leaves as it is."""
    with open(box_folder(name) / LOG_NAME, "ab") as log:
        log.write(b"\n" * (LOG_SIZE_MAX + 1))


def disarm(name: str) -> None:
    """No replica is to die at a crash point any more."""
    _ask(name, {"kind": "crash at", "point": None})


def stop(name: str) -> None:
    """Ends all processes of a box and removes its folder, whichever of them still live."""
    folder = box_folder(name)
    if not folder.exists():
        raise NotRunningError(f"no box '{name}' is running here")
    first = members.members(folder, members.ORCHESTRATOR, members.LOGGER)
    replicas = members.members(folder, members.REPLICA)
    try:
        _ask(name, {"kind": "stop"})
    except NotRunningError:  # it hangs, or is not there
        for process in first:
            process.send(signal.SIGTERM)
    members.end(first, STOP_PATIENCE_S)
    members.end(replicas, LEFT_PATIENCE_S)
    members.end(members.members(folder, members.REPLICA), LEFT_PATIENCE_S)  # started meanwhile
    deadline = time.monotonic() + LEFT_PATIENCE_S
    while is_locked(folder):  # an ending process gives back its memory, then its locks
        if time.monotonic() < deadline:
            time.sleep(0.01)
            continue
        raise StopError(f"box '{name}' does not end: see {folder / LOG_NAME}")
    remove(folder)
