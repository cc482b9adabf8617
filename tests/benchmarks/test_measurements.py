# SPDX-License-Identifier: BSD-3-Clause
"""Each measurement, as small as it gets: what it counts must add up. No timing is asserted.

The measurements themselves compare what came in with what went out, and digests (Rig.check).
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import latency, log_bytes, memory, pipelined, shared, snapshot, throughput, traffic
from benchmarks.report.sections import sections_of
from benchmarks.rig import Rig
from benchmarks.scaling import points
from ftmb._native.memory import cycles

FLOWS = 1000


def frames_of(made: traffic.Traffic) -> np.ndarray:
    return np.frombuffer(made.frames, dtype=np.uint8).reshape(-1, made.stride)


@pytest.mark.parametrize("count", [1, 16, 300_000])
def test_each_frame_is_of_a_flow_of_its_own(count: int) -> None:
    frames = frames_of(traffic.flows(count))
    assert len(np.unique(frames[:, 26:38].copy().view("V12"))) == count
    words = frames[:, 14:34].astype(np.uint32)
    total = (words[:, 0::2] * 256 + words[:, 1::2]).sum(axis=1)
    assert set((total >> 16) + (total & 0xFFFF)) <= {0xFFFF, 0x1FFFE}


def test_the_order_is_shuffled() -> None:
    frames = frames_of(traffic.flows(4096))
    hosts = frames[:, 28].astype(int) * 256 + frames[:, 29]
    assert (np.diff(hosts) > 0).mean() < 0.6


def test_a_mix_has_its_sizes() -> None:
    mix = traffic.imix_flows(12_000)
    assert mix.lengths is not None
    sizes, counts = np.unique(mix.lengths + traffic.FCS_SIZE, return_counts=True)
    assert sizes.tolist() == [64, 594, 1518]
    assert (counts / 12_000).tolist() == pytest.approx([7 / 12, 4 / 12, 1 / 12], abs=0.03)


@pytest.mark.parametrize("protected", [True, False])
def test_bytes_and_packets_add_up(protected: bool) -> None:
    mix = traffic.imix_flows(FLOWS)
    assert mix.lengths is not None
    with Rig("forward", throughput.OPTIONS["forward"], mix, protected=protected, idle="sleep",
             input_mib=1) as rig:  # fmt: skip
        rig.warm_up(3 * FLOWS)
        into, out = rig.logger.port_counts("inside"), rig.logger.port_counts("outside")
    assert into["received"] == out["sent"] == 3 * FLOWS
    assert into["received_bytes"] == out["sent_bytes"] == 3 * int(mix.lengths.sum())


@pytest.mark.parametrize("element", ["forward", "nat"])
def test_every_role_has_cycles(element: str) -> None:
    options = throughput.options_of(element, FLOWS)
    series = throughput.compare(element, options, traffic.flows(FLOWS), 2)
    assert len(series.protected.rates) == len(series.unprotected.rates) == 2
    assert all(min(values) > 0 for values in series.protected.cycles.values())
    assert max(series.unprotected.cycles["standby"]) == 0
    summary = series.summary()
    total = sum(summary["cycles_per_packet"]["unprotected"].values())
    assert summary["cycles_per_packet"]["unprotected_total"] == pytest.approx(total, rel=0.5)
    sections_of({"throughput": {element: {str(FLOWS): {**summary, "command": ""}}}})


def test_many_flows_have_ports_and_places() -> None:
    options = throughput.options_of("nat", 10_000_000)
    assert options["external"] == throughput.MANY_EXTERNAL
    assert 10_000_000 < options["sessions_max"] <= throughput.SESSIONS_MAX


def test_port_to_port_nothing_is_lost() -> None:
    result = pipelined.measure("nat", FLOWS, 1, seconds=0.05)
    for side in ("protected", "unprotected"):
        assert result[side]["mpps"]["median"] > 0
        assert result[side]["limit"]
    assert result["unprotected"]["busy"]["standby"] == 0
    sections_of({"pipelined": {"nat": {str(FLOWS): result}}})


def test_the_limit_is_the_core_that_is_full() -> None:
    cores = {"loggers": 0, "master": 1, "standby": 0}
    busy = {"loggers": 0.6, "master": 0.5, "standby": 0.38}
    assert pipelined.limit_of(busy, cores) == "core 0 (loggers and standby)"
    assert pipelined.limit_of({**busy, "master": 0.97}, cores).endswith("core 1 (master)")
    assert pipelined.limit_of({**busy, "standby": 0.1}, cores).startswith("none")


def test_latency_has_a_sample_for_each_packet() -> None:
    result = latency.measure(1, rate=20_000, seconds=0.35)
    for kind in latency.KINDS:
        one = result["rounds"][kind][0]
        assert one["lost"] == 0
        assert 0 < one["p50"] <= one["p99"] <= one["max"]
        assert one["threads"]
        assert result["cdf"][kind][-1][1] == 1.0
    assert len(result["snapshot_pause_us"]) >= 1
    added = result["protected"]["p50"] - result["unprotected"]["p50"]
    assert result["added"]["p50"] == pytest.approx(added, abs=0.01)
    sections_of({"latency_us": result})


def test_parts_of_the_logs_are_the_whole_of_them() -> None:
    packets = 20_000
    parts = log_bytes.in_full_bursts("forward", packets)
    assert parts["pals"] == parts["access_pals"] == parts["pals_per_packet"] == 0
    assert parts["packets_per_record"] == pytest.approx(32, rel=0.02)
    assert parts["access_records"] == pytest.approx(32 / 32, rel=0.02)
    assert parts["dependencies"] == 0  # one worker has nobody to depend on
    assert parts["input_framing"] == pytest.approx(16 + 4, rel=0.02)  # header, padding to 16


@pytest.mark.parametrize("element", shared.ELEMENTS)
def test_so_does_that_of_other_elements(element: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "PORTION_PER_WORKER", 10_000)
    monkeypatch.setattr(shared, "PORTION_LARGE", 2_000)
    result = shared.measure_element(element, 2, 1)
    assert result["pals_per_packet"] > 0 and result["ratio"] > 0
    sections_of({"shared_by_element": {element: {"2": result}}})


def test_shared_state_changes_hands_between_two_workers() -> None:
    result = shared.measure(2, 1, portion=10_000)
    assert 0 < result["pals_per_packet"] < 2
    assert result["pals_per_packet_of_every_access"] == 2  # the host's stripe and the totals
    assert result["cycles_per_packet"]["unprotected"]["standby"] == 0
    assert result["protected_mpps"]["median"] > 0
    sections_of({"shared": {"2": result}})


def test_memory_is_bounded() -> None:
    result = memory.measure(20_000, packets=200_000)
    flow, logs = result["nat_flow_bytes"], result["logs"]
    assert 60 < flow["allocated"] < 200 and 30 < flow["resident"] < 200
    assert logs["refused"] > 0 and logs["kept"]
    assert 0 < logs["input_log"]["fill_max"] <= logs["input_log"]["bytes"]
    sections_of({"memory": result})


def test_a_snapshot_of_live_traffic_is_taken() -> None:
    result = snapshot.measure(FLOWS, snapshots=2)
    assert 0 < result["pause_us"]["min"] <= result["pause_us"]["max"]


@pytest.mark.parametrize("workers", [1, 4])
def test_stepped_workers_take_over_from_one_another(workers: int) -> None:
    made = traffic.flows(FLOWS)
    protected = points.stepped_point(workers, 100, made, 1, protected=True, packets=500)
    assert protected["master"] > 0 and protected["standby"] > 0 and protected["loggers"] > 0
    assert (protected["pals"] > 0) == (workers > 1)
    alone = points.stepped_point(workers, 0, made, 1, protected=True, packets=500)
    assert alone["pals"] == 0
    unprotected = points.stepped_point(workers, 100, made, 1, protected=False, packets=500)
    assert unprotected["standby"] == 0


def test_cycles_go_on() -> None:
    assert cycles() < cycles()
