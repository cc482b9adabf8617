# SPDX-License-Identifier: BSD-3-Clause
"""Suricata reading a capture: its alerts, and what it says of rules.

The program is the one that scripts/peers/suricata.sh unpacks, or the machine's own. It only ever
reads files, in one thread, and writes into a folder of the caller's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ftmb.errors import LabError
from ftmb.rules.classification import usual
from ftmb.rules.head import DEFAULT_VARIABLES

ROOT = Path(__file__).parents[2]
UNPACKED = ROOT / "build/peers/suricata"
CAPTURES = ROOT / "build/peers/captures"
TEMPLATE = Path(__file__).parent / "files/suricata.yaml"
MISSING = "Suricata is not here: run scripts/peers/suricata.sh"
PATIENCE_S = 300
PACKET_THREAD = "W#01"
LOOK_S = 0.005
SINGLE = ("-k", "none", "--runmode", "single")
# Parsers of applications, all off: ids has none.
PARSERS = ("http", "ftp", "smtp", "tls", "ssh", "imap", "smb", "dcerpc", "nfs", "ntp", "tftp",
           "ike", "krb5", "quic", "dhcp", "snmp", "sip", "rfb", "mqtt", "telnet", "rdp", "http2",
           "modbus", "enip", "dnp3", "pgsql", "bittorrent-dht")  # fmt: skip
_FAULT = re.compile(r"error parsing signature \"(.*)\" from file (.*) at line (\d+)$")


@cache
def program() -> tuple[str, dict[str, str]] | None:
    """The program and its environment; None if there is none."""
    unpacked = UNPACKED / "usr/bin/suricata"
    if unpacked.exists():
        libraries = next(UNPACKED.glob("usr/lib/*-linux-gnu"))
        return str(unpacked), {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    found = shutil.which("suricata")
    return None if found is None else (found, dict(os.environ))


def version() -> str:
    return _run(["-V"]).stdout.strip().removeprefix("This is Suricata version ")


@dataclass(frozen=True)
class Settings:
    """`is_inline`: data is looked at as it comes, before it is acknowledged. `takes_midstream`:
    connections whose beginning was not seen are followed."""

    is_inline: bool = True
    takes_midstream: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)

    def text(self, folder: Path) -> str:
        parsers = "\n".join(f"    {name}:\n      enabled: no" for name in PARSERS)
        both = "".join(f"\n      {kind}:\n        enabled: no" for kind in ("tcp", "udp"))
        known = {**DEFAULT_VARIABLES, **self.variables}.items()
        lines = [(name.endswith("_PORTS"), f'    {name}: "{value}"') for name, value in known]
        words = {True: "yes", False: "no"}
        return (
            TEMPLATE.read_text()
            .replace("@FOLDER@", str(folder))
            .replace("@ADDRESSES@", "\n".join(line for is_port, line in lines if not is_port))
            .replace("@PORTS@", "\n".join(line for is_port, line in lines if is_port))
            .replace("@PROTOCOLS@", f"{parsers}\n    dns:{both}")
            .replace("@INLINE@", words[self.is_inline])
            .replace("@MIDSTREAM@", words[self.takes_midstream].replace("yes", "true"))
        )


DEFAULT = Settings()


@dataclass(frozen=True)
class Outcome:
    """`alerts`: EVE objects; `refused`: the text of each rule that it would not take; `said`: all
    that it printed."""

    alerts: list[dict[str, Any]]
    refused: list[str]
    said: str


def read_capture(
    capture: Path, rules: Sequence[str], folder: Path, settings: Settings = DEFAULT
) -> Outcome:
    """One run over one capture (or a folder of them). `folder` must exist and be empty."""
    said = _with_rules(rules, folder, settings, ["-r", str(capture), *SINGLE])
    log = folder / "eve.json"
    lines = log.read_text().splitlines() if log.exists() else []
    events = [json.loads(line) for line in lines]
    alerts = [event for event in events if event["event_type"] == "alert"]
    return Outcome(alerts, _refused(said), said)


def packet_seconds(capture: Path, rules: Sequence[str], folder: Path, core: int) -> float:
    """Processor time of the thread that handles all packets, on one core: what it takes to start
    and to read rules is other threads'. Alerts stay in the folder."""
    found = program()
    if found is None:
        raise LabError(MISSING)
    files = _write_files(rules, folder, DEFAULT)
    command = ["taskset", "-c", str(core), found[0], *files, "-r", str(capture), *SINGLE]
    seconds = 0.0
    with open(folder / "said", "wb") as said:
        child = subprocess.Popen(command, env=found[1], stdin=subprocess.DEVNULL, stdout=said,
                                 stderr=said)  # fmt: skip
        try:
            while child.poll() is None:
                seconds = max(seconds, _thread_seconds(child.pid))
                time.sleep(LOOK_S)
        finally:
            child.kill()
            child.wait()
    if child.returncode != 0 or not seconds:
        raise LabError(f"Suricata ended with status {child.returncode}: see {folder}/said")
    return seconds


def _thread_seconds(process: int) -> float:
    """Of its packet thread up to now; 0 while there is none."""
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            if (task / "comm").read_text().strip() == PACKET_THREAD:
                return int((task / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):  # it has just ended
            continue
    return 0.0


def refused_rules(rules: Sequence[str], folder: Path) -> list[str]:
    """Which of them it would not take."""
    return _refused(_with_rules(rules, folder, DEFAULT, ["-T"]))


def _refused(said: str) -> list[str]:
    return [match[1] for line in said.splitlines() if (match := _FAULT.search(line))]


def _write_files(rules: Sequence[str], folder: Path, settings: Settings) -> list[str]:
    """What Suricata reads, and the arguments that say so."""
    classes = (
        f"config classification: {name},{one.category},{one.priority}\n"
        for name, one in usual().items()
    )
    (folder / "classification.config").write_text("".join(classes))
    for name in ("reference.config", "threshold.config"):
        (folder / name).touch()
    (folder / "suricata.yaml").write_text(settings.text(folder))
    (folder / "all.rules").write_text("".join(rule + "\n" for rule in rules))
    return ["-c", f"{folder}/suricata.yaml", "-S", f"{folder}/all.rules", "-l", str(folder)]


def _with_rules(
    rules: Sequence[str], folder: Path, settings: Settings, arguments: list[str]
) -> str:
    done = _run([*_write_files(rules, folder, settings), *arguments])
    said = done.stdout + done.stderr
    if done.returncode != 0 and "-T" not in arguments:
        raise LabError(f"Suricata ended with status {done.returncode}:\n{said}")
    return said


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    found = program()
    if found is None:
        raise LabError(MISSING)
    path, environment = found
    return subprocess.run([path, *arguments], env=environment, capture_output=True, text=True,
                          timeout=PATIENCE_S, stdin=subprocess.DEVNULL, check=False)  # fmt: skip
