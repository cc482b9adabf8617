# SPDX-License-Identifier: BSD-3-Clause
"""Elements as their constant tables in C describe them, and their configuration structs.

An element's options are declared once, in C; documentation, validation and the filling of the
struct all follow from that table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ftmb._native import modules
from ftmb._native.check import ffi, lib, text

NANOSECONDS = 1_000_000_000
ERROR_SIZE = 256

# Where in an element's table, such as ("rules", 2), or () for the whole; and what is wrong there.
Problem = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True)
class Option:
    """One option of an element; `initial` is None where it is required."""

    name: str
    help: str
    type: str
    minimum: int
    maximum: int
    initial: str | None
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """What a running element can be told."""

    name: str
    arguments: str
    help: str


@dataclass(frozen=True)
class ElementClass:
    """What one element offers."""

    name: str
    help: str
    options: tuple[Option, ...]
    drop_reasons: tuple[str, ...]
    steers: bool  # it has a rule of its own for which worker gets a packet
    needs_flows: bool  # both directions of a flow are to meet on one worker
    rewrites: bool  # addresses or ports
    commands: tuple[Command, ...]


TYPES = {
    lib.FTMB_OPTION_UNSIGNED: "unsigned",
    lib.FTMB_OPTION_BOOLEAN: "boolean",
    lib.FTMB_OPTION_SECONDS: "seconds",
    lib.FTMB_OPTION_CHOICE: "choice",
    lib.FTMB_OPTION_PORT: "port",
    lib.FTMB_OPTION_JOURNAL: "journal",
    lib.FTMB_OPTION_TEXT: "text",
    lib.FTMB_OPTION_LIST: "list",
}


def strings(array: Any) -> tuple[str, ...]:
    """A NULL-terminated array of C strings; NULL is empty."""
    found: list[str] = []
    while array != ffi.NULL and array[len(found)] != ffi.NULL:
        found.append(text(array[len(found)]))
    return tuple(found)


def _raw_options(element: Any) -> list[Any]:
    found: list[Any] = []
    while element.options != ffi.NULL and element.options[len(found)].name != ffi.NULL:
        found.append(element.options[len(found)])
    return found


def _option(raw: Any) -> Option:
    return Option(
        name=text(raw.name),
        help=text(raw.help),
        type=TYPES[raw.type],
        minimum=raw.minimum,
        maximum=raw.maximum,
        initial=None if raw.initial == ffi.NULL else text(raw.initial),
        choices=strings(raw.choices),
    )


def _commands(raw: Any) -> tuple[Command, ...]:
    found: list[Command] = []
    while raw.commands != ffi.NULL and raw.commands[len(found)].name != ffi.NULL:
        command = raw.commands[len(found)]
        found.append(Command(text(command.name), text(command.arguments), text(command.help)))
    return tuple(found)


@cache
def built_in_classes() -> dict[str, Any]:
    """The constant tables of all elements that are built in, by name."""
    found: dict[str, Any] = {}
    while (element := lib.elements_at(len(found))) != ffi.NULL:
        found[text(element.name)] = element
    return found


def raw_classes() -> dict[str, Any]:
    """The constant tables of all elements, also of those that were loaded, by name."""
    return {**modules.loaded_classes(), **built_in_classes()}


@cache
def _described(raw: Any) -> ElementClass:
    return ElementClass(
        name=text(raw.name),
        help=text(raw.help),
        options=tuple(_option(option) for option in _raw_options(raw)),
        drop_reasons=strings(raw.drop_reasons),
        steers=raw.steer != ffi.NULL,
        needs_flows=raw.steering == lib.FTMB_STEERING_FLOW,
        rewrites=raw.rewrites,
        commands=_commands(raw),
    )


def element_classes() -> dict[str, ElementClass]:
    """All elements, also those that were loaded, by name."""
    return {name: _described(raw) for name, raw in raw_classes().items()}


def load_module(path: str, digest: str | None = None) -> modules.Module:
    """A shared object's element, known by its name from now on; modules.ModuleError."""
    module = modules.load(path, digest)
    if module.name in built_in_classes():
        raise modules.ModuleError(
            f"{path} holds an element '{module.name}', which is the name of one that is built in: "
            "give it another"
        )
    return module


def load_modules(stages: Sequence[dict[str, Any]]) -> None:
    """Those that the elements of a pipeline come from; modules.ModuleError."""
    for stage in stages:
        if (module := stage.get("module")) is not None:
            load_module(module["path"], module["digest"])


def _store(config: Any, raw: Any, c_type: str, value: int) -> None:
    place = ffi.cast("char *", config) + raw.offset
    ffi.cast(f"{c_type} *", place)[0] = value


def _store_number(config: Any, raw: Any, value: object, c_type: str, scale: int) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (scale == 1 and not isinstance(value, int)):
        kind = "a whole number" if scale == 1 else "a number of seconds"
        return f"must be {kind} from {raw.minimum} to {raw.maximum}"
    assert isinstance(value, int | float)
    if not raw.minimum <= value <= raw.maximum:
        return f"is {value}, but must be from {raw.minimum} to {raw.maximum}"
    _store(config, raw, c_type, int(value * scale))
    return None


def _store_named(config: Any, raw: Any, value: object, names: Sequence[str], c_type: str,
                 what: str) -> str | None:  # fmt: skip
    if not isinstance(value, str) or value not in names:
        return f"must be {what}: " + ", ".join(f'"{name}"' for name in names)
    _store(config, raw, c_type, list(names).index(value))
    return None


def _parse(config: Any, raw: Any, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text in quotes"
    if "\0" in value:  # C would read only what stands before it
        return "must not hold a character of value zero"
    error = ffi.new("char[]", ERROR_SIZE)
    if raw.parse(config, value.encode(), error, ERROR_SIZE) != 0:
        return f'"{value}": {text(error)}'
    return None


def _set(config: Any, raw: Any, value: object, ports: Sequence[str]) -> list[Problem]:
    """Puts one option's value into the struct; what is wrong with it, by its place below it."""
    problem: str | None = None
    match TYPES[raw.type]:
        case "unsigned":
            problem = _store_number(config, raw, value, "uint32_t", 1)
        case "seconds":
            problem = _store_number(config, raw, value, "uint64_t", NANOSECONDS)
        case "boolean" if isinstance(value, bool):
            _store(config, raw, "uint8_t", int(value))
        case "boolean":
            problem = "must be true or false"
        case "choice":
            choices = strings(raw.choices)
            problem = _store_named(config, raw, value, choices, "uint32_t", "one of")
        case "port" | "journal":
            problem = _store_named(config, raw, value, ports, "uint8_t", "the name of a port")
        case "text":
            problem = _parse(config, raw, value)
        case _ if isinstance(value, list | tuple):
            found = [_parse(config, raw, item) for item in value]
            return [((index,), message) for index, message in enumerate(found) if message]
        case _:
            problem = "must be a list of texts"
    return [((), problem)] if problem else []


def _initial(raw: Any) -> object:
    """A default, written in C as TOML text."""
    written = text(raw.initial)
    match TYPES[raw.type]:
        case "unsigned" | "seconds":
            return int(written)
        case "boolean":
            return written == "true"
        case "list":
            return json.loads(written) if written else []
        case _:
            return written.strip('"')


def filled(
    name: str, options: dict[str, object], ports: Sequence[str], workers: int
) -> tuple[Any, list[Problem]]:
    """The configuration struct, and everything that is wrong with the options."""
    element = raw_classes()[name]
    config = ffi.new("uint64_t[]", (element.config_size + 7) // 8 or 1)
    problems: list[Problem] = []
    known = {text(raw.name): raw for raw in _raw_options(element)}
    unknown = options.keys() - known
    problems += [((option,), "is not an option of this element") for option in unknown]
    for option, raw in known.items():
        if option in options:
            found = _set(config, raw, options[option], ports)
            problems += [((option, *place), message) for place, message in found]
        elif raw.initial == ffi.NULL:
            problems.append(((option,), "is required"))
        elif (initial := _initial(raw)) != "":
            problems += [((option,), message) for _, message in _set(config, raw, initial, ports)]
    if not problems and element.check != ffi.NULL:
        error = ffi.new("char[]", ERROR_SIZE)
        if element.check(config, workers, error, ERROR_SIZE) != 0:
            problems.append(((), text(error)))
    return config, problems


def check_options(
    element: str, options: dict[str, object], ports: Sequence[str], workers: int
) -> list[Problem]:
    """Everything wrong with an element's options; entries of a list are counted from 0."""
    return filled(element, options, ports, workers)[1]
