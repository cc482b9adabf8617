# SPDX-License-Identifier: BSD-3-Clause
"""A web server for tests: says its port in each line, in as many lines as asked for, slowly.

web_server.py PORT; then http://HOST:PORT/LINES/PAUSE_S
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Lines(BaseHTTPRequestHandler):
    """Answers GET by plain text."""

    def do_GET(self) -> None:
        lines, pause = self.path.strip("/").split("/")
        self.send_response(200)
        self.end_headers()
        for _ in range(int(lines)):
            self.wfile.write(f"{sys.argv[1]}\n".encode())
            self.wfile.flush()
            time.sleep(float(pause))


ThreadingHTTPServer(("", int(sys.argv[1])), Lines).serve_forever()
