# SPDX-License-Identifier: BSD-3-Clause
"""The trace and the rules that inspection is measured with are what is said of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader

from benchmarks.ids import Material, trace
from benchmarks.report.sections import sections_of
from tests.elements.ids_peer import of_box

CONNECTIONS = 200


def test_it_is_the_same_each_time() -> None:
    assert trace.rules(50) == trace.rules(50)
    assert trace.frames(20, 50) == trace.frames(20, 50)


def test_all_rules_are_in_the_subset_and_different() -> None:
    material = Material.make(1000)
    assert len(set(material.written)) == len(set(material.canonical)) == 1000


def test_connections_are_whole() -> None:
    ends: Counter[str] = Counter()
    for frame in trace.frames(CONNECTIONS, 50):
        packet = Ether(frame)
        assert len(frame) == 14 + packet[IP].len
        ends[str(packet[TCP].flags)] += 1
    assert (ends["S"], ends["SA"], ends["FA"]) == (CONNECTIONS, CONNECTIONS, 2 * CONNECTIONS)
    assert ends["R"] == 0


def test_capture_and_generator_have_the_same_frames(tmp_path: Path) -> None:
    made = trace.frames(20, 50)
    trace.write_capture(tmp_path / "trace.pcap", made, 2)
    with RawPcapReader(str(tmp_path / "trace.pcap")) as reader:
        read = [(when.sec + when.usec / 1e6, frame) for frame, when in reader]
    assert [frame for _, frame in read] == made + made
    assert sorted(when for when, _ in read) == [when for when, _ in read]
    traffic = trace.traffic(made)
    assert traffic.lengths is not None and traffic.count == len(made)
    for index, frame in enumerate(made):
        start = index * traffic.stride
        assert traffic.frames[start : start + int(traffic.lengths[index])] == frame


def test_patterns_are_planted_and_found_in_each_round() -> None:
    """Round and round, as a generator sends it: what ended begins again."""
    made = trace.frames(CONNECTIONS, 1)
    once = [(1.0 + index * 1e-5, frame) for index, frame in enumerate(made)]
    twice = once + [(when + 1.0, frame) for when, frame in once]
    (rule,) = Material.make(1).canonical
    anywhere = rule.replace("any 80 ->", "any any ->").replace("flow:established,to_client; ", "")
    anywhere = anywhere.replace("-> [10.0.0.0/8,172.16.0.0/12,192.168.0.0/16] any", "-> any any")
    planted = CONNECTIONS // trace.PLANTED_EVERY
    assert of_box(once, [anywhere]).total() == planted
    assert of_box(twice, [anywhere]).total() == 2 * planted


def test_the_report_shows_it_with_and_without_suricata() -> None:
    spread = {"median": 2.0, "min": 1.0, "max": 3.0}
    row = {
        "gbit": {"protected": spread, "unprotected": spread},
        "ratio": 1.0,
        "to_suricata": None,
        "bytes_per_packet": 480.7,
        "alerts": {"ids": 6.0, "suricata": None},
    }
    ((name, _, (table,)),) = sections_of({"ids": {"1000": row}})
    assert name == "ids"
    assert table.rows[0][1] == "2.00 (1.00 to 3.00)"
    assert table.rows[0].count("not measured") == 3
