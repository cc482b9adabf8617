# SPDX-License-Identifier: BSD-3-Clause
"""A namespace as a router: the kernel's NAT between its interfaces `inside` and `outside`."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from string import Template

from ftmb.errors import LabError
from ftmb.lab import Addresses, namespaces

FILES = Path(__file__).with_name("files")
INSIDE_NETWORK = "10.77.0.0/24"
FORWARD = "net/ipv4/ip_forward"
# Windows cannot be followed in a connection that was met in its middle.
LIBERAL = "net/netfilter/nf_conntrack_tcp_be_liberal"
# A connection that is met in its middle is taken for a new one, if what comes is from inside.
LOOSE = "net/netfilter/nf_conntrack_tcp_loose"


def fill(file: str, **values: object) -> str:
    """The file of files/, with its $words replaced."""
    return Template((FILES / file).read_text()).substitute(values)


def run_inside(
    namespace: str, command: Sequence[str], text: str | None = None, patience_s: float = 10.0
) -> str:
    """Runs a short program in the namespace; its output. LabError if it fails."""
    inside = ["nsenter", f"--net={namespaces.DIRECTORY / namespace}", *command]
    try:
        done = subprocess.run(
            inside, input=text, capture_output=True, text=True, timeout=patience_s
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]}: still running after {patience_s:.0f} s") from None
    if done.returncode != 0:
        raise LabError(f"{' '.join(command[:4])}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def _set(namespace: str, settings: dict[str, bool]) -> None:
    def write() -> None:
        for name, value in settings.items():
            Path("/proc/sys", name).write_text(str(int(value)))

    namespaces.call(namespace, write)


def translate(namespace: str, translation: str, *, loose: bool = False) -> None:
    """Loads the rule set; `translation` is an nft statement such as `masquerade`."""
    rules = fill("nat.nft", inside_network=INSIDE_NETWORK, translation=translation)
    run_inside(namespace, ["nft", "-f", "-"], rules)
    # Connection tracking's settings exist in a namespace once a rule set uses it.
    _set(namespace, {FORWARD: True, LIBERAL: True, LOOSE: loose})


def set_addresses(namespace: str, by_interface: dict[str, str]) -> None:
    """Each interface gets its address (with prefix length) and is up."""
    for interface, address in by_interface.items():
        run_inside(namespace, ["ip", "address", "add", address, "dev", interface])
        run_inside(namespace, ["ip", "link", "set", interface, "up"])


def connections(namespace: str) -> str:
    """What the namespace's kernel tracks, as `conntrack -L` prints it."""
    return run_inside(namespace, ["conntrack", "-L"])


def make_forwarder(namespace: str, addresses: Addresses) -> None:
    """The lab's box becomes a plain router, without rules and connection tracking."""
    length = addresses.prefix_length
    ends = {"inside": addresses.box_inside, "outside": addresses.box_outside}
    set_addresses(namespace, {name: f"{address}/{length}" for name, address in ends.items()})
    _set(namespace, {FORWARD: True})


def make_single_router(namespace: str, addresses: Addresses) -> None:
    """The same with the kernel's NAT by masquerading."""
    make_forwarder(namespace, addresses)
    translate(namespace, "masquerade")
