# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftmb.errors import LabError
from ftmb.lab import Addresses, Host, Lab, namespaces
from ftmb.lab.topology import remove_stale

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def names_of(pid: int) -> list[str]:
    return [name for name in namespaces.names() if f"-{pid}-" in name]


def test_hosts_reach_the_box_end_and_are_gone_afterwards() -> None:
    with Lab("wires") as lab:
        assert len(names_of(os.getpid())) == 3
        # The box's ends have no addresses, so its neighbour is not found: the wire is dead end.
        ping = lab.run(Host.CLIENT, ["ping", "-c", "1", "-W", "1", "10.77.0.1"])
        assert ping.wait(5) != 0
        devices = os.pread(namespaces.open_file(lab.namespace(Host.BOX), "dev"), 65536, 0)
        assert b"inside:" in devices and b"outside:" in devices
    assert names_of(os.getpid()) == []


def test_backends_stand_beside_the_server_and_go_with_it() -> None:
    addresses = Addresses(backends=("198.51.100.11", "198.51.100.12"))
    with Lab("backends", addresses) as lab:
        assert len(names_of(os.getpid())) == 5
        for host, target in (
            (Host.SERVER, "198.51.100.12"),
            ("backend1", "198.51.100.12"),
            ("backend2", addresses.server),
        ):
            ping = lab.run(host, ["ping", "-c", "1", "-W", "2", target])
            assert ping.wait(5) == 0, (host, target)
    assert names_of(os.getpid()) == []


def test_two_labs_stand_side_by_side() -> None:
    with Lab("one"), Lab("two"):
        assert len(names_of(os.getpid())) == 6
    assert names_of(os.getpid()) == []


def test_an_exception_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError):
        with Lab("broken") as lab:
            sleeper = lab.run(Host.SERVER, ["sleep", "1000"])
            raise ZeroDivisionError
    assert names_of(os.getpid()) == []
    assert not sleeper.running()


def test_offloads_are_off_at_the_hosts_ends() -> None:
    import fcntl
    import socket
    import struct

    def transmit_checksums() -> int:
        import ctypes

        value = ctypes.create_string_buffer(struct.pack("II", 0x16, 1))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, 0x8946, struct.pack("16sP", b"eth0", ctypes.addressof(value)))
        return int(struct.unpack("II", value.raw[:8])[1])

    with Lab("offloads") as lab:
        assert namespaces.call(lab.namespace(Host.CLIENT), transmit_checksums) == 0


def test_a_program_that_cannot_start_says_why() -> None:
    with Lab("missing") as lab:
        program = lab.run(Host.CLIENT, ["no-such-program"])
        with pytest.raises(LabError, match="No such file"):
            program.wait_ready()


CHILD = """
import sys, time
from ftmb.lab import Host, Lab
with Lab("child") as lab:
    lab.run(Host.CLIENT, ["sleep", "1000"])
    print("up", flush=True)
    time.sleep(1000)
"""


def start_child() -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    return child


def test_ctrl_c_leaves_nothing_behind() -> None:
    child = start_child()
    assert len(names_of(child.pid)) == 3
    child.send_signal(signal.SIGINT)
    child.wait(20)
    assert names_of(child.pid) == []


def test_what_a_killed_lab_left_is_removed_by_the_next() -> None:
    child = start_child()
    deadline = time.monotonic() + 5
    inside: list[int] = []
    while not inside and time.monotonic() < deadline:
        inside = [pid for name in names_of(child.pid) for pid in namespaces.processes(name)]
    assert len(inside) == 1
    child.kill()
    child.wait()
    assert len(remove_stale()) == 3
    assert names_of(child.pid) == []
    deadline = time.monotonic() + 5
    while Path(f"/proc/{inside[0]}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{inside[0]}").exists()
