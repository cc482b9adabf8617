# SPDX-License-Identifier: BSD-3-Clause
"""The elements of a box with their configuration, as the C code wants them."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Sequence
from typing import Any

from ftmb._native.check import check, ffi, lib, text
from ftmb._native.elements import (
    ERROR_SIZE,
    ElementClass,
    element_classes,
    filled,
    load_modules,
    raw_classes,
)
from ftmb._native.filters import instructions


def _named(place: tuple[str | int, ...]) -> str:
    return str(place[0]) if place else "options"


def _let_go(owned: list[tuple[Any, Any]]) -> None:
    """What elements added to their configuration structs."""
    for element, config in owned:
        if element.release_config != ffi.NULL:
            element.release_config(config)


class Pipeline:
    """Elements in the order of their numbers; `names` are those that the configuration gives."""

    def __init__(self, stages: Sequence[dict[str, Any]], ports: Sequence[str], workers: int,
                 paths: Sequence[dict[str, Any]] = ()) -> None:  # fmt: skip
        load_modules(stages)
        self.elements = tuple(stage["element"] for stage in stages)
        self.names = tuple(stage.get("name", stage["element"]) for stage in stages)
        steering = [name for name in self.elements if raw_classes()[name].steer != ffi.NULL]
        if len(steering) > 1:
            raise ValueError(
                f"the elements {' and '.join(steering)} each have a rule of their own for which "
                "worker gets a packet; a pipeline can follow only one"
            )
        self.pointer = ffi.new("struct pipeline *")
        self._configs: list[tuple[Any, Any]] = []
        weakref.finalize(self, _let_go, self._configs)
        for stage in stages:
            config, problems = filled(stage["element"], stage["options"], ports, workers)
            if problems:
                details = "; ".join(f"{_named(place)} {what}" for place, what in problems)
                raise ValueError(f"element {stage['element']}: {details}")
            element = raw_classes()[stage["element"]]
            self._configs.append((element, config))
            check(lib.pipeline_add(self.pointer, element, config), "adding an element")
        self._filters: list[Any] = []
        for path in paths:
            self._add_path(path, ports)
        described = json.dumps([list(stages), list(ports), workers, list(paths)], sort_keys=True)
        self.digest = int.from_bytes(hashlib.sha256(described.encode()).digest()[:8], "little")

    @classmethod
    def of(cls, configuration: dict[str, Any]) -> Pipeline:
        """Of a box's whole configuration, in its plain form."""
        ports = [port["name"] for port in configuration["ports"]]
        workers = configuration["workers"]["count"]
        return cls(configuration["pipeline"], ports, workers, configuration["paths"])

    def _add_path(self, path: dict[str, Any], ports: Sequence[str]) -> None:
        """{"from": ports, "through": names of elements, "program": of the filter, or None}."""
        from_ports = sum(1 << ports.index(port) for port in path["from"])
        program = path["program"]
        question = ffi.NULL if program is None else instructions(program)
        self._filters.append(question)  # C borrows it
        stages = [self.names.index(name) for name in path["through"]]
        code = lib.pipeline_add_path(
            self.pointer, from_ports, question, len(program or ()), stages, len(stages)
        )
        check(code, "adding a path")

    def classes(self) -> list[ElementClass]:
        """Of each element, in order."""
        return [element_classes()[element] for element in self.elements]

    def drop_names(self) -> list[tuple[str, tuple[str, ...]]]:
        """For each element, its name and its drop reasons in the order of C."""
        reasons = (element.drop_reasons for element in self.classes())
        return list(zip(self.names, reasons, strict=True))

    def command_problem(self, place: int, command: str) -> str | None:
        """Why the element at this place cannot be told this, as far as no state matters."""
        element, config = self._configs[place]
        known = self.classes()[place].commands
        if not known:
            return f"the element '{self.names[place]}' takes no commands"
        if command.split(" ")[0] not in [one.name for one in known]:
            usages = ", ".join(f"'{one.name} {one.arguments}'".replace(" '", "'") for one in known)
            return f"the element '{self.names[place]}' has these commands: {usages}"
        if len(command.encode()) >= lib.FTMB_COMMAND_SIZE_MAX or "\0" in command:
            return f"a command has at most {lib.FTMB_COMMAND_SIZE_MAX - 1} bytes, none of them zero"
        error = ffi.new("char[]", ERROR_SIZE)
        if element.check_command(config, command.encode(), error, ERROR_SIZE) != 0:
            return text(error)
        return None
