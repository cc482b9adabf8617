# SPDX-License-Identifier: BSD-3-Clause
"""Builds a cffi module over one of the C libraries: `build.py core|dpdk BUILD_FOLDER INTO_FOLDER`.

The declarations stand in native/include/*.cdef.h, apart from this; the C compiler checks them
against the real headers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cffi

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HEADERS = {
    "core": [
        "pcap/pcap.h",
        "elements.h",
        "host/counts.h",
        "host/crash_point.h",
        "host/cycles.h",
        "host/element_module.h",
        "host/logger.h",
        "host/process.h",
        "host/snapshot.h",
        "host/state_copy.h",
        "host/stepping.h",
        "input_logger/steering.h",
        "master/packet_filter.h",
        "pktgen/loop.h",
        "port/address_resolution.h",
        "port/generator_port.h",
        "port/journal_port.h",
        "port/memory_port.h",
    ],
    "dpdk": ["port/dpdk_port.h"],
}
LIBRARIES = {"core": ["libpcap", "libhs"], "dpdk": ["libdpdk"]}
# What is visible of a library: elements that are loaded are bound to the core's interface.
VISIBLE = {"core": [f"-Wl,--version-script={ROOT / 'native/host/interface.map'}"], "dpdk": []}
DECLARATIONS = {"core": ["core", "pktgen"], "dpdk": ["dpdk"]}


def pkg_config(*arguments: str) -> list[str]:
    return subprocess.check_output(["pkg-config", *arguments], text=True).split()


def build(name: str, build_folder: Path, into: Path) -> None:
    """Compiles ftmb._native._<name> into a folder."""
    builder = cffi.FFI()
    for part in DECLARATIONS[name]:
        builder.cdef((ROOT / f"native/include/ftmb_{part}.cdef.h").read_text())
    libraries = pkg_config("--libs", *LIBRARIES[name])
    builder.set_source(
        f"ftmb._native._{name}",
        "".join(f'#include "{header}"\n' for header in HEADERS[name]),
        include_dirs=[str(ROOT / folder) for folder in ("native", "native/include", "elements")],
        extra_objects=[str((build_folder / f"libftmb_{name}.a").resolve())],
        extra_compile_args=["-std=gnu11", "-D_GNU_SOURCE", "-Wno-unused-function"],
        extra_link_args=["-pthread", *VISIBLE[name], *libraries],
        py_limited_api=True,
    )
    temporary = build_folder / "cffi"
    temporary.mkdir(parents=True, exist_ok=True)
    built = Path(builder.compile(tmpdir=str(temporary), verbose=False))
    into.mkdir(parents=True, exist_ok=True)
    os.replace(built, into / f"_{name}.abi3.so")


if __name__ == "__main__":
    os.environ.setdefault("CC", "gcc")
    build(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
