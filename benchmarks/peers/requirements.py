# SPDX-License-Identifier: BSD-3-Clause
"""What must be there before anything is started, told all at once."""

from __future__ import annotations

import os
import shutil

from ftmb.errors import LabError

PACKAGES = {  # program: its Debian package
    "nft": "nftables",
    "conntrack": "conntrack",
    "conntrackd": "conntrackd",
    "keepalived": "keepalived",
    "nginx": "nginx-light",
    "curl": "curl",
    "nsenter": "util-linux",
    "ip": "iproute2",
}


def check() -> None:
    """Raises LabError that names every problem and what to do about it."""
    problems = []
    if os.geteuid() != 0:
        problems.append("network namespaces need root: run it as root")
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        install = f"apt-get install {' '.join(missing)}"
        problems.append(f"these packages are missing: run scripts/setup.sh, or {install}")
    if problems:
        raise LabError("\n".join(problems))
