# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: messages, descriptors, and who may call."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftmb.processes.messages import MESSAGE_SIZE_MAX, Channel, HungUp, Refused, Server

NOBODY = 65534


def pair() -> tuple[Channel, Channel]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)


def test_a_message_and_its_descriptors_arrive() -> None:
    one, other = pair()
    reading, writing = os.pipe()
    one.send({"kind": "hello", "number": 7}, [writing])
    message, descriptors = other.receive()
    assert message == {"kind": "hello", "number": 7}
    os.write(descriptors[0], b"through")
    assert os.read(reading, 7) == b"through"
    for descriptor in (reading, writing, *descriptors):
        os.close(descriptor)


def test_hanging_up_is_noticed_on_both_sides() -> None:
    one, other = pair()
    one.close()
    with pytest.raises(HungUp):
        other.receive()
    with pytest.raises(HungUp):
        other.send({"kind": "anybody"})


@pytest.mark.parametrize("raw", [b"{", b"[]", b"{}", b'{"kind": 3}', b"\xff\xfe"])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    one, other = pair()
    one.socket.send(raw)
    with pytest.raises(Refused):
        other.receive()


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=2000))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    one, other = pair()
    one.socket.send(raw)
    try:
        message, _ = other.receive()
        assert isinstance(message["kind"], str)
    except Refused:
        pass
    finally:
        one.close()
        other.close()


def test_too_large_a_message_is_not_sent() -> None:
    one, _ = pair()
    with pytest.raises(ValueError, match="too large"):
        one.send({"kind": "x" * MESSAGE_SIZE_MAX})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "control.sock")
    yield made
    made.close()


def test_the_socket_is_for_its_owner_alone(server: Server) -> None:
    assert server.path.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_another_user_is_refused_even_if_the_file_lets_him(server: Server) -> None:
    server.path.chmod(0o777)
    for folder in server.path.parents:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    caller = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
        "s.connect(sys.argv[1])"
    )
    subprocess.run(
        [sys.executable, "-c", caller, str(server.path)], user=NOBODY, check=True, cwd="/"
    )
    with pytest.raises(Refused, match=str(NOBODY)):
        server.accept()
