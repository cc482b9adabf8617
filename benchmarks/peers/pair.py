# SPDX-License-Identifier: BSD-3-Clause
"""Two routers between the lab's hosts, of which one takes over when the other dies.

                    +-- inside [primary] outside --+
    client -- switch            | sync             switch -- server
                    +-- inside [backup ] outside --+

The switches are bridges in the namespace in which the lab would have its box. keepalived moves the
addresses that hosts know; conntrackd moves what the kernel tracks.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pyroute2 import IPRoute

from benchmarks.peers.router import FILES, fill, run_inside, set_addresses, translate
from ftmb import offloads
from ftmb.errors import LabError
from ftmb.lab import Host, Lab, Program, namespaces

PRIMARY, BACKUP = "primary", "backup"
ROLES = {  # role: last byte of its addresses, VRRP priority, state to begin with
    PRIMARY: (251, 254, "MASTER"),
    BACKUP: (252, 253, "BACKUP"),
}
SIDES = ("inside", "outside")
SYNC_NETWORK = "192.168.100"
BLOCKED = 4  # BR_STATE_BLOCKING of linux/if_bridge.h: neither learns nor forwards
ELECTED_PATIENCE_S = 20.0


@dataclass(frozen=True)
class PairSettings:
    """How a pair is deployed."""

    advert_s: float = 1.0  # from 0.01; a backup waits for a little more than 3 of them
    synchronised: bool = True  # by conntrackd; else the backup knows of no connection
    direct: bool = False  # conntrackd leaves nothing to be committed when the backup takes over
    loose: bool = False  # connections that are met in their middle are taken for new ones


class Router:
    """One router's namespace, folder and daemons."""

    def __init__(self, lab: Lab, role: str, folder: Path) -> None:
        self.role = role
        self.folder = folder / role
        # Ends in `box`, so that labs clear it away after one that was killed.
        self.namespace = f"ftmb-{role}{lab.name}-{Host.BOX.value}"
        self.programs: list[Program] = []

    def log(self, name: str) -> str:
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def has_been(self, role: str) -> bool:
        """Whether keepalived's script has run to its end for it, now or earlier."""
        return role in self.log("roles").split()

    def known(self) -> str:
        """Connections of the other router that conntrackd holds ready."""
        configuration = str(self.folder / "conntrackd.conf")
        return run_inside(self.namespace, ["conntrackd", "-C", configuration, "-e"])

    def commit_ms(self) -> float | None:
        """How long the last commit took of what the other router knew; None: there was none."""
        taken = re.findall(r"commit has taken ([0-9.]+) seconds", self.log("conntrackd.log"))
        return round(float(taken[-1]) * 1000, 3) if taken else None

    def kill_daemons(self) -> None:
        for program in self.programs:
            program.kill()
        self.programs.clear()


class Pair:
    """A context manager over a lab that is up; `folder` takes configurations and logs."""

    def __init__(self, lab: Lab, settings: PairSettings, folder: Path) -> None:
        self.lab = lab
        self.settings = settings
        self.routers = {role: Router(lab, role, folder) for role in ROLES}
        self.primary, self.backup = self.routers[PRIMARY], self.routers[BACKUP]
        self.switches = lab.namespace(Host.BOX)
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as exits:
            for router in self.routers.values():
                exits.callback(namespaces.remove, router.namespace)
                exits.callback(router.kill_daemons)
                namespaces.create(router.namespace)
                router.folder.mkdir(parents=True)
            self._lay_wires()
            for router in self.routers.values():
                self._configure(router)
            self._start_daemons()
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def pids(self) -> dict[str, list[int]]:
        """Of both routers' daemons and their children, by the daemon."""
        found: dict[str, list[int]] = {}
        for router in self.routers.values():
            for program in router.programs:
                found.setdefault(program.command[0], []).extend(_with_children(program))
        return found

    def kill_primary(self) -> int:
        """The machine dies: no frame passes its ports any more, its daemons are gone.

        The switches' ports are shut first, within microseconds of each other, since to take
        an interface down costs the kernel milliseconds in which the router would go on. Returns
        the monotonic time in ns at which the first was.
        """
        killed_ns = namespaces.netlink(self.switches, _block_primary)
        self.primary.kill_daemons()
        namespaces.netlink(self.primary.namespace, _take_down_interfaces)
        return killed_ns

    def _lay_wires(self) -> None:
        namespaces.netlink(self.switches, self._make_switches)
        for router in self.routers.values():
            namespaces.call(router.namespace, lambda: [offloads.turn_off(side) for side in SIDES])
        namespaces.netlink(self.backup.namespace, self._make_sync_wire)

    def _make_switches(self, netlink: IPRoute) -> None:
        for side in SIDES:
            netlink.link("add", ifname=f"switch-{side}", kind="bridge")
            switch = netlink.link_lookup(ifname=f"switch-{side}")[0]
            netlink.link("set", index=switch, state="up")
            netlink.link("set", index=netlink.link_lookup(ifname=side)[0], master=switch)
            for router in self.routers.values():
                name = _port(router.role, side)
                _add_wire(netlink, name, router.namespace, side)
                port = netlink.link_lookup(ifname=name)[0]
                netlink.link("set", index=port, master=switch)

    def _make_sync_wire(self, netlink: IPRoute) -> None:
        _add_wire(netlink, "sync", self.primary.namespace, "sync")

    def _configure(self, router: Router) -> None:
        """Addresses and rules, and the two daemons' files."""
        a = self.lab.addresses
        last, priority, state = ROLES[router.role]
        others = {role: number for role, (number, _, _) in ROLES.items() if role != router.role}
        own, other = (f"{SYNC_NETWORK}.{number}" for number in (last, *others.values()))
        addresses = {"lo": "127.0.0.1/8", "sync": f"{own}/24"}
        for side, virtual in (("inside", a.box_inside), ("outside", a.box_outside)):
            addresses[side] = f"{virtual.rpartition('.')[0]}.{last}/{a.prefix_length}"
        set_addresses(router.namespace, addresses)
        translate(router.namespace, f"snat to {a.box_outside}", loose=self.settings.loose)
        vrrp = fill(
            "keepalived.conf",
            name=router.role,
            state=state,
            priority=priority,
            advert_s=self.settings.advert_s,
            notify=f"{self._script()} {router.folder}",
            inside_virtual=f"{a.box_inside}/{a.prefix_length}",
            outside_virtual=f"{a.box_outside}/{a.prefix_length}",
        )
        (router.folder / "keepalived.conf").write_text(vrrp)
        direct = "on" if self.settings.direct else "off"
        sync = fill("conntrackd.conf", direct=direct, own=own, other=other, folder=router.folder)
        (router.folder / "conntrackd.conf").write_text(sync)

    def _script(self) -> Path:
        return FILES / ("notify.sh" if self.settings.synchronised else "notify_role.sh")

    def _start_daemons(self) -> None:
        if self.settings.synchronised:
            for router in self.routers.values():
                self._run(router, ["conntrackd", "-C", str(router.folder / "conntrackd.conf")])
            for router in self.routers.values():
                _wait((router.folder / "conntrackd.socket").exists, router)
        for role, router in self.routers.items():  # one after the other: no election to wait for
            files = [f"{router.folder}/keepalived.{kind}" for kind in ("conf", "pid", "vrrp")]
            options = ["--use-file", "--pid", "--vrrp_pid"]
            words = [word for pair in zip(options, files, strict=True) for word in pair]
            self._run(router, ["keepalived", "--vrrp", "--dont-fork", "--log-console", *words])
            _wait(partial(router.has_been, role), router)

    def _run(self, router: Router, command: list[str]) -> None:
        router.programs.append(Program(router.namespace, command))


def _port(role: str, side: str) -> str:
    return f"{role}-{side}"


def _add_wire(netlink: IPRoute, name: str, far_namespace: str, far_name: str) -> None:
    """A veth pair to another namespace; both ends are up."""
    descriptor = os.open(namespaces.DIRECTORY / far_namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        peer = {"ifname": far_name, "net_ns_fd": descriptor}
        netlink.link("add", ifname=name, kind="veth", peer=peer)
    finally:
        os.close(descriptor)
    netlink.link("set", index=netlink.link_lookup(ifname=name)[0], state="up")
    offloads.turn_off(name)


def _with_children(program: Program) -> list[int]:
    """keepalived's VRRP is a child; a script that it runs is none for long, and is left out."""
    pid = program.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, children.split())]


def _block_primary(netlink: IPRoute) -> int:
    ports = [netlink.link_lookup(ifname=_port(PRIMARY, side))[0] for side in SIDES]
    killed_ns = time.monotonic_ns()
    for port in ports:
        netlink.brport("set", index=port, state=BLOCKED)
    return killed_ns


def _take_down_interfaces(netlink: IPRoute) -> None:
    """The far ends are left without a carrier."""
    for name in (*SIDES, "sync"):
        netlink.link("set", index=netlink.link_lookup(ifname=name)[0], state="down")


def _wait(done: Callable[[], bool], router: Router) -> None:
    deadline = time.monotonic() + ELECTED_PATIENCE_S
    while not done():
        ended = [program for program in router.programs if not program.running()]
        if ended or time.monotonic() > deadline:
            said = "\n".join(p.output()[-800:] for p in ended or router.programs)
            raise LabError(f"{router.role}: not ready: {said}{router.log('notify.log')[-500:]}")
        time.sleep(0.02)
