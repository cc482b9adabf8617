# SPDX-License-Identifier: BSD-3-Clause
"""The description of a pipeline that is drilled, and the box that it makes of an example file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftmb.drill.workload.base import journal_file
from ftmb.drill.workload.traffic import USUAL, MakePart
from ftmb.errors import LabError
from ftmb.lab import Addresses, Host, Lab

EXAMPLES = Path(__file__).parents[3] / "examples"
JOURNAL = "journal:"
Data = dict[str, Any]  # a box's configuration, as TOML gives it
WIRED = ("inside", "outside")  # the box's interfaces in the lab


def _as_it_is(data: Data) -> None:
    """Most examples fit the lab."""


@dataclass(frozen=True)
class Pipeline:
    """`ports`: the example's, that are connected to the clients' and to the servers' side."""

    name: str
    help: str  # one line
    example: str  # in examples/
    ports: tuple[str, str]
    addresses: Addresses = field(default_factory=Addresses)
    parts: tuple[MakePart, ...] = USUAL
    adapt: Callable[[Data], None] = _as_it_is  # what the lab needs besides
    virtual_address: str | None = None  # behind which the lab's backends are
    shares_state: bool = False  # between workers

    def box(self, lab: Lab, name: str, protection: str, folder: Path = Path()) -> Data:
        """The example's box in this lab; its journals are in `folder`."""
        data = self._example()
        data |= {
            "name": name,
            "network_namespace": lab.namespace(Host.BOX),
            "protection": protection,
            "workers": {"count": 2, "idle": "auto"},
            "memory": {"arena_mib": 256},
            "metrics": {"port": 0},
        }
        for table in ("logger", "standby"):
            data.pop(table, None)
        for port in data["port"]:
            self._connect(port, lab.addresses, folder)
        self.adapt(data)
        return data

    @property
    def elements(self) -> str:
        return ", ".join(table["element"] for table in self._example()["element"])

    def _example(self) -> Data:
        try:
            return tomllib.loads((EXAMPLES / self.example).read_text())
        except FileNotFoundError:
            raise LabError(
                f"{EXAMPLES / self.example} is missing: the drill needs the whole source tree"
            ) from None

    def _connect(self, port: Data, a: Addresses, folder: Path) -> None:
        if port["device"].startswith(JOURNAL):
            port["device"] = f"{JOURNAL}{journal_file(folder, port['name'])}"
            return
        side = self.ports.index(port["name"])
        port["device"] = WIRED[side]
        if "addresses" in port:
            address = (a.box_inside, a.box_outside)[side]
            port["addresses"] = [f"{address}/{a.prefix_length}"]
        for key in ("queues", "descriptors", "gateway", "answers_for"):
            port.pop(key, None)


def element_of(data: Data, element: str) -> Data:
    """The table of the one element of this kind."""
    found: Data
    (found,) = (table for table in data["element"] if table["element"] == element)
    return found


def add_monitor(data: Data) -> None:
    """In front of all else: an element whose state all workers share."""
    first, second = (port["name"] for port in data["port"] if port["device"] in WIRED)
    data["element"].insert(0, {"element": "monitor", "first": first, "second": second})
    for path in data.get("path", ()):
        path["through"].insert(0, "monitor")
