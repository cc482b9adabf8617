# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb state` of a real box: what its standby shows is what went through its master."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ftmb.state
from ftmb import orchestrator
from ftmb.command_line import ExitStatus, run
from ftmb.errors import NotRunningError, StateError
from ftmb.lab import Lab
from tests.processes.boxes import fail, pings, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def test_sessions_are_those_of_the_traffic(
    box: Callable[..., None], lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    box()
    pings(lab)
    pings(lab)
    with ftmb.state.read("test") as state:
        sessions = state.array("nat", "sessions")
        mappings = state.array("nat", "mappings")
        assert state.pause_ns > 0
    assert len(sessions) >= 2 and len(mappings) >= 2
    client = int.from_bytes(map(int, lab.addresses.clients[0].split(".")), "big")
    assert set(sessions["inside"]) == {client}
    assert set(sessions["protocol"]) == {1}
    assert sessions.dtype.names[0] == "worker"
    assert len(np.unique(sessions["outside_port"])) == len(sessions)

    assert run(["state", "show", "nat", "--json", "--sort", "-outside_port"]) == ExitStatus.OK
    rows = json.loads(capsys.readouterr().out)
    assert [row["inside"] for row in rows] == [lab.addresses.clients[0]] * len(rows)
    ports = [row["outside_port"] for row in rows]
    assert ports == sorted(ports, reverse=True)
    assert rows[0]["protocol"] == "icmp"


def test_it_goes_on_across_a_failover(box: Callable[..., None], lab: Lab) -> None:
    """The same rows are there when the standby that was read has become the master."""
    box()
    pings(lab)
    with ftmb.state.read("test") as state:
        before = state.array("nat", "mappings")
    fail(orchestrator.status("test"), "master", signal.SIGKILL)
    wait_for(lambda s: s["failover_count"] == 1 and s["state"] == "protected")
    with ftmb.state.read("test") as state:
        after = state.array("nat", "mappings")
    assert sorted(before.tolist()) == sorted(after.tolist())


def test_files_and_filters(
    box: Callable[..., None], lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box()
    pings(lab)
    files = ["--csv", str(tmp_path / "a.csv"), "--parquet", str(tmp_path / "a.parquet")]
    assert run(["state", "show", "nat", *files]) == ExitStatus.OK
    written = pl.read_parquet(tmp_path / "a.parquet")
    assert len(written) == len(pl.read_csv(tmp_path / "a.csv")) >= 1
    address = f"inside={lab.addresses.clients[0]}/32"
    chosen = ["--within", address, "--where", "protocol = 'icmp' AND outside_port > 0"]
    assert run(["state", "show", "nat", *chosen]) == ExitStatus.OK
    assert f"{len(written)} of {len(written)} rows" in capsys.readouterr().out.replace(",", "")
    assert run(["state", "show", "nat", "--within", "inside=192.0.2.0/24"]) == ExitStatus.OK
    assert "0 of 0 rows" in capsys.readouterr().out
    assert run(["state", "tables", "--json"]) == ExitStatus.OK
    assert [found["table"] for found in json.loads(capsys.readouterr().out)] == [
        "sessions",
        "mappings",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dns"], "no element 'dns'"),
        (["nat", "--table", "flows"], "it has: sessions, mappings"),
        (["nat", "--where", "port >"], "cannot be asked"),
        (["nat", "--where", "port > 5"], "its fields: worker, protocol"),
        (["nat", "--sort", "size"], "has no 'size'"),
        (["nat", "--within", "inside=10.0.0"], "is no prefix"),
        (["nat", "--within", "flags=10.0.0.0/8"], "its addresses: inside, outside, remote"),
    ],
)
def test_what_is_not_there_is_said(
    box: Callable[..., None], capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    box()
    assert run(["state", "show", *words]) == ExitStatus.USAGE
    assert message in capsys.readouterr().err


def test_without_a_standby_there_is_nothing_to_read(box: Callable[..., None]) -> None:
    box(protection="none")
    with pytest.raises(NotRunningError, match="no standby"):
        ftmb.state.read("test")


def test_a_standby_that_ends_meanwhile_is_told(box: Callable[..., None]) -> None:
    box()
    status = orchestrator.status("test")
    standby = status["processes"]["standby"]["pid"]
    os.kill(standby, signal.SIGSTOP)
    with pytest.raises(NotRunningError, match="the standby ended"):
        ftmb.state.read("test")
    wait_for(lambda s: s["state"] == "protected")
    with ftmb.state.read("test") as state, pytest.raises(StateError, match="no element"):
        state.array("monitor")
