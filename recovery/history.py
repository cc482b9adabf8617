# SPDX-License-Identifier: BSD-3-Clause
"""What happened to a box so far, for whoever asks: failovers with their times, pauses, digests.

All times are nanoseconds of the monotonic clock. What is kept is bounded; the counts go on.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftmb._native.logger import Logger, Peer

FAILOVERS_MAX = 1000
PAUSES_MAX = 100
FIRST_OUTPUT_PATIENCE_NS = 2_000_000_000  # after that without traffic, nobody waits for it


@dataclass
class Failover:
    """One failure of a master; `lost_state` when nobody could take over."""

    epoch: int
    cause: str
    lost_state: bool
    detected_ns: int
    live_ns: int | None = None
    first_output_ns: int | None = None
    protected_again_ns: int | None = None
    snapshot_pause_ns: int | None = None


class History:
    """Kept by the logger process, so it survives everything but that."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self.failovers: list[Failover] = []
        self.failover_count = 0
        self.state_losses = 0
        self.fenced_count = 0
        self.snapshot_pauses_ns: list[int] = []
        self._digests = {"compared": 0, "mismatched": 0}  # of standbys that are gone

    def record(self, failover: Failover) -> None:
        """A failover whose fence and cut are done."""
        failover.live_ns = failover.live_ns or time.monotonic_ns()
        self.failover_count += 1
        self.state_losses += failover.lost_state
        self.failovers = [*self.failovers[1 - FAILOVERS_MAX :], failover]

    def record_pause(self, pause_ns: int) -> None:
        """How long a snapshot held the workers."""
        self.snapshot_pauses_ns = [*self.snapshot_pauses_ns[1 - PAUSES_MAX :], pause_ns]

    def protected_again(self, pause_ns: int | None) -> None:
        """A standby has everything; `pause_ns` is what its snapshot cost."""
        if self.failovers and self.failovers[-1].protected_again_ns is None:
            self.failovers[-1].protected_again_ns = time.monotonic_ns()
            self.failovers[-1].snapshot_pause_ns = pause_ns

    def note_first_output(self, master_epoch: int | None) -> None:
        """Looks whether the new master's first packet is out."""
        if self.failovers and self.failovers[-1].first_output_ns is None:
            counts = self.logger.counts()
            if counts["epoch"] == master_epoch:
                self.failovers[-1].first_output_ns = counts["first_output_ns"] or None

    def waits_for_output(self) -> bool:
        """Whether a first packet is still worth looking for."""
        return bool(
            self.failovers
            and self.failovers[-1].first_output_ns is None
            and time.monotonic_ns() - self.failovers[-1].detected_ns < FIRST_OUTPUT_PATIENCE_NS
        )

    def retire_digests(self, standby: Peer) -> None:
        """This standby's counts go on to count after it."""
        self._digests = self.digest_counts(standby)

    def digest_counts(self, standby: Peer | None) -> dict[str, int]:
        """Over all standbys so far, with the present one's."""
        counts = dict(self._digests)
        for worker in range(self.logger.settings.workers if standby is not None else 0):
            assert standby is not None
            of_worker = standby.worker_counts(worker)
            counts["compared"] += of_worker["digests_compared"]
            counts["mismatched"] += of_worker["digests_mismatched"]
        return counts

    def as_data(self) -> list[dict[str, object]]:
        """The last failovers, oldest first."""
        return [asdict(failover) for failover in self.failovers]
