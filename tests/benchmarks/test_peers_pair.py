# SPDX-License-Identifier: BSD-3-Clause
"""The routers are real ones: conntrackd synchronises, a connection survives its router."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.peers import requirements
from benchmarks.peers.pair import Pair, PairSettings
from benchmarks.peers.router import connections, make_single_router
from ftmb.errors import LabError
from ftmb.lab import Host, Lab, namespaces

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

PORT = 7007
FAST = PairSettings(advert_s=0.05)


def mine() -> list[str]:
    return [name for name in namespaces.names() if f"-{os.getpid()}-" in name]


def eventually(question: Callable[[], bool], patience_s: float = 10.0) -> bool:
    deadline = time.monotonic() + patience_s
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Conversation:
    """One TCP connection from client to server, which sends back what it gets."""

    def __init__(self, lab: Lab) -> None:
        server = (lab.addresses.server, PORT)
        self.listener = namespaces.call(
            lab.namespace(Host.SERVER), lambda: socket.create_server(server)
        )
        self.client = namespaces.call(lab.namespace(Host.CLIENT), lambda: socket.socket())
        self.client.settimeout(8)
        self.client.connect(server)
        self.far, self.seen_from = self.listener.accept()
        threading.Thread(target=self._echo, daemon=True).start()

    def _echo(self) -> None:
        try:
            while data := self.far.recv(4096):
                self.far.sendall(data)
        except OSError:
            pass

    def says(self, text: bytes) -> bool:
        """Whether it comes back."""
        try:
            self.client.sendall(text)
            return self.client.recv(4096) == text
        except OSError:
            return False

    def close(self) -> None:
        for one in (self.client, self.far, self.listener):
            one.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("testpeers") as lab:
        yield lab
    assert mine() == []


def test_a_single_router_masquerades(lab: Lab) -> None:
    box = lab.namespace(Host.BOX)
    make_single_router(box, lab.addresses)
    talk = Conversation(lab)
    try:
        assert talk.seen_from[0] == lab.addresses.box_outside
        assert talk.says(b"hello")
        assert "ESTABLISHED" in connections(box)
    finally:
        talk.close()


def test_a_connection_is_known_to_the_backup_and_survives_the_primary(
    lab: Lab, tmp_path: Path
) -> None:
    with Pair(lab, FAST, tmp_path) as pair:
        talk = Conversation(lab)
        try:
            assert talk.says(b"before")
            entry = f"sport={talk.seen_from[1]} dport={PORT}"
            assert entry in connections(pair.primary.namespace)
            assert entry not in connections(pair.backup.namespace)
            assert eventually(lambda: entry in pair.backup.known())
            pair.kill_primary()
            assert talk.says(b"after")
            assert eventually(lambda: pair.backup.has_been("primary"))
            assert (pair.backup.commit_ms() or 0) > 0
            assert entry in connections(pair.backup.namespace)
        finally:
            talk.close()
    assert len(mine()) == 3


def test_without_synchronisation_it_breaks(lab: Lab, tmp_path: Path) -> None:
    settings = PairSettings(advert_s=0.05, synchronised=False)
    with Pair(lab, settings, tmp_path) as pair:
        talk = Conversation(lab)
        talk.client.settimeout(2)
        try:
            assert talk.says(b"before")
            pair.kill_primary()
            assert eventually(lambda: pair.backup.has_been("primary"))
            assert not talk.says(b"after")
        finally:
            talk.close()


def test_entries_go_directly_into_the_backups_kernel_when_asked_to(
    lab: Lab, tmp_path: Path
) -> None:
    settings = PairSettings(advert_s=0.05, direct=True)
    with Pair(lab, settings, tmp_path) as pair:
        talk = Conversation(lab)
        try:
            entry = f"sport={talk.seen_from[1]} dport={PORT}"
            assert eventually(lambda: entry in connections(pair.backup.namespace))
            pair.kill_primary()
            assert talk.says(b"after")
        finally:
            talk.close()


def test_a_daemon_that_does_not_start_is_told_and_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    too_long_for_a_socket = tmp_path / ("x" * 120)
    with pytest.raises(LabError, match=r"primary: not ready: .*Path is longer"):
        with Pair(lab, FAST, too_long_for_a_socket):
            pass
    assert len(mine()) == 3


def test_missing_packages_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements.check()
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError) as error:
        requirements.check()
    for word in ("root", "scripts/setup.sh", "keepalived", "conntrackd", "nftables"):
        assert word in str(error.value)
