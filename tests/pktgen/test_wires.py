# SPDX-License-Identifier: BSD-3-Clause
"""Real interfaces and real packets: what arrives and what does not is counted exactly."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from ftmb import pktgen
from ftmb.errors import PktgenError
from ftmb.lab import Host, Lab, namespaces
from ftmb.pktgen.session import Session
from tests.pktgen.conftest import ip, nft

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
Make = Callable[..., pktgen.Settings]


@pytest.fixture(params=["af_xdp", "af_packet"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wire() -> Iterator[dict[str, Any]]:
    """Two namespaces with nothing but a veth pair between them."""
    names = [f"pktgen-test-{os.getpid()}-{end}" for end in ("a", "b")]
    for name in names:
        namespaces.create(name)
    try:
        descriptor = os.open(namespaces.DIRECTORY / names[1], os.O_RDONLY)
        peer = {"ifname": "wire", "net_ns_fd": descriptor}
        namespaces.netlink(
            names[0], lambda link: link.link("add", ifname="wire", kind="veth", peer=peer)
        )
        os.close(descriptor)
        for name, address in zip(names, ("192.0.2.1", "192.0.2.2"), strict=True):

            def configure(netlink: Any, address: str = address) -> None:
                (index,) = netlink.link_lookup(ifname="wire")
                netlink.addr("add", index=index, address=address, prefixlen=24)
                netlink.link("set", index=index, state="up")

            namespaces.netlink(name, configure)
        yield {
            role: {"namespace": name, "interface": "wire"}
            for role, name in zip(("transmit", "receive"), names, strict=True)
        }
    finally:
        for name in names:
            namespaces.remove(name)


def icmp_errors(namespace: str) -> int:
    """ICMP destination unreachable that the namespace's own kernel sent."""
    text = os.pread(namespaces.open_file(namespace, "snmp"), 1 << 16, 0).decode()
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp:"))
    return int(values[names.index("OutDestUnreachs")])


def test_nothing_is_lost_over_a_plain_wire(wire: dict[str, Any], driver: str) -> None:
    settings = pktgen.Settings.model_validate(
        {
            "kind": "latency",
            "rates": (5000,),
            "seconds": 1.0,
            "reply": True,
            "per_flow": True,
            "frames": "imix",
            "device": driver,
            "flows": {"count": 300},
            **wire,
        }
    )
    result = pktgen.run(settings)
    assert driver in result.transmit and driver in result.receive
    (trial,) = result.trials
    assert (trial.sent, trial.unsent) == (5000, 0)
    assert trial.back is not None
    for way in (trial.out, trial.back):
        assert (way.received, way.lost, way.duplicated, way.reordered) == (5000, 0, 0, 0)
        assert (way.corrupted, way.stale, way.impossible) == (0, 0, 0)
        assert (way.flows_seen, way.flows_with_loss) == (300, 0)
        assert int(way.bins.sum()) == 5000
        assert way.latency is not None and way.latency.count == 5000
        assert way.flows is not None
        assert set(way.flows.received.tolist()) == {16, 17}
        assert (way.flows.sent == way.flows.received).all()
    assert (trial.out.latency.histogram != trial.back.latency.histogram) and trial.out.latency
    assert icmp_errors(wire["receive"]["namespace"]) == 0
    assert icmp_errors(wire["transmit"]["namespace"]) == 0


def test_the_interfaces_are_the_kernels_again_afterwards(wire: dict[str, Any], driver: str) -> None:
    given = {"kind": "latency", "rates": (1000,), "seconds": 0.1, "device": driver, **wire}
    pktgen.run(pktgen.Settings.model_validate(given))

    def pings() -> int:
        return os.system("ping -c 1 -W 2 192.0.2.2 > /dev/null")

    assert namespaces.call(wire["transmit"]["namespace"], pings) == 0


def test_through_the_kernels_router_and_back(routed: Lab, settings: Make) -> None:
    (trial,) = pktgen.run(settings(reply=True, warm_up=True)).trials
    assert trial.back is not None
    assert (trial.out.lost, trial.back.lost, trial.out.stale) == (0, 0, 0)


def test_through_the_kernels_nat_and_back(routed: Lab, settings: Make) -> None:
    nft(
        routed,
        "table ip nat {\n chain out {\n type nat hook postrouting priority 100\n"
        'oifname "outside" masquerade\n}\n}\n',
    )
    (trial,) = pktgen.run(settings(reply=True)).trials
    assert trial.back is not None
    assert (trial.out.lost, trial.back.lost) == (0, 0)


def test_what_a_router_drops_is_reported_exactly(routed: Lab, settings: Make) -> None:
    nft(
        routed,
        "table ip drops {\n chain way {\n type filter hook forward priority 0\n"
        "udp dport 9 numgen inc mod 8 == 3 drop\n}\n}\n",
    )
    (trial,) = pktgen.run(settings(flows={"count": 3}, per_flow=True)).trials
    assert (trial.sent, trial.out.lost, trial.out.duplicated) == (2000, 250, 0)
    flows = trial.out.flows
    assert flows is not None and int(flows.lost.sum()) == 250
    assert trial.loss == 0.125


def test_faults_of_a_wire_are_reported_exactly(bridged: Make, relay: Any) -> None:
    end = relay("--drop", "10", "--copy", "16", "--swap", "50", "--damage", "35")
    (trial,) = pktgen.run(bridged(frames=200, flows={"count": 5}, per_flow=True)).trials
    did = end()
    assert all(did[fault] > 10 for fault in ("drop", "copy", "swap", "damage")), did
    out = trial.out
    assert out.lost == did["drop"] + did["damage"] + did["held"]
    assert (out.duplicated, out.reordered) == (did["copy"], did["swap"])
    assert out.corrupted == did["damage"]
    assert out.flows is not None
    for name in ("lost", "duplicated", "reordered", "corrupted"):
        assert int(getattr(out.flows, name).sum()) == getattr(out, name), name


def later_than(histogram: str, bound_ns: int) -> int:
    decoded = HdrHistogram.decode(histogram)
    steps = decoded.get_recorded_iterator()
    return sum(
        step.count_at_value_iterated_to for step in steps if step.value_iterated_to > bound_ns
    )


@pytest.mark.parametrize("who", ["generator", "box"])
def test_what_was_due_during_a_stop_is_late(lab: Lab, bridged: Make, relay: Any, who: str) -> None:
    """Neither a sender nor a box that stands still hides how long packets had to wait."""
    relay()
    rate, stop_s, bound_ns = 2000, 0.2, 20_000_000
    with Session(bridged(rates=(rate,), seconds=2.0)) as session:
        (box,) = namespaces.processes(lab.namespace(Host.BOX))
        victim = session.process.pid if who == "generator" else box
        under_way = threading.Event()
        trials = []

        def progress(packets: int, sent: int, received: int) -> None:
            if received > 200:
                under_way.set()

        thread = threading.Thread(
            target=lambda: trials.append(session.trial(rate, progress=progress))
        )
        thread.start()
        assert under_way.wait(20)
        os.kill(victim, signal.SIGSTOP)
        time.sleep(stop_s)
        os.kill(victim, signal.SIGCONT)
        thread.join()
    (trial,) = trials
    assert trial.out.lost == 0
    assert trial.out.latency is not None
    assert later_than(trial.out.latency.histogram, bound_ns) >= 0.5 * rate * stop_s
    assert trial.out.latency.max_ns >= 0.5 * stop_s * 1e9
    assert trial.out.gap_ns_max >= 0.5 * stop_s * 1e9


def test_a_box_that_dies_for_a_while_shows_in_time(routed: Lab, settings: Make) -> None:
    """The timeline, the longest gap and each flow's first and last packet."""
    with Session(
        settings(rates=(2000,), seconds=1.5, flows={"count": 4}, per_flow=True)
    ) as session:

        def progress(packets: int, sent: int, received: int) -> None:
            if not cut.is_set() and received > 500:
                cut.set()
                ip(routed, Host.BOX, "link", "set", "outside", "down")
                time.sleep(0.3)
                ip(routed, Host.BOX, "link", "set", "outside", "up")

        cut = threading.Event()
        trial = session.trial(2000, progress=progress)
    out = trial.out
    assert out.lost >= 200
    assert out.first_ns is not None and out.last_ns is not None and out.gap_end_ns is not None
    assert out.gap_ns_max >= 200_000_000
    silent = out.bins[(out.gap_end_ns - out.gap_ns_max) // 10**6 + 1 : out.gap_end_ns // 10**6]
    assert len(silent) >= 198 and int(silent.sum()) == 0
    assert int(out.bins.sum()) == out.received
    assert out.flow_gap_ns_max >= out.gap_ns_max
    assert out.flows is not None
    assert (out.flows.first_us * 1000 < out.gap_end_ns - out.gap_ns_max).all()
    assert (out.flows.last_us.astype(np.uint64) * 1000 >= out.gap_end_ns).all()


def test_a_trial_that_is_stopped_has_what_there_was(routed: Lab, settings: Make) -> None:
    with Session(settings(seconds=60.0)) as session:
        stopped = []

        def progress(packets: int, sent: int, received: int) -> None:
            if received > 300 and not stopped:
                stopped.append(received)
                session.stop()

        trial = session.trial(2000, progress=progress)
    assert trial.interrupted
    assert 300 < trial.sent < 100_000
    assert trial.out.received >= stopped[0]


@pytest.mark.parametrize("device", ["af_xdp", "af_packet"])
def test_a_killed_generator_is_said_and_does_not_hinder_the_next(
    routed: Lab, settings: Make, device: str
) -> None:
    with Session(settings(seconds=30.0, device=device)) as session:

        def progress(packets: int, sent: int, received: int) -> None:
            os.kill(session.process.pid, signal.SIGKILL)

        with pytest.raises(PktgenError, match="ended by itself"):
            session.trial(2000, progress=progress)
    (trial,) = pktgen.run(settings(seconds=0.2, device=device)).trials
    assert trial.out.lost == 0
