# SPDX-License-Identifier: BSD-3-Clause
"""Scripts and what they run: problems with their lines, searches, ramps, the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftmb import pktgen
from ftmb.command_line import run
from ftmb.errors import ConfigurationError, PktgenError
from ftmb.lab import Host, Lab, namespaces
from ftmb.pktgen.latencies import summarize
from ftmb.pktgen.script import load, override
from ftmb.pktgen.settings import Flows
from ftmb.pktgen.traffic import flow_table, in_order_of_sending, sent_of_each
from tests.pktgen.conftest import ip, nft

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "scripts" / "pktgen").glob("*.toml"))
Make = Callable[..., pktgen.Settings]


def problems_of(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    return [problem.removeprefix(f"{path}:") for problem in refused.value.problems]


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    text = """kind = "latency"
secnds = 3
rates = [1000, 0]
frames = [64, 2000]
ramp = [10]
idle = "never"

[flows]
count = 11_000_000
source_ports = [9, 5]
sources = "10.0.0.0/33"

[search]
start = 100
maximum = 50

[transmit]
interface = "eth 0"
"""
    told = problems_of(tmp_path, text)
    expected = [
        (2, "secnds: unknown key.*did you mean 'seconds'"),
        (3, r"rates\[2\]: found 0; allowed: 1 to"),
        (4, "frames: .*64 to 1518"),
        (5, "ramp: means nothing to kind 'latency'"),
        (6, "idle: found 'never'; allowed: 'spin', 'yield' or 'sleep'"),
        (9, "flows.count: found 11000000; allowed: 1 to 10000000"),
        (10, "flows.source_ports: .*first and the last port"),
        (11, "flows.sources: .*an IPv4 network is needed"),
        (13, "search: means nothing"),
        (14, "search.start: found 100, which is above"),
        (18, "transmit.interface"),
    ]
    for line, pattern in expected:
        assert any(re.match(f"{line}: {pattern}", problem) for problem in told), (pattern, told)
    assert len(told) == len(expected), told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: kind: is missing; allowed: 'latency'"),
        ('kind = "flows"', "1: ramp: is missing"),
        ('kind = "replay"', r"1: replay: is missing"),
        ('kind = "replay"\nreply = true\n[replay]\nfile = "a"', "2: reply: found true"),
        ('kind = "latency"\n[flows]\ncount = 70000', "3: flows.count: found 70000; .*64512 flows"),
        ('kind = "flows"\nramp = [10, 100000]', r"2: ramp\[2\]: found 100000; .*64512 flows"),
        ('kind = "latency"\nseconds = 3000\nrates = [1_000_000]', r"3: rates\[1\]: .*3e\+09"),
        ('kind = "latency"\nrates = [', "this is not TOML"),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, text: str, problem: str) -> None:
    (told,) = problems_of(tmp_path, text)
    assert re.search(problem, told), told


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_scripts_that_come_with_it_are_right(
    script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["pktgen", "check", str(script)]) == 0
    assert str(script) in capsys.readouterr().out


def test_options_come_before_what_a_script_says() -> None:
    settings = load(ROOT / "scripts/pktgen/latency.toml")
    changed = override(settings, {("flows", "count"): 5, ("rates",): (7,), ("core",): None})
    assert (changed.flows.count, changed.rates, changed.reply) == (5, (7,), True)
    with pytest.raises(ConfigurationError, match=r"the options given: flows\.count: found 0"):
        override(settings, {("flows", "count"): 0})


def test_zipf_and_uniform_orders() -> None:
    import ipaddress

    network = ipaddress.IPv4Network("10.0.0.0/30")
    flows = Flows(count=200_000, sources="10.0.0.0/30", destination_ports=(9, 12))
    table = flow_table(flows, network, network)
    addresses = np.stack([table[name] for name in table.dtype.names[1:5]], axis=1)
    assert len(np.unique(addresses, axis=0)) == 200_000
    order = in_order_of_sending(table, flows, 1000)
    assert sorted(order["number"].tolist()) == list(range(200_000))
    assert (order["number"][:1000] != np.arange(1000)).sum() > 900
    assert sent_of_each(order, 200_000, 300_000).sum() == 300_000
    skewed = flows.model_copy(update={"mix": "zipf", "count": 1000, "exponent": 1.0})
    draws = in_order_of_sending(table[:1000], skewed, 400_000)["number"]
    counts = np.sort(np.bincount(draws, minlength=1000))[::-1]
    weights = 1 / np.arange(1, 1001)
    expected = 400_000 * weights / weights.sum()
    assert np.allclose(counts[:10], expected[:10], rtol=0.05)


def test_percentiles_are_those_of_the_samples() -> None:
    samples = np.random.default_rng(3).lognormal(10, 1.5, 300_000).astype(np.uint32)
    samples[:1000] = 0  # never came
    samples[1000] = 2**32 - 1
    came = samples[samples != 0]
    found = summarize(samples)
    assert found is not None
    assert (found.count, found.beyond_range, found.max_ns) == (299_000, 1, 2**32 - 1)
    assert found.min_ns == came.min()
    for name, share in (("p50_ns", 0.5), ("p90_ns", 0.9), ("p99_ns", 0.99), ("p999_ns", 0.999)):
        assert getattr(found, name) == pytest.approx(np.quantile(came, share), rel=0.002), name
    for latency_ns, share in found.cdf[::20]:
        assert share == pytest.approx((came <= latency_ns).mean(), abs=0.002)
    assert summarize(np.zeros(5, dtype=np.uint32)) is None


@as_root
def test_a_search_finds_the_rate_that_a_box_holds(routed: Lab, settings: Make) -> None:
    """The box lets 3000 packets/s through, and 300 more than that once."""
    nft(
        routed,
        "table ip drops {\n chain way {\n type filter hook forward priority 0\n"
        "udp dport 9 limit rate over 3000/second burst 300 packets drop\n}\n}\n",
    )
    search = {"start": 1000, "maximum": 50_000, "resolution": 0.1, "tries": 3}
    result = pktgen.run(settings(kind="throughput", seconds=0.5, search=search))
    (found,) = result.throughput
    assert found.limit == "loss"
    assert 1000 <= found.rate_pps <= 3000 + 300 / 0.5 + 100
    assert any(trial.loss > 0 for trial in found.trials)
    assert result.trials == ()


@as_root
def test_a_search_ends_at_its_maximum(routed: Lab, settings: Make) -> None:
    search = {"start": 500, "maximum": 1500, "resolution": 0.1, "tries": 10}
    (found,) = pktgen.run(settings(kind="throughput", seconds=0.2, search=search)).throughput
    assert (found.limit, found.rate_pps) == ("maximum", 1500)
    assert list(dict.fromkeys(trial.rate_pps for trial in found.trials)) == [500, 1000, 1500]


@as_root
def test_a_ramp_measures_at_each_number_of_flows(routed: Lab, settings: Make) -> None:
    made = settings(kind="flows", ramp=(10, 1000), warm_up=True, warm_up_rate=10_000, seconds=0.6)
    result = pktgen.run(made)
    assert [trial.flow_count for trial in result.trials] == [10, 1000]
    assert [trial.out.flows_seen for trial in result.trials] == [10, 1000]
    assert all(trial.out.lost == 0 for trial in result.trials)


def arguments_of(lab: Lab, script: str, *more: str) -> list[str]:
    ends = [f"{lab.namespace(host)}:eth0" for host in (Host.CLIENT, Host.SERVER)]
    path = str(ROOT / "scripts" / "pktgen" / script)
    return ["pktgen", "run", path, "--transmit", ends[0], "--receive", ends[1], *more]


@as_root
def test_the_command_prints_and_writes_json(
    routed: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "result.json"
    options = ("--rate", "2000", "--seconds", "0.5", "--flows", "20", "--json")
    status = run(arguments_of(routed, "latency.toml", *options, "--output", str(output)))
    assert status == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text())
    (trial,) = printed["trials"]
    assert (trial["sent"], trial["back"]["received"], trial["flow_count"]) == (1000, 1000, 20)
    assert trial["out"]["latency"]["cdf"][-1][1] == 1.0
    assert printed["settings"]["flows"]["count"] == 20


def packets_into(lab: Lab, interface: str) -> int:
    descriptor = namespaces.open_file(lab.namespace(Host.BOX), "dev")
    try:
        lines = os.pread(descriptor, 1 << 16, 0).decode().splitlines()
    finally:
        os.close(descriptor)
    (line,) = [line for line in lines if line.strip().startswith(f"{interface}:")]
    return int(line.split(":")[1].split()[1])


@as_root
def test_ctrl_c_leaves_a_partial_result(routed: Lab, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    options = ("--rate", "2000", "--seconds", "600", "--output", str(output), "--no-warm-up")
    before = packets_into(routed, "inside")
    command = [sys.executable, "-m", "ftmb", *arguments_of(routed, "latency.toml", *options)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while packets_into(routed, "inside") < before + 500 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    result = json.loads(output.read_text())
    assert result["interrupted"] and "interrupted" in out
    (trial,) = result["trials"]
    assert 0 < trial["sent"] < 1_200_000 and trial["out"]["lost"] == 0


@as_root
def test_what_is_not_there_is_said(lab: Lab, settings: Make) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"transmit": {"namespace": "no-such"}}, "no network namespace 'no-such'; there are: "),
        ({"receive": {"interface": "eth7"}}, "no such interface; there are: .*eth0"),
        ({"receive": {"address": "192.0.2.7/24"}}, "no way to 192.0.2.7 by 10.77.0.1"),
    ]
    for changes, message in cases:
        with pytest.raises(PktgenError, match=message):
            pktgen.run(settings(**changes))
    ip(lab, Host.CLIENT, "link", "set", "eth0", "mtu", "1400")
    try:
        with pytest.raises(PktgenError, match=r"1514 bytes .* do not fit its MTU of 1400"):
            pktgen.run(settings(frames="imix"))
    finally:
        ip(lab, Host.CLIENT, "link", "set", "eth0", "mtu", "1500")
    with pytest.raises(PktgenError, match="both ends are needed"):
        pktgen.run(pktgen.Settings(kind="latency"))
