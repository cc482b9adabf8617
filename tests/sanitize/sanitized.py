# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the core under a sanitizer: `python tests/sanitize/sanitized.py address|thread [TESTS]`.

Builds the core with it into build/sanitize/ and runs pytest in a process that has the sanitizer's
runtime loaded before everything else; a report makes it fail, even where the tests pass.

What is run and what is not:

- `address` (with undefined behaviour): all of C that runs in memory, but few of the NAT's many
  tests, whose frames the fuzzers send by the million, and no test that waits for time-outs.
- `thread`: the tests that have threads, without repetitions. Rings and pages are mapped once in
  this build (native/log/single_mapping.h), not by each side for itself as between processes, so
  that what orders the two sides is checked too: acquire and release on `written`, `consumed`,
  `epoch` and `cut`. (With the release of `written` weakened, test_threads.py gives some sixty
  reports.) A ring's data stands in memory twice in a row: a byte that one lap wrote in the first
  and the next lap in the second place are two for it. Memory of a mad master is read while it may
  change, by design: once, by ring_copy(), and it is the copy that is checked and used; no such
  test is among these.

The arena's fixed address belongs to a sanitizer's shadow, so that one test is left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXED_ADDRESS = "tests/native/test_process.py::test_a_taken_arena_address_is_refused"
TESTS = {
    "address": [
        "tests/native/test_threads.py", "tests/native/test_process.py",
        "tests/native/test_output_record.py", "tests/native/test_steering.py",
        "tests/native/test_address_resolution.py", "tests/native/test_pktgen.py",
        "tests/elements/test_monitor.py",
        "tests/elements/test_pipeline.py", "tests/elements/test_nat_malformed.py",
        "tests/elements/test_firewall_malformed.py",
        "tests/elements/test_balancer_malformed.py",
        "tests/elements/test_wan_optimizer_line.py::test_damage_never_brings_wrong_bytes",
    ],
    "thread": [
        "tests/native/test_threads.py",
        "tests/native/test_logger.py::test_a_fenced_master_lets_nothing_out",
        "tests/native/test_logger.py::test_exactly_once_over_many_failovers[2]",
        "tests/elements/test_monitor.py", "tests/elements/test_pipeline.py",
    ],
}  # fmt: skip
OPTIONS = {
    # Python frees little at its end; an abort says where it was.
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    # The runtime has one kind of mutex, a process's `life`, which is never given back; tests have
    # more of them in a thread than the detector of lock orders has room for.
    "TSAN_OPTIONS": "detect_deadlocks=0:die_after_fork=0:exitcode=66",
}


def runtime(kind: str) -> str:
    """The sanitizer's own library, which must be loaded first."""
    library = "libtsan.so" if kind == "thread" else "libasan.so"
    return subprocess.check_output(["gcc", f"-print-file-name={library}"], text=True).strip()


def run(kind: str, tests: list[str]) -> tuple[int, str]:
    """(0 if nothing was found, what was said)."""
    built = subprocess.run(
        ["make", "--silent", "-j2", "native-modules", f"SANITIZE={kind}"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if built.returncode != 0:
        return built.returncode, built.stdout + built.stderr
    with tempfile.TemporaryDirectory() as folder:
        options = {name: f"{value}:log_path={folder}/report" for name, value in OPTIONS.items()}
        modules = ROOT / "build/sanitize" / kind / "modules"
        # Without random addresses: newer kernels spread them wider than the runtimes expect.
        preload = f"LD_PRELOAD={runtime(kind)}"
        command = ["setarch", "--addr-no-randomize", "env", preload, sys.executable, "-m", "pytest"]
        command += ["-q", "-p", "no:cacheprovider", "--deselect", FIXED_ADDRESS]
        environment = {**os.environ, **options, "FTMB_NATIVE": str(modules)}
        environment["PYTHONMALLOC"] = "malloc"  # so that a block is one of the sanitizer's
        result = subprocess.run(
            [*command, *tests], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        reports = "\n".join(path.read_text() for path in sorted(Path(folder).glob("report.*")))
    found = result.returncode != 0 or reports != ""
    return int(found), reports + result.stdout + result.stderr


def main() -> int:
    kind = sys.argv[1]
    status, said = run(kind, sys.argv[2:] or TESTS[kind])
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
