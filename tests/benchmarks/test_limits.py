# SPDX-License-Identifier: BSD-3-Clause
"""Limits are counted by role and function, and priced with what was measured."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks import command_line, limits, targets
from benchmarks.limits import cases, counted, prices, profile, words
from benchmarks.limits.tables import tables
from benchmarks.rig import available_cores

DUMP = """# callgrind format
desc: Trigger: Client Request: nat:64:10000:protected:64/master
positions: instr
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw

ob=(1) /core.so
fn=(1) worker
0x100 10 3 2 0 2 1 0 1 1
+4 5
cob=(2) /usr/lib/libc.so.6
cfn=(2) memcpy@@GLIBC_2.14
calls=1 0x900
* 99 9 9 9 9 9 9 9 9
-4 7

ob=(2)
fn=(2)
0x900 99 9 9 9 9 9 9 4 9
ob=(3) /usr/bin/python3
fn=(3) PyEval
0x1 1000
"""
COSTS = {
    "cycles_per_us": 2000.0,
    "core_cycles": 2.0,
    "copy_bytes": 1500,
    "hop": {"one_way": 100.0, "line_waited_for": 50.0, "line_in_a_row": 2.0},
    "loads": [
        {"kib": kib, "huge_pages": True, "dependent": dependent, "independent": 1.0}
        for kib, dependent in ((512, 10.0), (4096, 30.0), (262144, 400.0))
    ],
    "copies": [
        {"kib": kib, "to_l1": 20.0, "to_small_log": 40.0, "to_log": 150.0}
        for kib in (4096, 262144)
    ],
}  # fmt: skip


def row(instructions: float, l1: float, l2: float, l3: float) -> dict[str, Any]:
    figures = {"instructions": instructions, "l1": l1, "l2": l2, "l3": l3, "written": 1.0}
    return {**figures, "cycles": 100.0, "copying": figures, "functions": [{"name": "f", **figures}]}


def section() -> dict[str, Any]:
    roles = {"input logger": row(170, 1, 1, 0), "output logger": row(270, 2, 2, 1)}
    found = {}
    for element, master in (("forward", row(120, 1, 1, 1)), ("nat", row(600, 4, 3, 2))):
        for side in cases.SIDES:
            for size, log_mib in ((64, 64), (1500, 64), (1500, 4)):
                case = cases.case_of(element, 10_000, side, size, log_mib)
                found[case] = {**roles, "master": master}
    return {"costs": COSTS, "counted": found, "turns_ns": limits.turns_ns(), "command": "limits",
            "caches": {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25}}  # fmt: skip


def test_costs_are_added_by_address_and_what_calls_cost_is_told_once() -> None:
    dump = profile.parse(DUMP.splitlines())
    assert dump.trigger == "nat:64:10000:protected:64/master"
    assert dump.costs["/core.so", "worker", 0x100] == profile.Cost(17, 2, 1, 1)
    assert dump.costs["/core.so", "worker", 0x104] == profile.Cost(5)
    assert dump.costs["/usr/lib/libc.so.6", "memcpy@@GLIBC_2.14", 0x900].last_reads == 4


def test_a_dump_without_caches_is_refused() -> None:
    with pytest.raises(ValueError, match="D1mr"):
        profile.parse(DUMP.replace("D1mr D1mw ILmr DLmr DLmw", "").splitlines())


def test_helpers_of_headers_belong_to_who_uses_them() -> None:
    frames = [("ring_copy", "/a/ring.h:9"), ("check", "/a/check.c:3 (discriminator 2)"),
              ("receive", "/a/output.c:8")]  # fmt: skip
    assert profile.innermost(frames) == "check"
    assert profile.innermost([("mix", "hash.h:1"), ("hash", "hash.h:7")]) == "hash"


@pytest.mark.parametrize(
    ("size", "ways", "simulated"),
    [
        (48 << 10, 12, (48 << 10, 12)),
        (32 << 20, 16, (32 << 20, 16)),
        (30 << 20, 20, (30 << 20, 30)),
    ],
)
def test_a_simulated_cache_has_sets_in_a_power_of_two(
    size: int, ways: int, simulated: tuple[int, int]
) -> None:
    assert counted.simulated(size, ways) == simulated


def test_lines_are_priced_by_where_they_come_from() -> None:
    told = section()
    reads = prices.reads_in(told, cases.case_of("nat", 10_000, "protected"), "master")
    assert reads == prices.Reads(l2=1, l3=1, memory=1, core=1)
    paid = reads.cycles(prices.prices(COSTS))
    assert paid == prices.Price(alone=10 + 30 + 400 + 50, overlapped=1 + 1 + 1 + 2)
    alone = prices.prices({key: value for key, value in COSTS.items() if key != "hop"})
    assert reads.cycles(alone).alone == 10 + 30 + 400 + 30


def test_targets_are_limited_by_what_was_counted() -> None:
    told = section()
    assert "600 instructions a packet, 3.0 a core's cycle" in words.master(told, "nat", "10000")
    assert "5 cycles if all overlap, 490 if none" in words.master(told, "nat", "10000")
    assert words.master(told, "nat", "1000000") == words.master(None, "nat", "10000") == ""
    # two hops of 100, a line read by each of the two roles behind them: 300 of 2,000 in a us
    assert "0.15 us" in words.latency(told)
    assert "4 us of the standby, up to 200" in words.latency(told)
    rows = {row["name"]: row["limit"] for row in targets.compute({"limits": told})}
    assert "600 instructions" in rows["nat protected, 64 bytes, 10,000 shuffled flows"]
    assert "hops" in rows["latency added at half load, snapshots being taken: median"]


def test_every_table_is_filled() -> None:
    for table in tables(section()):
        assert table.rows and all(len(cells) == len(table.columns) for cells in table.rows)


def test_without_valgrind_it_says_how_to_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    ended = CliRunner().invoke(command_line.main, ["limits"])
    assert ended.exit_code == 1
    assert "apt-get install valgrind" in ended.output


@pytest.fixture(scope="module")
def built() -> None:
    counted.build()


@pytest.mark.usefixtures("built")
def test_costs_are_measured() -> None:
    """A load costs more the more memory it is from, and a copy more than nothing."""
    cores = available_cores()
    told = subprocess.run([counted.BUILD / "costs", str(cores[0]), str(cores[-1])], check=True,
                          capture_output=True, text=True, timeout=60).stdout  # fmt: skip
    costs = json.loads(told)
    assert ("hop" in costs) == (len(cores) > 1)
    known = prices.prices(costs)
    assert known["L2"].alone > 0 and known["memory"].overlapped > 0
    assert {row["kib"] for row in costs["loads"]} >= {1024, 16384, 262144}
    assert {row["huge_pages"] for row in costs["loads"]} == {True, False}
    assert prices.copy_cycles(costs, "master") > 0 and costs["core_cycles"] > 0


@pytest.mark.usefixtures("built")
def test_a_box_is_counted() -> None:
    """The roles of a small NAT: what is counted depends on the code alone, so it can be bounded."""
    names = [cases.case_of(element, 100, "protected") for element in ("forward", "nat")]
    told = counted.count(names)
    for case in names:
        assert list(told[case]) == list(cases.ROLES)
        for row in told[case].values():
            assert 20 < row["instructions"] < 5_000 and row["cycles"] > 0
            assert row["l1"] >= row["l3"] >= 0 and len(row["functions"]) == 5
    forward, nat = (told[case]["master"] for case in names)
    # The element is all that differs: its work, and not the lines of the logs.
    assert nat["instructions"] > 2 * forward["instructions"]
    assert nat["l3"] == pytest.approx(forward["l3"], abs=0.1)
    assert 1.0 < forward["l3"] < 1.5  # an input record of 80 bytes
    assert "parse" in {one["name"] for one in nat["functions"]}
    of_logger = {one["name"] for one in told[names[0]]["output logger"]["functions"]}
    assert of_logger & {"take_slots", "slot_is_valid", "read_slot", "sort_slot"}
