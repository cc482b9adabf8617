# SPDX-License-Identifier: BSD-3-Clause
"""The limiter beside a model of it: packet by packet the same, drops by reason included."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from tests.elements.limiter_frames import Limiter, Packet
from tests.elements.limiter_model import Model

CLASSES = ["voice keeps 30%", "work keeps 20%", "bulk"]
RULES = ["voice dscp ef", "work udp any -> any port 443", "work udp any port 443 -> any"]
HOSTS = [f"10.1.{host // 8}.{host % 8 + 1}" for host in range(24)] + [
    f"2001:db8:{network:x}::{host:x}" for network in (1, 2) for host in (1, 2, 3)
]
EF = 46


def level_of(packet: Packet) -> int:
    return 0 if packet.dscp == EF else 1 if packet.port == 443 else 2


def draw(chance: random.Random, number: int) -> Packet:
    return Packet(
        number,
        chance.choice(HOSTS),
        chance.random() < 0.5,
        chance.randrange(90, 1500),
        chance.choice([0, 0, EF]),
        chance.choice([443, 80]),
    )


def agree(limiter: Limiter, model: Model, chance: random.Random, rounds: int) -> Counter[str]:
    """Bursts of up to 70 packets at random times; what the model refused, by reason."""
    refused: Counter[str] = Counter()
    number = 0
    for _ in range(rounds):
        packets = [draw(chance, number + n) for n in range(chance.randrange(1, 70))]
        number += len(packets)
        limiter.wait(chance.choice([1, 999, 1_000_003, 17_000_011, 333_000_001]))
        passed = limiter.send(*packets)
        reasons = {p.number: model.passes(p, level_of(p), limiter.now_ns) for p in packets}
        assert set(passed) == {n for n, reason in reasons.items() if reason is None}
        refused.update(reason for reason in reasons.values() if reason is not None)
    assert limiter.drops() == dict(refused)
    return refused


@pytest.mark.parametrize("seed", range(2))
def test_all_buckets_and_classes(make_box, seed):
    options: dict[str, Any] = {
        "total": "upload 3M burst 20000 download 5M burst 30000",
        "host": "upload 600k burst 6000 download 900k burst 9000",
        "prefixes": ["10.1.1.0/24 upload 700k burst 7000", "10.1.0.0/16 download 2M burst 15000",
                     "2001:db8:1::/48 upload 300k burst 8000 download 400k burst 5000"],
        "classes": CLASSES,
        "rules": RULES,
        "overhead": 24 * (seed % 2),
        "hosts_max": 256,
    }  # fmt: skip
    model = Model(
        total=((3_000_000, 20000), (5_000_000, 30000)),
        host=((600_000, 6000), (900_000, 9000)),
        prefixes={
            "10.1.1.0/24": ((700_000, 7000), (None, 0)),
            "10.1.0.0/16": ((None, 0), (2_000_000, 15000)),
            "2001:db8:1::/48": ((300_000, 8000), (400_000, 5000)),
        },
        keeps=(30, 20, 0),
        overhead=24 * (seed % 2),
    )
    refused = agree(Limiter(make_box, **options), model, random.Random(seed), 40)
    assert len(refused) == 6, "each kind of bucket must have had something to refuse"


def test_no_nanosecond_is_lost(make_box):
    """Packets come about a microsecond apart, and a bucket gains a few bytes and a part of one."""
    limiter = Limiter(make_box, total="upload 1G burst 2048")
    model = Model(total=((1_000_000_000, 2048), (None, 0)))
    chance = random.Random(5)
    outcomes: Counter[str | None] = Counter()
    for number in range(50):
        packet = Packet(number, "10.1.0.1", size=2000 if number == 0 else chance.randrange(90, 130))
        limiter.wait(chance.randrange(1, 1400))
        reason = model.passes(packet, 0, limiter.now_ns)
        assert (packet.number in limiter.send(packet)) == (reason is None)
        outcomes[reason] += 1
    assert min(outcomes.values()) > 2


@pytest.mark.parametrize("workers", [2, 4])
def test_one_packet_at_a_time_on_several_workers(make_box, workers):
    """Whichever worker a packet gets to finds the bucket as the one before left it."""
    host = "upload 300k burst 4000 download 200k burst 3000"
    limiter = Limiter(make_box, workers, host=host, total="upload 500k burst 9000")
    model = Model(total=((500_000, 9000), (None, 0)), host=((300_000, 4000), (200_000, 3000)))
    chance = random.Random(workers)
    outcomes: Counter[str | None] = Counter()
    for number in range(60):
        packet = Packet(number, HOSTS[number % 3], chance.random() < 0.6, 1200, 0,
                        chance.randrange(1, 9999))  # fmt: skip
        limiter.wait(chance.randrange(1, 9_000_000))
        reason = model.passes(packet, 0, limiter.now_ns)
        assert (packet.number in limiter.send(packet)) == (reason is None)
        outcomes[reason] += 1
    assert len(outcomes) == 4


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_equal_packets_at_once_on_several_workers(make_box, workers):
    """In which order workers take them does not matter then: the number that passes is exact."""
    limiter = Limiter(
        make_box, workers, host="upload 800k burst 5000", total="upload 300k burst 9000"
    )
    model = Model(total=((300_000, 9000), (None, 0)), host=((800_000, 5000), (None, 0)))
    for round_ in range(16):
        limiter.wait(7_000_001)
        packets = [Packet(100 * round_ + n, "10.1.0.1", size=300, port=1000 + n) for n in range(64)]
        wanted = sum(model.passes(packet, 0, limiter.now_ns) is None for packet in packets)
        assert len(limiter.send(*packets)) == wanted
    assert set(limiter.drops()) == {"host_upload", "total_upload"}


def test_limits_changed_meanwhile(make_box):
    limiter = Limiter(make_box, host="upload 400k burst 4000", total="download unlimited",
                      prefixes=["10.1.0.0/16 upload 900k burst 9000"])  # fmt: skip
    model = Model(host=((400_000, 4000), (None, 0)), total=((None, 0), (None, 0)),
                  prefixes={"10.1.0.0/16": ((900_000, 9000), (None, 0))})  # fmt: skip
    chance = random.Random(7)
    commands = {
        10: "host 10.1.0.1 upload 100k burst 3000",
        20: "total upload 500k burst 5000",
        30: "prefix 10.1.0.0/16 upload 200k burst 3000",
        40: "host 10.1.0.1 default",
        50: "total upload unlimited",
        60: "total upload 200k burst 20000",
    }
    for round_ in range(80):
        limiter.wait(chance.randrange(1, 40_000_000))
        if (command := commands.get(round_)) is not None:
            limiter.box.step()  # a command has the time of the loggers' last round
            limiter.box.command("limiter", command)
            limiter.box.run()
            follow(model, command, limiter.now_ns)
        packets = [
            Packet(100 * round_ + n, chance.choice(HOSTS[:3]), size=chance.randrange(90, 1400))
            for n in range(12)
        ]
        passed = limiter.send(*packets)
        wanted = {p.number for p in packets if model.passes(p, 0, limiter.now_ns) is None}
        assert set(passed) == wanted, f"round {round_}"


def follow(model: Model, command: str, now_ns: int) -> None:
    """The model of a command that names upload alone."""
    words = command.split()
    kind, name = (words[0], "") if words[0] == "total" else (words[0], words[1])
    limits = {"total": model.total, "host": model.host}.get(kind) or model.prefixes[name]
    bucket = model.bucket(kind, name, True, limits)
    if words[-1] == "default":
        bucket.change(*limits[0], now_ns)
    elif words[-1] == "unlimited":
        bucket.rate = None
    else:
        rate = int(words[words.index("upload") + 1].removesuffix("k")) * 1000
        bucket.change(rate, int(words[-1]), now_ns)
