# SPDX-License-Identifier: BSD-3-Clause
"""Downloads files with curl, several at once, over and over, and compares their checksums."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field

from ftmb.drill.traffic.process import Stop, ready, write_results

PAUSE_AFTER_FAILURE_S = 0.2
READ_SIZE = 1 << 20


@dataclass
class Tally:
    completed: int = 0
    checksums_ok: int = 0
    failed: int = 0
    bytes: int = 0
    messages: list[str] = field(default_factory=list)

    def fail(self, message: str) -> None:
        self.failed += 1
        if len(self.messages) < 20:
            self.messages.append(message)


def checksum(path: str) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as file:
        while block := file.read(READ_SIZE):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def download(
    url: str, expected: str, patience_s: float, tally: Tally, lock: threading.Lock
) -> bool:
    with tempfile.NamedTemporaryFile(prefix="ftmb-download-") as file:
        command = ["curl", "--silent", "--show-error", "--fail"]
        command += ["--max-time", str(patience_s), "--output", file.name, url]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        found, size = checksum(file.name)
    with lock:
        if ended.returncode != 0:
            tally.fail(ended.stderr.strip() or f"curl ended with {ended.returncode}")
            return False
        tally.completed += 1
        tally.bytes += size
        if found == expected:
            tally.checksums_ok += 1
        else:
            tally.messages.append("the checksum differs")
        return True


def keep_downloading(
    stop: Stop, arguments: argparse.Namespace, tally: Tally, lock: threading.Lock
) -> None:
    while not stop:
        asked = arguments.url, arguments.sha256, arguments.patience
        if not download(*asked, tally, lock):
            time.sleep(PAUSE_AFTER_FAILURE_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--parallel", type=int, default=3)
    parser.add_argument("--patience", type=float, default=30.0)
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    stop = Stop()
    tally, lock = Tally(), threading.Lock()
    threads = [
        threading.Thread(target=keep_downloading, args=(stop, arguments, tally, lock))
        for _ in range(arguments.parallel)
    ]
    ready()
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)
    write_results(arguments.result, asdict(tally), {})


if __name__ == "__main__":
    main()
