# SPDX-License-Identifier: BSD-3-Clause
"""From TOML text to a checked model, or to every problem it has, each with its line."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ftmb.configuration.model import Configuration
from ftmb.configuration.modules import resolve_modules
from ftmb.configuration.positions import Path, key_lines, line_of
from ftmb.configuration.prepared import prepare_elements
from ftmb.configuration.relations import Problem, relation_problems, unknown
from ftmb.errors import ConfigurationError

SHOWN_LENGTH_MAX = 60
_NUMBER = re.compile(r"(?<=:)([0-9]{1,9})(?=:)")
_SYNTAX_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_TYPE_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


Model = TypeVar("Model", bound=BaseModel)
Relations = Callable[[dict[str, Any]], Iterable[Problem]]


@dataclass(frozen=True)
class Kind(Generic[Model]):
    """A kind of file: its tables, and what must hold between several keys of it."""

    model: type[Model]
    relations: Relations
    hints: Mapping[Path, str]  # what to say of a key that is missing
    resolve: Callable[[dict[str, Any], FilePath], Iterable[Problem]] = lambda data, folder: ()
    """Puts what files say in the place of their names, which are relative to the folder."""


def _resolve_box(data: dict[str, Any], folder: FilePath) -> Iterator[Problem]:
    yield from resolve_modules(data, folder)
    yield from prepare_elements(data, folder)


BOX = Kind(
    Configuration,
    relation_problems,
    {
        ("port",): "; a box needs at least one [[port]] table",
        ("element",): "; a box needs at least one [[element]] table",
    },
    _resolve_box,
)


def load(path: str | FilePath) -> Configuration:
    """Reads and checks a box's file; raises ConfigurationError with all its problems."""
    return load_as(BOX, path)


def load_as(kind: Kind[Model], path: str | FilePath) -> Model:
    """The same for any kind of file."""
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: there is no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError([f"{path}: cannot be read: {reason}"]) from None
    return parse_as(kind, text, str(path), FilePath(path).parent)


def parse(text: str, file: str = "configuration") -> Configuration:
    """Checks a box's TOML text; `file` is what the problems are reported under."""
    return parse_as(BOX, text, file)


def parse_as(kind: Kind[Model], text: str, file: str, folder: FilePath = FilePath()) -> Model:
    """The same for any kind of file; the files that it names are relative to `folder`."""
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([_syntax_problem(text, file, str(error))]) from None
    except RecursionError:
        raise ConfigurationError([f"{file}:1: values are nested too deeply"]) from None
    except ValueError:  # from int() itself
        raise ConfigurationError([_digits_problem(text, file)]) from None
    lines = key_lines(text)

    def place_of(path: Path) -> str:
        return f"{file}:{line_of(lines, path)}"

    if too_large := _too_large_numbers(data):
        raise ConfigurationError(_rendered(too_large, place_of))
    return check_data(kind, data, place_of, folder)


def from_data(data: dict[str, Any]) -> Configuration:
    """The same for data that has no text, such as what the drill builds."""
    return check_data(BOX, deepcopy(data), lambda path: "configuration")


def check_data(
    kind: Kind[Model], data: dict[str, Any], place_of: Any, folder: FilePath = FilePath()
) -> Model:
    """Checks data as it comes out of TOML; `place_of` tells where a path of it stands. Files that
    it names are relative to `folder`, and what they say is put in the place of their names."""
    problems: list[Problem] = [*kind.resolve(data, folder)]
    configuration = None
    try:
        configuration = kind.model.model_validate(data)
    except ValidationError as error:
        problems += [_described(kind, details) for details in error.errors(include_url=False)]
    problems += kind.relations(data)
    if configuration is None or problems:
        raise ConfigurationError(_rendered(problems, place_of))
    return configuration


def _rendered(problems: list[Problem], place_of: Any) -> list[str]:
    """In order of lines, also of those that messages name."""

    def numbered(text: str) -> list[str | int]:
        return [int(part) if index % 2 else part for index, part in enumerate(_NUMBER.split(text))]

    texts = {f"{place_of(path)}: {_name_of(path)}: {message}" for path, message in problems}
    return sorted(texts, key=numbered)


def _name_of(path: Path) -> str:
    """('port', 0, 'device') reads port[1].device: people count from one."""
    name = ""
    for part in path:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if name else part
    return name or "configuration"


def _syntax_problem(text: str, file: str, message: str) -> str:
    match = _SYNTAX_POSITION.search(message)
    line = int(match[1]) if match and match[1] else text.count("\n") + 1
    plain = _SYNTAX_POSITION.sub("", message)
    return f"{file}:{line}: this is not TOML: {plain[:1].lower()}{plain[1:]}"


def _too_large_numbers(data: dict[str, Any]) -> list[Problem]:
    """TOML has numbers of 64 bits; larger ones could not even be shown."""
    problems: list[Problem] = []
    left: list[tuple[Path, Any]] = [((), data)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict):
            left += [((*path, key), entry) for key, entry in value.items()]
        elif isinstance(value, list):
            left += [((*path, index), entry) for index, entry in enumerate(value)]
        elif isinstance(value, int) and value.bit_length() > 63:
            problems.append((path, "a number has 64 bits at most"))
    return problems


def _digits_problem(text: str, file: str) -> str:
    digits = re.search(rf"[0-9_]{{{sys.get_int_max_str_digits()},}}", text)
    line = text.count("\n", 0, digits.start()) + 1 if digits else 1
    return f"{file}:{line}: a number has more digits than can be read"


def _shown(value: Any) -> str:
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    if isinstance(value, bool):
        text = str(value).lower()
    if isinstance(value, dict):
        text = "a table"
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 3] + "..."


def _described(kind_of_file: Kind[Any], details: ErrorDetails) -> Problem:
    path: Path = tuple(details["loc"])
    kind, found = details["type"], _shown(details["input"])
    context = details.get("ctx", {})
    if kind == "missing":
        return path, "is missing" + kind_of_file.hints.get(path, "")
    if kind == "extra_forbidden":
        return path, unknown(
            "unknown key", str(path[-1]), _allowed_keys(kind_of_file.model, path[:-1])
        )
    if kind in _TYPE_WORDS:
        return path, f"found {found}; {_TYPE_WORDS[kind]} is needed"
    if kind == "literal_error":
        return path, f"found {found}; allowed: {context['expected']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return path, f"found {found}; allowed: {_range_of(kind_of_file.model, path)}"
    if kind == "string_pattern_mismatch" and path[-1:] == ("device",):
        return path, f"found {found}; a device has no spaces in it"
    if kind == "string_pattern_mismatch":
        return path, (
            f"found {found}; allowed: up to 32 of a-z, 0-9, '_' and '-', beginning with a letter"
        )
    if kind == "value_error":
        return path, f"found {found}; {context['error']}"
    if kind in ("too_short", "too_long"):
        return path, f"found {context['actual_length']} entries; allowed: {_size_range(context)}"
    return path, f"found {found}; {details['msg'][:1].lower()}{details['msg'][1:]}"


def _size_range(context: dict[str, Any]) -> str:
    if "min_length" in context:
        return f"at least {context['min_length']}"
    return f"at most {context['max_length']}"


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel]:
    for key in path:
        if not isinstance(key, int):
            annotation: Any = model.model_fields[key].annotation
            model = next(iter(get_args(annotation)), annotation)
    return model


def _allowed_keys(model: type[BaseModel], path: Path) -> list[str]:
    return list(_model_at(model, path).model_fields)


def _range_of(model: type[BaseModel], path: Path) -> str:
    """The bounds of a number, read from the JSON schema of the table it stands in."""
    last_name = max(index for index, key in enumerate(path) if isinstance(key, str))
    table = _model_at(model, path[:last_name])
    schema = table.model_json_schema()["properties"][path[last_name]]
    for choice in (schema, *schema.get("anyOf", ())):
        bounds = choice.get("items", choice)
        if "minimum" in bounds:
            return f"{bounds['minimum']} to {bounds['maximum']}"
    return "a number within its bounds"
