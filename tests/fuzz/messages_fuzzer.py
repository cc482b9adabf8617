# SPDX-License-Identifier: BSD-3-Clause
"""A stranger's packets to the logger process's control socket, one a line of the input.

What must hold: nothing that is sent ends the logger process (but "stop"), nobody else is cut off,
and no descriptor is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.fuzz.in_python import is_replay, run

PACKETS_MAX = 8


def watched() -> contextlib.AbstractContextManager[object]:
    """Imports inside it are instrumented."""
    if is_replay():
        return contextlib.nullcontext()
    import atheris

    watch: contextlib.AbstractContextManager[object] = atheris.instrument_imports(
        include=["ftmb.processes", "ftmb.recovery"]
    )
    return watch


with watched():
    import ftmb.recovery.protection

    import ftmb.processes.arming
    import ftmb.processes.logger
    from tests.processes.test_any_message import Door, check_descriptors, descriptors

FOLDER = tempfile.TemporaryDirectory(prefix="ftmb-fuzz-")
for module in (ftmb.processes.logger, ftmb.processes.arming):
    if hasattr(module, "note"):
        module.note = lambda *_, **__: None  # a line for each refusal would drown everything
ftmb.recovery.protection.come_last = lambda _: None  # the replica is this very process
DOOR = Door(Path(FOLDER.name))
DOOR.check_bystander()


def asks_to_stop(packet: bytes) -> bool:
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("kind") == "stop"


def try_input(data: bytes) -> None:
    packets = [packet for packet in data.split(b"\n")[:PACKETS_MAX] if packet]
    before = descriptors()
    caller = DOOR.call()
    for packet in packets:
        # One that was refused finds nobody at the other end any more.
        with contextlib.suppress(OSError):
            caller.socket.send(packet)
        DOOR.serve(1)
    caller.close()
    DOOR.serve(4)
    if not any(asks_to_stop(packet) for packet in packets):
        assert not DOOR.process.must_stop, "a stranger's message ended the logger process"
    DOOR.process.must_stop = False
    assert DOOR.check_bystander()["name"] == "test"
    check_descriptors(DOOR, before)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    run(try_input)
