# SPDX-License-Identifier: BSD-3-Clause
"""nginx in the server host, and curl downloads from it in the client host."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftmb.drill.workload.base import Place
from ftmb.drill.workload.part import Guarantee, Moments, Part, Report, Row, Section
from ftmb.errors import LabError
from ftmb.lab import Host, Program

PORT = 8080
LISTENING_PATIENCE_S = 10.0
RATE_KIB = 3072  # per second, of each download

NGINX_CONFIGURATION = """\
daemon off;
master_process on;
worker_processes 1;
user root;
pid {base}.pid;
error_log {base}-error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    client_body_temp_path {base}-body;
    proxy_temp_path {base}-proxy;
    fastcgi_temp_path {base}-fastcgi;
    uwsgi_temp_path {base}-uwsgi;
    scgi_temp_path {base}-scgi;
    server {{
        listen {address}:{port};
        limit_rate {rate}k;
        {content}
    }}
}}
"""


def serve_files(place: Place, host: Host | str, address: str, content: str, port: int) -> Program:
    """nginx; `content` says in its language what it answers."""
    base = _base(place, address, port)
    configuration = base.with_name(f"{base.name}.conf")
    configuration.write_text(
        NGINX_CONFIGURATION.format(
            base=base, address=address, port=port, rate=RATE_KIB, content=content
        )
    )
    return place.lab.run(host, ["nginx", "-e", f"{base}-error.log", "-c", str(configuration)])


def await_files(place: Place, address: str, port: int) -> None:
    """Until it listens: nginx writes its process id after it has begun to."""
    file = _base(place, address, port).with_suffix(".pid")
    deadline = time.monotonic() + LISTENING_PATIENCE_S
    while not file.exists():
        if time.monotonic() > deadline:
            log = file.with_name(f"{file.stem}-error.log")
            said = log.read_text().strip() if log.exists() else ""
            raise LabError(f"nginx at {address}: does not listen: {said[-500:]}")
        time.sleep(0.02)


def _base(place: Place, address: str, port: int) -> Path:
    """What names of its files begin with; no dots, so that a suffix is one."""
    return place.folder / f"nginx-{address.replace('.', '-')}-{port}"


@dataclass(frozen=True)
class DownloadFigures:
    completed: int
    checksums_ok: int
    failed: int
    bytes: int
    messages: list[str]

    def report(self, moments: Moments) -> Report:
        return {
            "checksums_ok": self.checksums_ok,
            "downloads": self.completed,
            "wrong": self.completed - self.checksums_ok,
            "failed": self.failed,
            "megabytes": round(self.bytes / 1e6, 1),
            "messages": self.messages,
        }


class Downloads(Part):
    section = Section(
        "http",
        (
            Row("downloads with the right checksum", ("http", "checksums_ok")),
            Row("downloads failed", ("http", "failed"), must_be_zero=True),
        ),
        (
            Guarantee(("http", "wrong"), "downloads had a wrong checksum"),
            Guarantee(("http", "failed"), "downloads failed", needs_state=True),
        ),
        (("http", "checksums_ok"),),
    )

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        folder = place.folder
        (folder / "files").mkdir()
        content = os.urandom(place.settings.download_mib << 20)
        (folder / "files" / "content").write_bytes(content)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.servers = [self._serve(host, address) for host, address in place.servers]

    def _serve(self, host: Host | str, address: str) -> Program:
        return serve_files(self.place, host, address, f"root {self.place.folder}/files;", PORT)

    def describe(self) -> str:
        return f"{self.place.settings.downloads} downloads"

    def start(self) -> None:
        place = self.place
        for _, address in place.servers:
            await_files(place, address, PORT)
        self.client = place.run_traffic(
            Host.CLIENT,
            "downloader",
            *("--url", f"http://{place.target}:{PORT}/content"),
            *("--sha256", self.sha256),
            *("--parallel", str(place.settings.downloads)),
            *("--patience", str(place.settings.download_patience_s)),
            *("--result", str(place.folder / "downloader")),
        )
        self.client.wait_ready()

    def stop(self) -> DownloadFigures:
        self.client.stop(patience_s=40)
        for server in self.servers:
            server.stop()
        found: dict[str, Any] = self.place.figures("downloader", self.client)
        return DownloadFigures(**found)
