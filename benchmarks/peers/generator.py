# SPDX-License-Identifier: BSD-3-Clause
"""The same packet generator for everybody, between the lab's client and its server."""

from __future__ import annotations

from ftmb import pktgen
from ftmb.lab import Host, Lab

FLOWS = 10_000
WARM_UP_RATE = 50_000
DRAIN_MS = 100  # after the last packet, for those that are late


def session(lab: Lab, *, reply: bool) -> pktgen.Session:
    """Both ends open; the server answers each packet, or none."""
    return pktgen.Session(_settings(lab, reply=reply))


def _settings(lab: Lab, *, reply: bool) -> pktgen.Settings:
    """64-byte frames of 10,000 UDP flows in shuffled order.

    The generator sleeps when nothing is due: on a machine with two cores it must not take one
    from those that it measures.
    """
    ends = [
        pktgen.Endpoint(namespace=lab.namespace(host), interface="eth0")
        for host in (Host.CLIENT, Host.SERVER)
    ]
    return pktgen.Settings(
        kind="latency",
        idle="sleep",
        drain_ms=DRAIN_MS,
        reply=reply,
        warm_up_rate=WARM_UP_RATE,
        flows=pktgen.Flows(count=FLOWS),
        transmit=ends[0],
        receive=ends[1],
    )


def highest_rate(lab: Lab, search: pktgen.Search, seconds: float) -> float:
    """Packets a second of which none is lost; 0 if there is no such rate."""
    settings = _settings(lab, reply=False)
    found = pktgen.run(
        settings.model_copy(
            update={"kind": "throughput", "warm_up": True, "search": search, "seconds": seconds}
        )
    )
    if found.interrupted:
        raise KeyboardInterrupt
    return found.throughput[0].rate_pps


def trial(session: pktgen.Session, rate_pps: float, seconds: float) -> pktgen.Trial:
    """Ctrl-C ends it, as it ends everything else: the generator itself would go on to the next."""
    return _whole(session.trial(rate_pps, seconds=seconds))


def warm_up(session: pktgen.Session) -> None:
    """Every flow is known to whatever stands between."""
    _whole(session.trial(WARM_UP_RATE, each_flow_once=True))


def _whole(trial: pktgen.Trial) -> pktgen.Trial:
    if trial.interrupted:
        raise KeyboardInterrupt
    return trial
