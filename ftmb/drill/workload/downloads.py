# SPDX-License-Identifier: BSD-3-Clause
"""nginx in the server host, and curl downloads from it in the client host."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

from ftmb.drill.workload.base import Place
from ftmb.lab import Host

PORT = 8080
RATE_KIB = 3072  # per second, of each download

NGINX_CONFIGURATION = """\
daemon off;
master_process on;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{
        listen {address}:{port};
        root {folder}/files;
        limit_rate {rate}k;
    }}
}}
"""


@dataclass(frozen=True)
class DownloadFigures:
    completed: int
    checksums_ok: int
    failed: int
    bytes: int
    messages: list[str]


class Downloads:
    def __init__(self, place: Place) -> None:
        self.place = place
        folder = place.folder
        (folder / "files").mkdir()
        content = os.urandom(place.settings.download_mib << 20)
        (folder / "files" / "content").write_bytes(content)
        self.sha256 = hashlib.sha256(content).hexdigest()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            NGINX_CONFIGURATION.format(
                folder=folder, address=place.lab.addresses.server, port=PORT, rate=RATE_KIB
            )
        )
        log = folder / "nginx-error.log"
        command = ["nginx", "-e", str(log), "-c", str(configuration)]
        self.server = place.lab.run(Host.SERVER, command)

    def start(self) -> None:
        place = self.place
        self.client = place.run_traffic(
            Host.CLIENT,
            "downloader",
            *("--url", f"http://{place.lab.addresses.server}:{PORT}/content"),
            *("--sha256", self.sha256),
            *("--parallel", str(place.settings.downloads)),
            *("--patience", str(place.settings.download_patience_s)),
            *("--result", str(place.folder / "downloader")),
        )
        self.client.wait_ready()

    def stop(self) -> DownloadFigures:
        self.client.stop(patience_s=40)
        self.server.stop()
        found: dict[str, Any] = self.place.figures("downloader", self.client)
        return DownloadFigures(**found)
