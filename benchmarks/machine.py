# SPDX-License-Identifier: BSD-3-Clause
"""What the figures were measured on, and with which build."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import latency, pipelined, rig, throughput
from benchmarks.rig import Cores, available_cores

ROOT = Path(__file__).resolve().parent.parent
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def _read(path: str | Path) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _output(*command: str) -> str:
    try:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def revision() -> str:
    """The commit, with "+changes" if the folder differs from it."""
    changes = _output("git", "status", "--porcelain", "--untracked-files=no")
    return _output("git", "rev-parse", "--short=12", "HEAD") + ("+changes" if changes else "")


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", _read("/proc/cpuinfo") or "")
    return found[1] if found else platform.machine()


def _caches() -> dict[str, str]:
    found = {}
    for index in sorted(CACHES.glob("index*")) if CACHES.exists() else []:
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        if level and kind != "Instruction":
            found[f"L{level}"] = size or "unknown"
    return found


def _huge_pages() -> dict[str, str]:
    found = re.findall(
        r"(HugePages_(?:Total|Free)|AnonHugePages):\s+(\d+)", _read("/proc/meminfo") or ""
    )
    setting = _read("/sys/kernel/mm/transparent_hugepage/enabled") or "unknown"
    chosen = re.search(r"\[(\w+)\]", setting)
    return {**dict(found), "transparent": chosen[1] if chosen else setting}


def _flags() -> str:
    recipe = _read(ROOT / "native/native.mk") or ""
    values = dict(re.findall(r"^(MARCH|OPTIMIZE) \?= (.+)$", recipe, re.MULTILINE))
    return f"-std=gnu11 -march={values.get('MARCH')} {values.get('OPTIMIZE')}"


def _steal_share() -> float | None:
    """Of all time since the machine started."""
    fields = [int(value) for value in (_read("/proc/stat") or "cpu 0").split("\n")[0].split()[1:]]
    return round(fields[7] / max(1, sum(fields)), 5) if len(fields) > 7 else None


def machine() -> dict[str, Any]:
    """For the report's head; what the machine does not tell is None."""
    cores = Cores.choose()
    return {
        "processor": _processor(),
        "cores": len(available_cores()),
        "caches": _caches(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "is_virtual": "hypervisor" in (_read("/proc/cpuinfo") or ""),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "steal_share": _steal_share(),
        "load_average": list(os.getloadavg()),
        "huge_pages": _huge_pages(),
        "compiler": _output("gcc", "--version").split("\n")[0],
        "flags": _flags(),
        "revision": revision(),
        "pinned": {"loggers": cores.loggers, "master": cores.master, "standby": cores.standby},
    }


def settings() -> dict[str, Any]:
    """What is the same in every measurement; what differs stands beside its figures."""
    return {
        "logs_mib": {"input": rig.INPUT_MIB, "access": rig.ACCESS_MIB, "output": rig.OUTPUT_MIB},
        "packets_of_a_round": rig.PORTION,
        "window_of_port_to_port": pipelined.WINDOW,
        "latency": {
            "flows": latency.FLOWS,
            "seconds": latency.SECONDS,
            "snapshot_every_s": latency.SNAPSHOT_INTERVAL_S,
        },
        "threads": {
            "throughput": "sleep when idle",
            "port to port and latency": "loggers and master spin, the standby sleeps",
        },
        "elements": {name: str(options) for name, options in throughput.OPTIONS.items()},
    }
