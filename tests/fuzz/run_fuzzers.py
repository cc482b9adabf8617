# SPDX-License-Identifier: BSD-3-Clause
"""Runs the fuzzers that `make fuzzers` built: each over its corpus, then on for a time.

run_fuzzers.py [--seconds S] [TARGET ...]       new inputs go to build/fuzz/corpus/TARGET
run_fuzzers.py --merge [TARGET ...]             what is new in them, minimised, to the corpus
run_fuzzers.py --coverage FOLDER [TARGET ...]   what the corpus reaches, by source file
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/fuzz"
CORPUS = ROOT / "tests/fuzz/corpus"  # TARGET.tar.xz
REGRESSIONS = ROOT / "tests/fuzz/regressions"  # TARGET-WHAT: inputs that once broke something
RSS_LIMIT_MIB = 2048
INPUT_SIZE_MAX = 2048
INPUT_TIMEOUT_S = 60
# The sources that each target is about; all others it merely passes through.
AIMS = {
    "configuration": ["ftmb/configuration/*.py"],
    "firewall": ["elements/firewall/*.c"],
    "load_balancer": ["elements/load_balancer/*.c"],
    "messages": ["ftmb/processes/logger.py", "ftmb/processes/messages.py"],
    "nat": ["elements/nat/*.c"],
    "options": [
        "elements/nat/nat_config.c",
        "elements/firewall/firewall_rules.c",
        "elements/matching/*.c",
    ],
    "output_logger": ["native/output_logger/*.c", "native/log/output_record.c"],
    "pipeline": [
        "elements/forward/*.c",
        "elements/monitor/*.c",
        "elements/limiter/*.c",
        "native/shared_state/*.c",
    ],
    "pktgen": ["native/pktgen/*.c", "native/pktgen/*.h"],
    "replay": ["native/standby/*.c", "native/master/worker.c"],
    "resolution": ["native/port/address_resolution.c"],
    "snapshot": ["native/host/snapshot.c"],
    "steering": ["native/input_logger/steering.c", "elements/nat/nat_packet.c"],
    "wan_optimizer": ["elements/wan_optimizer/*.c"],
}


def targets() -> list[str]:
    """All of them, by the names of their sources."""
    sources = [path for end in ("c", "py") for path in HERE.glob(f"*_fuzzer.{end}")]
    return sorted(path.name.partition("_fuzzer")[0] for path in sources)


def is_python(target: str) -> bool:
    """Fuzzed by atheris, which is libFuzzer too, and not built."""
    return (HERE / f"{target}_fuzzer.py").exists()


def program(target: str) -> list[str]:
    """What is started, with libFuzzer's options behind it."""
    path = BUILD / target
    if not is_python(target):
        return [str(path)]
    BUILD.mkdir(parents=True, exist_ok=True)
    script = HERE / f"{target}_fuzzer.py"
    path.write_text(f'#!/bin/sh\nFTMB_FUZZER="$0" exec {sys.executable} {script} "$@"\n')
    path.chmod(0o755)
    words = HERE / f"{target}.dict"
    return [str(path), *([f"-dict={words}"] if words.exists() else [])]


def seeds(target: str) -> Path:
    """A folder with the corpus and the regressions, unpacked."""
    folder = BUILD / "seeds" / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(CORPUS / f"{target}.tar.xz") as packed:
        for entry in packed:
            content = packed.extractfile(entry)
            assert content is not None
            (folder / Path(entry.name).name).write_bytes(content.read())
    for path in REGRESSIONS.glob(f"{target}-*"):
        shutil.copy(path, folder)
    return folder


def fuzz(target: str, seconds: int) -> subprocess.CompletedProcess[str]:
    """The whole corpus, then new inputs for so long; 0 seconds: the corpus alone."""
    found, crashes = BUILD / "corpus" / target, BUILD / "crashes"
    for folder in (found, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    command = [*program(target), f"-max_len={INPUT_SIZE_MAX}", f"-timeout={INPUT_TIMEOUT_S}"]
    command += [f"-artifact_prefix={crashes}/{target}-", "-print_final_stats=1", "-reload=0"]
    # A process begins with the peak of the one that forked it, which is no leak of its own.
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    command += [f"-rss_limit_mb={RSS_LIMIT_MIB + peak_mib}"]
    command += [f"-max_total_time={seconds}", str(found)] if seconds else ["-runs=0"]
    command += [str(seeds(target))]
    # A fuzzer ends without tidying up after itself.
    with tempfile.TemporaryDirectory(prefix="ftmb-fuzz-") as folder:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            capture_output=True,
            text=True,
            errors="replace",
        )


def merge(target: str) -> None:
    """The corpus anew: few inputs that reach all that the old and the new ones do."""
    with tempfile.TemporaryDirectory() as folder:
        sources = [str(path) for path in (BUILD / "corpus" / target,) if path.is_dir()]
        sources += [str(seeds(target))] if (CORPUS / f"{target}.tar.xz").exists() else []
        command = [*program(target), "-set_cover_merge=1", f"-max_len={INPUT_SIZE_MAX}", folder]
        subprocess.run([*command, *sources], check=True, capture_output=True)
        CORPUS.mkdir(exist_ok=True)
        with tarfile.open(CORPUS / f"{target}.tar.xz", "w:xz") as packed:
            for path in sorted(Path(folder).iterdir()):
                entry = tarfile.TarInfo(path.name[:12])
                entry.size = path.stat().st_size
                with path.open("rb") as content:
                    packed.addfile(entry, content)


def python_coverage(target: str, build: Path) -> None:
    """The same of one in Python: lines, and branches within the sum."""
    data = f"--data-file={build / target}.data"
    measured = [sys.executable, "-m", "coverage"]
    fuzzer = [str(HERE / f"{target}_fuzzer.py"), "--replay", str(seeds(target))]
    include = f"--include={','.join(AIMS[target])}"
    command = [*measured, "run", "--branch", data, *fuzzer]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    report = [*measured, "report", data, include]
    told = subprocess.run(report, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    for line in told.splitlines():
        words = line.split()
        if words and (words[0].endswith(".py") or words[0] == "TOTAL"):
            print(f"{target:14} {words[0]:42} lines and branches {words[-1]:>8}")


def coverage(target: str, build: Path) -> None:
    """Prints lines and regions of the files that the target is about, reached by its corpus."""
    if is_python(target):
        python_coverage(target, build)
        return
    raw, merged = build / f"{target}.raw", build / f"{target}.data"
    subprocess.run(
        [str(build / target), "-runs=0", str(seeds(target))],
        env={**os.environ, "LLVM_PROFILE_FILE": str(raw)},
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    subprocess.run(["llvm-profdata-14", "merge", raw, "-o", merged], check=True)
    sources = [path for aim in AIMS[target] for path in sorted(ROOT.glob(aim))]
    report = subprocess.run(
        ["llvm-cov-14", "report", build / target, f"-instr-profile={merged}", *sources],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    ).stdout
    for line in report.splitlines():
        words = line.split()
        if words and (words[0].endswith(".c") or words[0] == "TOTAL"):
            print(f"{target:14} {words[0]:42} regions {words[3]:>8}  lines {words[9]:>8}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs fuzzers.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--coverage", type=Path)
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    failed = False
    for target in arguments.targets or targets():
        if arguments.merge:
            merge(target)
        elif arguments.coverage:
            coverage(target, ROOT / arguments.coverage)
        else:
            result = fuzz(target, arguments.seconds)
            failed = failed or result.returncode != 0
            tail = result.stderr.splitlines()[-40 if result.returncode else -6 :]
            print(f"{target}: {'FAILED' if result.returncode else 'fine'}", *tail, sep="\n  ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
