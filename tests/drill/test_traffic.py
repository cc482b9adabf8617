# SPDX-License-Identifier: BSD-3-Clause
"""The drill's instruments, proven against the kernel's own forwarding."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ftmb.drill.settings import DrillSettings
from ftmb.drill.workload import Figures, Traffic
from ftmb.drill.workload.base import Place
from ftmb.drill.workload.echo import EchoConnections
from ftmb.drill.workload.udp import UdpStream
from ftmb.lab import Lab
from ftmb.priority import LOGGER_NICE
from tests.drill.kernel_router import KernelRouter

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")

SETTINGS = DrillSettings(connections=50, udp_rate=2000, tcp_mbit=10, downloads=2, download_mib=1)
PAUSE_S = 0.3


def measure(folder: Path, pause_s: float | None) -> Figures:
    with Lab("instruments") as lab:
        router = KernelRouter(lab)
        router.start()
        traffic = Traffic(Place(lab, SETTINGS, folder))
        traffic.start()
        time.sleep(1)
        if pause_s is not None:
            router.pause(pause_s)
        time.sleep(1)
        traffic.attend()
        return traffic.stop()


def test_programs_that_time_connections_do_not_wait_for_the_box(tmp_path: Path) -> None:
    """They come as early as its threads do on a machine that both share."""
    with Lab("instruments") as lab:
        KernelRouter(lab).start()
        place = Place(lab, SETTINGS, tmp_path)
        echo, udp = EchoConnections(place), UdpStream(place)
        echo.start()
        udp.start()
        programs = [echo.client, *echo.servers, *udp.receivers.values()]
        pids = [program.process.pid for program in programs]
        assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids] == [LOGGER_NICE] * 3
        udp.stop()
        echo.stop()


def test_nothing_is_lost_where_nothing_fails(tmp_path: Path) -> None:
    figures = measure(tmp_path, None)
    assert figures["udp"].sent > 1000
    assert (figures["udp"].lost, figures["udp"].duplicated, figures["udp"].reordered) == (0, 0, 0)
    assert figures["tcp"].connections == 50
    assert figures["tcp"].lines > 500
    assert figures["tcp"].broken == 0
    assert figures["iperf"].broken == 0 and figures["iperf"].mbit_mean > 1
    assert figures["http"].completed == figures["http"].checksums_ok > 0
    assert figures["http"].failed == 0
    assert figures["ping"].sent > 20 and figures["ping"].lost == 0
    assert figures.throughput[-1][1] > figures.throughput[0][1]


def test_a_pause_is_found_as_what_it_is(tmp_path: Path) -> None:
    figures = measure(tmp_path, PAUSE_S)
    expected = SETTINGS.udp_rate * PAUSE_S
    assert expected / 2 < figures["udp"].lost < expected * 2
    assert figures["udp"].stall_ms_max > PAUSE_S * 1e3 / 2
    assert figures["udp"].duplicated == 0
    assert figures["tcp"].stall_ms_max > PAUSE_S * 1e3 / 2
    assert figures["tcp"].broken == 0
    assert figures["ping"].lost > 0
