# SPDX-License-Identifier: BSD-3-Clause
"""What the drill makes of what was recorded."""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from typing import Any

import numpy
from hypothesis import given
from hypothesis import strategies as st

from ftmb.drill.counters import read_interfaces, read_protocols
from ftmb.drill.failures import plan
from ftmb.drill.report.figures import spread
from ftmb.drill.settings import Failure
from ftmb.drill.traffic import echo_client
from ftmb.drill.workload import alerts, balanced, iperf, ping
from ftmb.drill.workload.echo import stalls
from ftmb.drill.workload.limited import Limit, off_bytes, passes
from ftmb.drill.workload.udp import count, losses, strange


def counted(sent: list[int], arrivals: list[tuple[int, int]], overflow: int = 0) -> tuple[int, ...]:
    flows = numpy.array([flow for flow, _ in arrivals], dtype=numpy.uint64)
    numbers = numpy.array([number for _, number in arrivals], dtype=numpy.uint64)
    return count(sent, flows, numbers, overflow)


def test_losses_duplicates_and_reordering_are_told_apart() -> None:
    assert counted([3, 2], [(0, 0), (1, 0), (0, 1), (0, 2), (1, 1)]) == (0, 0, 0)
    assert counted([3, 2], [(0, 0), (0, 2), (1, 1)]) == (2, 0, 0)
    assert counted([3], [(0, 0), (0, 1), (0, 1), (0, 2)]) == (0, 1, 0)
    assert counted([3], [(0, 1), (0, 0), (0, 2)]) == (0, 0, 1)
    assert counted([2], []) == (2, 0, 0)


def test_garbage_is_found() -> None:
    flows = numpy.array([0, 0, 1, 7], dtype=numpy.uint64)
    numbers = numpy.array([0, 3, 1, 0], dtype=numpy.uint64)
    assert strange([3, 2], flows, numbers) == 2


def test_what_the_socket_dropped_is_not_lost_on_the_way() -> None:
    assert counted([5], [(0, 0), (0, 4)], overflow=2) == (1, 0, 0)
    assert counted([5], [(0, 0), (0, 4)], overflow=9) == (0, 0, 0)


def test_losses_are_listed_with_about_the_time() -> None:
    rows = [(0, 0, 10), (0, 2, 30), (1, 1, 25)]
    datagrams = numpy.array(rows, dtype=numpy.uint64)
    assert losses([4, 2], datagrams) == [(1, 0, 0), (0, 1, 10), (0, 3, 30)]


@given(st.integers(1, 50), st.integers(0, 2**32), st.data())
def test_any_shuffle_loses_and_doubles_nothing(sent: int, seed: int, data: st.DataObject) -> None:
    numbers = list(range(sent))
    random.Random(seed).shuffle(numbers)
    kept = data.draw(st.integers(0, sent))
    lost, duplicated, reordered = counted([sent], [(0, number) for number in numbers[:kept]])
    assert (lost, duplicated) == (sent - kept, 0)
    assert reordered <= max(0, kept - 1)


def test_stalls_are_counted_for_each_connection() -> None:
    rows = [(0, 100, 1), (1, 150, 1), (0, 300, 1), (1, 160, 1), (0, 310, 1)]
    numbers, times, gaps = stalls(numpy.array(rows, dtype=numpy.uint64))
    assert list(zip(numbers, times, gaps, strict=True)) == [
        (0, 300, 200),
        (0, 310, 10),
        (1, 160, 10),
    ]


def test_ping_counts_up_to_the_last_reply() -> None:
    text = "\n".join(
        f"64 bytes from 198.51.100.2: icmp_seq={number} ttl=63 time=0.{number} ms"
        for number in (1, 2, 4)
    )
    assert ping.read(text) == ping.PingFigures(4, 1, 0, 0.4)
    assert ping.read("").sent == 0
    again = "64 bytes from 198.51.100.2: icmp_seq=1 ttl=63 time=0.1 ms"
    assert ping.read(f"{again}\n{again} (DUP!)").duplicated == 1


def test_iperf_sums_without_the_closing_summary() -> None:
    text = (
        "[SUM]   0.00-0.50   sec  11.9 MBytes   200 Mbits/sec    3             \n"
        "[  5]   0.50-1.00   sec  2.98 MBytes  50.0 Mbits/sec    0    218 KBytes\n"
        "[SUM]   0.50-1.00   sec  11.9 MBytes   199.5 Mbits/sec    0             \n"
        "[SUM]   0.00-4.61   sec   110 MBytes   200 Mbits/sec    3             sender\n"
    )
    assert iperf.intervals(text) == [(200.0, 3), (199.5, 0)]


def test_what_curl_wrote_is_read() -> None:
    text = "backend1 1 200 \nbackend1 0 200 \n 1 000 it timed out\nbackend2 1 2"
    assert balanced.read(text) == [
        balanced.Answer("backend1", True, True),
        balanced.Answer("backend1", False, True),
        balanced.Answer("", True, False, "it timed out"),
    ]


def test_long_connections_break_or_move() -> None:
    def judged(*names: str) -> tuple[int, int]:
        """A name in capitals: by a new connection; empty: no answer."""
        answers = [balanced.Answer(name.lower(), name.isupper(), bool(name)) for name in names]
        return balanced.count_long(answers)

    assert judged("A", "a", "a") == (0, 0)
    assert judged("A", "a", "b", "b") == (0, 1)
    assert judged("A", "a", "B", "b") == (1, 0)
    assert judged("A", "", "A") == (2, 0)
    assert judged() == (0, 0)


def test_a_spread_is_uneven_beyond_chance() -> None:
    names = ["a", "b", "c"]
    assert balanced.uneven(Counter(a=100, b=110, c=90), names) == 0
    assert balanced.uneven(Counter(a=200, b=50, c=50), names) == 3
    assert balanced.uneven(Counter(a=150, b=150), names) == 3
    assert balanced.uneven(Counter(), names) == 0


def test_a_bucket_lets_pass_a_burst_and_then_its_rate() -> None:
    limit = Limit("10.0.0.1", 8_000, 3_000)  # a byte in a millisecond
    sent_ns = numpy.arange(0, 10_000, 250, dtype=numpy.uint64) * numpy.uint64(1_000_000)
    found = passes(sent_ns, 1000, limit)
    assert found[:4].tolist() == [True, True, True, False]
    assert found.sum() == 3 + 9
    as_it_should = numpy.flatnonzero(found).astype(numpy.uint64)
    assert off_bytes(sent_ns, as_it_should, 1000, limit) == 0
    refilled = numpy.union1d(as_it_should, numpy.array([20, 21, 22], dtype=numpy.uint64))
    assert off_bytes(sent_ns, refilled, 1000, limit) == 1000 * (3 - int(found[20:23].sum()))
    assert off_bytes(sent_ns, as_it_should[:2], 1000, limit) == 10_000
    assert off_bytes(sent_ns[:0], as_it_should[:0], 1000, limit) == 0


def test_what_an_iperf_server_received_is_summed() -> None:
    text = (
        "[SUM]   0.00-0.50   sec  11.9 MBytes   200 Mbits/sec                  \n"
        "[  5]   0.50-1.00   sec  2.98 MBytes  50.0 Mbits/sec                  \n"
        "[SUM]   0.50-1.00   sec  11.9 MBytes   100 Mbits/sec                  \n"
        "[SUM]   0.00-1.00   sec   110 MBytes   200 Mbits/sec                  receiver\n"
    )
    assert iperf.received(text) == (1.0, 150.0)


def event(source: tuple[str, int], sid: int = alerts.SID) -> str:
    told = {"event_type": "alert", "src_ip": source[0], "src_port": source[1]}
    return json.dumps({**told, "alert": {"signature_id": sid}})


def test_alerts_are_read_and_lines_that_are_not_whole_are_counted() -> None:
    lines = [event(("a", 1)), event(("a", 1)), event(("b", 2), sid=5), event(("c", 3))[:-4]]
    assert alerts.read(lines) == (Counter({("a", 1): 2}), 1)


def test_alerts_that_are_missing_doubled_or_made_up_are_told_apart() -> None:
    expected = Counter({("a", 1): 2, ("b", 2): 1, ("c", 3): 1})
    none: Counter[tuple[str, int]] = Counter()
    assert alerts.judge(expected, none, expected.copy()) == alerts.Judgement(0, 0, 0)
    found = Counter({("a", 1): 1, ("b", 2): 3, ("d", 4): 1})
    assert alerts.judge(expected, none, found) == alerts.Judgement(2, doubled=2, invented=1)
    cut_off = Counter({("d", 4): 1, ("e", 5): 1})
    assert alerts.judge(expected, cut_off, found) == alerts.Judgement(2, doubled=2, invented=0)


def test_patterns_with_a_failure_inside_are_counted() -> None:
    def one(kind: str, first_ns: int, last_ns: int) -> dict[str, Any]:
        return {"kind": kind, "first_ns": first_ns, "last_ns": last_ns}

    sent = [one("halves", 10, 20), one("bytes", 21, 40), one("decoy", 10, 20), one("whole", 15, 15)]
    assert alerts.across(sent, [15]) == 1
    assert alerts.across(sent, [15, 16, 30]) == 2
    assert alerts.across(sent, []) == 0


def test_counters_of_interfaces_are_read() -> None:
    text = (
        "Inter-|   Receive\n face |bytes\n"
        "  eth0:  100   2    0    3    0     0          0         0   200   4    0    5 0 0 0 0\n"
    )
    eth0 = read_interfaces(text)["eth0"]
    assert (eth0.received_bytes, eth0.received, eth0.receive_drops) == (100, 2, 3)
    assert (eth0.sent_bytes, eth0.sent, eth0.send_drops) == (200, 4, 5)


def test_faults_of_a_kernel_are_read() -> None:
    text = "Ip: Forwarding InHdrErrors\nIp: 1 7\nUdp: InDatagrams NoPorts\nUdp: 5 6\n"
    assert read_protocols(text)["UdpNoPorts"] == 6
    assert read_protocols(text)["IpInHdrErrors"] == 7


def test_failures_are_planned_evenly_and_repeatably() -> None:
    planned = plan(tuple(Failure), 10, random.Random(1))
    assert planned == plan(tuple(Failure), 10, random.Random(1))
    assert sorted(planned.count(failure) for failure in Failure) == [3, 3, 4]


def test_a_spread_of_nothing_is_empty() -> None:
    assert spread([None]) == {"p50": None, "max": None}
    assert spread([3.0, None, 1.0, 2.0]) == {"p50": 2.0, "max": 3.0}


def test_a_client_that_was_held_up_itself_calls_nobody_silent() -> None:
    arguments = argparse.Namespace(
        target="", port=1, sources=[""], connections=1, interval=1, result=""
    )
    client = echo_client.EchoClient(arguments)
    (connection,) = client.connections
    second = 1_000_000_000
    assert not client.is_silent(connection, 100 * second)
    connection.sent_ns.append(second)
    assert not client.is_silent(connection, 8 * second)
    assert client.is_silent(connection, 10 * second)
    client.judged_from_ns = 18 * second
    assert not client.is_silent(connection, 10 * second)
    assert client.is_silent(connection, 18 * second)
