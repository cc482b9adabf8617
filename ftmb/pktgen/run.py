# SPDX-License-Identifier: BSD-3-Clause
"""The kinds of scripts: which trials are made, one after the other."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from ftmb.pktgen.result import Result, Throughput, Trial
from ftmb.pktgen.session import Session
from ftmb.pktgen.settings import Flows, Search, Settings

Tell = Callable[[str, int, int, int], None]  # what is being done, packets in all, sent, received


def run(settings: Settings, tell: Tell | None = None) -> Result:
    """Opens both ends, makes all trials of the script, and closes the ends again.

    Ctrl-C ends the trial under way: the result has what there is and says that it was
    interrupted. Raises PktgenError when the ends cannot be opened.
    """
    with Session(settings) as session:
        made = _Script(session, tell)
        trials, throughput = made.trials()
        return Result(
            kind=settings.kind,
            settings=settings.model_dump(mode="json"),
            transmit=session.devices[0],
            receive=session.devices[1],
            machine=machine(),
            trials=tuple(trials),
            throughput=tuple(throughput),
            interrupted=session.was_stopped,
        )


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    cores = sorted(os.sched_getaffinity(0))
    return {"processor": model, "cores": cores, "system": platform.release()}


class _Script:
    def __init__(self, session: Session, tell: Tell | None) -> None:
        self.session = session
        self.settings = session.settings
        self.tell = tell

    def trials(self) -> tuple[list[Trial], list[Throughput]]:
        settings = self.settings
        trials: list[Trial] = []
        throughput: list[Throughput] = []
        counts = settings.ramp if settings.kind == "flows" else (settings.flows.count,)
        for count in counts:
            flows = settings.flows.model_copy(update={"count": count})
            if settings.warm_up and settings.replay is None and not self.session.was_stopped:
                self._trial(settings.warm_up_rate, flows, each_flow_once=True)
            if settings.kind == "throughput" or settings.search is not None:
                if not self.session.was_stopped:
                    throughput.append(self._search(flows, settings.search or Search()))
                continue
            for rate in settings.rates:
                if not self.session.was_stopped:
                    trials.append(self._trial(rate, flows))
        return trials, throughput

    def _trial(self, rate_pps: float, flows: Flows, *, each_flow_once: bool = False) -> Trial:
        what = "warm-up" if each_flow_once else f"{rate_pps:,.0f} packets/s"
        what = "replay" if self.settings.replay is not None else f"{what}, {flows.count:,} flows"

        def progress(packets: int, sent: int, received: int) -> None:
            if self.tell is not None:
                self.tell(what, packets, sent, received)

        return self.session.trial(
            rate_pps, flows=flows, each_flow_once=each_flow_once, progress=progress
        )

    def _search(self, flows: Flows, search: Search) -> Throughput:
        """Halves the span between the highest rate that held and the lowest that did not."""
        trials: list[Trial] = []
        held, failed = 0.0, None
        rate = float(search.start)
        while not self.session.was_stopped:
            if self._holds(rate, flows, search, trials):
                held = rate
                if failed is None and rate >= search.maximum:
                    break
            else:
                failed = rate
            if failed is not None and failed - held <= search.resolution * failed:
                break
            rate = min(2 * held, search.maximum) if failed is None else (held + failed) / 2
            if rate < 1:
                break
        return Throughput(flows.count, held, _limit(trials, failed), tuple(trials))

    def _holds(self, rate: float, flows: Flows, search: Search, trials: list[Trial]) -> bool:
        """Tries it again before it counts as too high: a machine may have been busy otherwise."""
        for _ in range(search.tries):
            trials.append(trial := self._trial(rate, flows))
            if trial.interrupted:
                return False
            if trial.kept_up and trial.loss <= search.loss_max:
                return True
        return False


def _limit(trials: list[Trial], failed: float | None) -> str:
    if failed is None:
        return "maximum"
    tries = [trial for trial in trials if trial.rate_pps == failed]
    return "loss" if any(trial.kept_up for trial in tries) else "generator"
