# SPDX-License-Identifier: BSD-3-Clause
"""An orchestrator whose box is the kernel's forwarding and whose master is a process that waits.

It follows the interface that the drill uses, so that the drill's own code (failing,
timing, counting, reporting) is tested without the native build.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from ftmb.errors import NotRunningError
from ftmb.lab import namespaces

HEARTBEAT_S = 0.1
PROTECT_AGAIN_S = 0.15
MASTER = "import signal,sys\nsignal.signal(signal.SIGCONT,lambda *_:sys.exit())\nsignal.pause()"


class FakeBox:
    def __init__(self, configuration: dict[str, Any], loses_s: float = 0.0) -> None:
        self.configuration = configuration
        self.namespace = configuration["network_namespace"]
        self.protected = configuration["protection"] == "standby"
        self.loses_s = loses_s
        self.failovers: list[dict[str, Any]] = []
        self.state = "protected" if self.protected else "unprotected"
        self.master = self._new_master()
        self.old: list[subprocess.Popen[bytes]] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self._route()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _new_master(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", MASTER], start_new_session=True)

    def _route(self) -> None:
        server = self.namespace.replace("-box", "-server")
        namespaces.netlink(self.namespace, self._set_addresses)
        namespaces.netlink(server, lambda n: n.route("add", dst="default", gateway="198.51.100.1"))
        self._forward(True)

    def _set_addresses(self, netlink: IPRoute) -> None:
        for port in self.configuration["ports"]:
            address, _, length = port["addresses"][0].partition("/")
            index = netlink.link_lookup(ifname=port["device"])[0]
            netlink.addr("add", index=index, address=address, prefixlen=int(length))

    def _forward(self, on: bool) -> None:
        file = Path("/proc/sys/net/ipv4/ip_forward")
        namespaces.call(self.namespace, lambda: file.write_text(str(int(on))))

    def _hung(self) -> bool:
        stat = Path(f"/proc/{self.master.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def _watch(self) -> None:
        while not self.stopping.wait(0.002):
            if self.master.poll() is not None:
                self._fail_over("hangup")
            elif self._hung():
                time.sleep(HEARTBEAT_S)
                self._fail_over("heartbeat")

    def _fail_over(self, cause: str) -> None:
        detected = time.monotonic_ns()
        if self.loses_s:
            self._forward(False)
            time.sleep(self.loses_s)
            self._forward(True)
        self.old.append(self.master)
        now = time.monotonic_ns()
        entry: dict[str, Any] = {
            "epoch": len(self.failovers) + 2,
            "cause": cause,
            "lost_state": not self.protected,
            "detected_ns": detected,
            "live_ns": now,
            "first_output_ns": now,
            "protected_again_ns": None,
            "snapshot_pause_ns": None,
        }
        with self.lock:
            self.master = self._new_master()
            self.state = "protecting" if self.protected else "unprotected"
            self.failovers.append(entry)
        if self.protected:
            time.sleep(PROTECT_AGAIN_S)
            with self.lock:
                entry["protected_again_ns"] = time.monotonic_ns()
                entry["snapshot_pause_ns"] = 400_000
                self.state = "protected"

    def status(self) -> dict[str, Any]:
        with self.lock:
            epoch = len(self.failovers) + 1
            return {
                "name": self.configuration["name"],
                "state": self.state,
                "epoch": epoch,
                "processes": {
                    "orchestrator": {"pid": 1},
                    "logger": {"pid": 1},
                    "master": {"pid": self.master.pid, "epoch": epoch},
                    "standby": {"pid": 1, "epoch": epoch} if self.protected else None,
                },
                "failovers": [dict(entry) for entry in self.failovers],
                "ports": {},
                "drops": {},
                "digest": {"compared": 1000 * int(self.protected), "mismatched": 0},
                "cut": [],
                "log_fill": {},
            }

    def close(self) -> None:
        self.stopping.set()
        self.thread.join()
        for process in (*self.old, self.master):
            process.kill()
            process.wait()


class FakeOrchestrator:
    """Stands for the module ftmb.orchestrator."""

    def __init__(self, protected_loses_s: float = 0.0, unprotected_loses_s: float = 0.3) -> None:
        self.boxes: dict[str, FakeBox] = {}
        self.losses = {"standby": protected_loses_s, "none": unprotected_loses_s}

    def start(self, configuration: dict[str, Any], *, foreground: bool) -> None:
        loses_s = self.losses[configuration["protection"]]
        self.boxes[configuration["name"]] = FakeBox(configuration, loses_s)

    def status(self, name: str) -> dict[str, Any]:
        if name not in self.boxes:
            raise NotRunningError(name)
        return self.boxes[name].status()

    def crash_at(self, name: str, point: str) -> int:
        assert point == "master-in-element"
        master = self.boxes[name].master
        master.send_signal(signal.SIGSEGV)
        return master.pid

    def stop(self, name: str) -> None:
        if name in self.boxes:
            self.boxes.pop(name).close()
