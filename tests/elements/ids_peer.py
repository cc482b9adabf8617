# SPDX-License-Identifier: BSD-3-Clause
"""The same packets and rules through the element `ids` and through Suricata: who alerts on what?

\b
    python -m tests.elements.ids_peer --rules local.rules build/peers/captures
    python -m tests.elements.ids_peer --record

The first compares over whole captures, each by itself, and tells of each alert that only one of
both has. Rules that are outside the subset are left out on both sides. The second writes down what
Suricata says of the scenes, for where it is not.
"""

from __future__ import annotations

import ipaddress
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from scapy.data import DLT_EN10MB
from scapy.error import Scapy_Exception
from scapy.utils import RawPcapReader, RawPcapWriter

from benchmarks.peers import suricata
from ftmb.rules import rule_set
from ftmb.rules.files import read_text, rules_of
from ftmb.rules.rule_set import RuleSet
from ftmb.rules.settings import Settings
from ftmb.testing import Box
from tests.elements.ids_scenes import Scene, scenes

PORTS = ("inside", "outside", "eve")
OPTIONS = {"inside": "inside", "outside": "outside", "alerts": "eve"}
# As Suricata is told to be: no checksums, no bound of a stream, connections picked up.
LIKE_SURICATA = {"check_checksum": False, "stream_depth": 0, "pick_up": True, "fragments": "pass"}
RECORD = Path(__file__).parent / "ids_scenes.json"
FRAME_SIZE_MAX = 1518
AT_ONCE, AT_ONCE_SECONDS = 64, 0.005
QUIET_SECONDS_MAX = 2.0  # longer pauses are cut to this, on both sides
NAMED_ALIKE = ("TCP", "UDP", "ICMP", "IPV6-ICMP")  # other protocols Suricata names, and ids numbers
PROTOCOLS_WITH_PORTS = ("TCP", "UDP")

Packet = tuple[float, bytes]  # seconds, and the frame from its Ethernet header on
Alert = tuple[int, str, str, int, str, int]  # sid, protocol, source and port, destination and port


def alert_of(event: dict[str, Any]) -> Alert:
    """Of an EVE object; ports are 0 where there are none."""
    has_ports = event["proto"].upper() in PROTOCOLS_WITH_PORTS
    ports = [event.get(name, 0) if has_ports else 0 for name in ("src_port", "dest_port")]
    source, destination = (str(ipaddress.ip_address(event[name])) for name in ("src_ip", "dest_ip"))
    protocol = event["proto"].upper() if event["proto"].upper() in NAMED_ALIKE else "other"
    return event["alert"]["signature_id"], protocol, source, ports[0], destination, ports[1]


def parsed_rules(text: str) -> RuleSet:
    """Of rules in Suricata's language, a line each."""
    return rule_set.read(rules_of(text, "rules"), Settings().context())


def originals(text: str, taken: RuleSet) -> list[str]:
    """What was written of the rules that are taken."""
    lines = {rule.origin: rule.text for rule in rules_of(text, "rules")}
    return [lines[one.origin] for one in taken.taken]


def events_of(frames: Iterable[tuple[str, bytes]]) -> Iterator[dict[str, Any]]:
    """The alerts among what left a box."""
    for port, frame in frames:
        if port == "eve":
            yield json.loads(b"{" + frame[8:].split(b"\0")[0])


def of_box(
    packets: Sequence[Packet], rules: Sequence[str], workers: int = 1, **options: Any
) -> Counter[Alert]:
    """What the element says; `rules` are canonical. Time passes as the packets' does."""
    events: list[dict[str, Any]] = []
    chosen = {**OPTIONS, **LIKE_SURICATA, **options, "rules": list(rules)}
    with Box([("ids", chosen)], PORTS, workers) as box:
        for frames, pause in in_time(packets):
            for frame in frames:
                box.inject("inside", frame)
            events += events_of(box.run())
            events += events_of(box.advance(pause))
        events += events_of(box.advance(1.0))
    return Counter(alert_of(event) for event in events)


def in_time(packets: Sequence[Packet]) -> Iterator[tuple[list[bytes], float]]:
    """Frames that come in at once, and the seconds until the next ones."""
    held: list[bytes] = []
    began = packets[0][0] if packets else 0.0
    for index, (_, frame) in enumerate(packets):
        held.append(frame)
        following = packets[index + 1][0] if index + 1 < len(packets) else began
        if (
            following - began >= AT_ONCE_SECONDS
            or len(held) == AT_ONCE
            or index + 1 == len(packets)
        ):
            yield held, max(0.0, following - began)
            held, began = [], following


def of_suricata(
    packets: Sequence[Packet],
    rules: Sequence[str],
    settings: suricata.Settings = suricata.DEFAULT,
) -> Counter[Alert]:
    """What Suricata says of the same."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_capture(folder / "packets.pcap", packets)
        (folder / "log").mkdir()
        outcome = suricata.read_capture(folder / "packets.pcap", rules, folder / "log", settings)
    if outcome.refused:
        raise ValueError(f"Suricata does not take {outcome.refused}")
    return Counter(alert_of(event) for event in outcome.alerts)


def write_capture(path: Path, packets: Sequence[Packet]) -> None:
    with RawPcapWriter(str(path), linktype=DLT_EN10MB) as writer:
        writer.write_header(None)
        for seconds, frame in packets:
            whole = int(seconds)
            writer.write_packet(frame, sec=whole, usec=round((seconds - whole) * 1e6) % 1_000_000)


def read_packets(path: Path) -> list[Packet]:
    """Of an Ethernet capture, in order of time and without long pauses; empty for another."""
    try:
        with RawPcapReader(str(path)) as reader:
            if getattr(reader, "linktype", None) != DLT_EN10MB:
                return []
            found = [(when.sec + when.usec / 1e6, frame) for frame, when in reader]
    except (Scapy_Exception, EOFError, OSError, AttributeError, ValueError):
        return []
    packets: list[Packet] = []
    now = last = 1e9
    for seconds, frame in found:
        if last != 1e9:
            now += min(max(seconds - last, 0.0), QUIET_SECONDS_MAX)
        last = seconds
        packets.append((round(now, 6), frame))
    return packets


def by_sid(alerts: Counter[Alert]) -> dict[str, int]:
    """How often each rule alerted."""
    counts: Counter[str] = Counter()
    for alert in sorted(alerts):
        counts[str(alert[0])] += alerts[alert]
    return dict(counts)


def said_of(scene: Scene, settings: suricata.Settings = suricata.DEFAULT) -> Counter[Alert]:
    """Suricata, of a scene with its rules as they are written."""
    text = scene.text()
    return of_suricata(scene.packets, originals(text, parsed_rules(text)), settings)


def captures_in(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.rglob("*cap")) if path.is_dir() else [path]


@click.command(help=__doc__)
@click.option(
    "--rules",
    "rule_file",
    type=click.Path(exists=True, path_type=Path),
    help="in Suricata's language",
)
@click.option("--record", is_flag=True, help=f"writes {RECORD.name}")
@click.option("--packets-max", default=3000, show_default=True, help="of one capture")
@click.argument("captures", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(
    rule_file: Path | None, record: bool, packets_max: int, captures: tuple[Path, ...]
) -> None:
    if record:
        said = {scene.name: by_sid(said_of(scene)) for scene in scenes()}
        RECORD.write_text(json.dumps(said, indent=1) + "\n")
    if rule_file is not None:
        compare(rule_file, packets_max, captures)


def compare(rule_file: Path, packets_max: int, captures: Iterable[Path]) -> None:
    """Tells of all captures what they differ in."""
    text = read_text(rule_file)
    found = parsed_rules(text)
    written = originals(text, found)
    click.echo(f"{len(found.taken):,} rules, {len(found.refused):,} outside the subset")
    totals: Counter[str] = Counter()
    for path in captures_in(captures):
        packets = read_packets(path)
        if not packets or any(len(frame) > FRAME_SIZE_MAX for _, frame in packets):
            totals["captures that are no Ethernet, or have frames too large"] += 1
            continue
        packets = packets[:packets_max]
        ours, theirs = of_box(packets, found.texts()), of_suricata(packets, written)
        totals["captures"] += 1
        totals["packets"] += len(packets)
        totals["different alerts of both"] += len(ours.keys() & theirs.keys())
        for side, own, other in (("ids", ours, theirs), ("Suricata", theirs, ours)):
            totals[f"different alerts of {side} alone"] += len(own.keys() - other.keys())
            totals[f"alerts that {side} has again, and the other not"] += sum(
                count - other[alert] for alert, count in own.items() if 0 < other[alert] < count
            )
            for alert in sorted(own.keys() - other.keys()):
                click.echo(f"{path.name}: {side} alone: {alert}, {own[alert]} times")
    for name, count in totals.items():
        click.echo(f"{name}: {count:,}")


if __name__ == "__main__":
    main()
