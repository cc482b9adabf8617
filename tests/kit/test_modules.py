# SPDX-License-Identifier: BSD-3-Clause
"""Shared objects as elements: what is loaded, and what is refused, with the reason."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from ftmb._native.elements import element_classes, load_module
from ftmb._native.modules import ModuleError
from ftmb._native.pipeline import Pipeline
from ftmb.configuration import load
from ftmb.errors import ConfigurationError
from ftmb.testing import Box
from tests.kit.building import build

PORTS = ["left", "right"]
OPTIONS = {"first": "left", "second": "right"}
Built = Callable[..., Path]

MACHINE = 18  # where an ELF header has it
WORD_SIZE = 4
EXPORT = "const struct ftmb_element_export ftmb_element_export"


def refusal(path: Path, digest: str | None = None) -> str:
    with pytest.raises(ModuleError) as caught:
        load_module(str(path), digest)
    assert str(path.parent) in str(caught.value)
    return str(caught.value)


def test_it_is_an_element_as_any_other(built: Built) -> None:
    module = load_module(str(built()))
    found = element_classes()[module.name]
    assert [option.name for option in found.options] == ["first", "second", "bytes_max"]
    assert found.drop_reasons == ("too_long",)
    assert load_module(module.path, module.digest).raw == module.raw


def test_what_is_no_object_is_refused(tmp_path: Path, built: Built) -> None:
    assert "cannot be opened: No such file" in refusal(tmp_path / "missing.so")
    assert "is not a file" in refusal(tmp_path)
    text = tmp_path / "text.so"
    text.write_text("this is text, longer than a header is")
    assert "is not a shared object" in refusal(text)
    empty = tmp_path / "empty.so"
    empty.touch()
    assert "is not a shared object" in refusal(empty)
    program = build(built().with_suffix(".c"), tmp_path / "program.so", "-c")
    assert "is a program or an object file" in refusal(program)


@pytest.mark.parametrize(("place", "value"), [(MACHINE, 243), (WORD_SIZE, 1)])
def test_an_object_for_another_machine_is_refused(
    built: Built, tmp_path: Path, place: int, value: int
) -> None:
    content = bytearray(built().read_bytes())
    content[place : place + 1] = struct.pack("B", value)
    other = tmp_path / "other.so"
    other.write_bytes(content)
    assert "for another machine" in refusal(other)


def test_an_object_cut_short_is_refused(built: Built, tmp_path: Path) -> None:
    cut = tmp_path / "cut.so"
    cut.write_bytes(built().read_bytes()[:200])
    assert "cannot be used" in refusal(cut)


def test_a_function_that_is_nowhere_is_told(built: Built) -> None:
    path = built(("ftmb_shared_release(context", "ftmb_shared_give_back(context"))
    assert "undefined symbol: ftmb_shared_give_back" in refusal(path)


def test_what_the_core_has_for_itself_is_not_to_be_had(built: Built) -> None:
    path = built(("totals->packets++;", "extern int logger_step(void); logger_step();"))
    assert "undefined symbol: logger_step" in refusal(path)


def test_an_object_without_an_element_is_refused(built: Built) -> None:
    assert "FTMB_EXPORT_ELEMENT" in refusal(
        built(("FTMB_EXPORT_ELEMENT", "extern int nothing; //"))
    )


@pytest.mark.parametrize("number", ["FTMB_ELEMENT_ABI + 1, FTMB_ELEMENT_LAYOUT",
                                    "FTMB_ELEMENT_ABI, FTMB_ELEMENT_LAYOUT + 1"])  # fmt: skip
def test_an_object_for_another_interface_is_refused(built: Built, made: Path, number: str) -> None:
    export = f'__attribute__((visibility("default"))) {EXPORT} = {{{number}, &{made.name}_class}};'
    path = built((f"FTMB_EXPORT_ELEMENT({made.name}_class);", export))
    assert "headers of another version" in refusal(path)


def test_the_name_of_one_that_is_built_in_is_refused(built: Built, made: Path) -> None:
    path = built((f'.name = "{made.name}"', '.name = "nat"'))
    assert "the name of one that is built in" in refusal(path)
    assert "inside_address" in {option.name for option in element_classes()["nat"].options}


def test_what_others_may_write_is_refused(built: Built) -> None:
    path = built()
    for mode in (0o757, 0o775):
        path.chmod(mode)
        assert f"chmod go-w {path}" in refusal(path)
    path.chmod(0o755)
    path.parent.chmod(0o777)
    assert f"chmod o-w {path.parent}" in refusal(path)
    path.parent.chmod(0o1777)
    load_module(str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_somebody_else_is_refused(built: Built) -> None:
    path = built()
    os.chown(path, 12345, 12345)
    assert f"chown root {path}" in refusal(path)


def test_all_processes_have_the_same_bytes(built: Built) -> None:
    module = load_module(str(built()))
    stage = {"element": module.name, "options": OPTIONS,
             "module": {"path": module.path, "digest": module.digest}}  # fmt: skip
    Pipeline([stage], PORTS, 1)
    built(("totals->packets++;", "totals->packets += 2;"))
    assert "not the file that this box was started with" in refusal(
        Path(module.path), module.digest
    )
    with pytest.raises(ModuleError):
        Pipeline([stage], PORTS, 1)


def test_building_it_again_does_not_change_what_runs(built: Built) -> None:
    """Not even in place: what runs is a copy. What is loaded afterwards is the new one."""
    path = built()
    with Box([(path, OPTIONS)], PORTS) as box:
        element = box.pipeline.elements[0]
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
        box.inject("left", bytes(60))
        assert len(box.run()) == 1
        assert box.table(element)["packets"] == [1]
    changed = built(("totals->packets++;", "totals->packets += 2;"))
    with Box([(changed, OPTIONS)], PORTS) as box:
        box.inject("left", bytes(60))
        box.run()
        assert box.table(element)["packets"] == [2]


BOX = """
name = "test"
[[port]]
name = "left"
device = "eth0"
[[port]]
name = "right"
device = "eth1"
[[element]]
element = "./{file}"
first = "left"
second = "right"
"""


def configured(folder: Path, file: str, more: str = "") -> Path:
    path = folder / "box.toml"
    path.write_text(BOX.format(file=file) + more)
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    return caught.value.problems


def test_a_file_is_named_from_where_the_configuration_lies(
    built: Built, made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = built()
    configuration = configured(made, path.name)
    monkeypatch.chdir(tmp_path)
    (stage,) = load(os.path.relpath(configuration)).to_dict()["pipeline"]
    assert stage["element"] == made.name
    assert stage["module"] == {"path": str(path), "digest": load_module(str(path)).digest}
    assert stage["options"] == OPTIONS


def test_all_that_is_wrong_is_told_with_its_line(built: Built, made: Path) -> None:
    """Also of an element's options, which the file has to be loaded for."""
    configuration = configured(
        made,
        built().name,
        'bytes_max = 9000\nmodule = "x"\n[[element]]\nelement = "./missing.so"\n',
    )
    found = "\n".join(problems(configuration))
    assert f"{configuration}:13: element[1].bytes_max: is 9000" in found
    assert f"{configuration}:14: element[1].module: unknown key" in found
    assert (
        f"{configuration}:16: element[2].element: {made / 'missing.so'} cannot be opened" in found
    )


def test_one_name_is_of_one_file(built: Built, made: Path) -> None:
    first = built()
    other = built(("totals->packets++;", "totals->packets += 2;"), file="other.so")
    more = f'[[element]]\nelement = "./{other.name}"\nfirst = "left"\nsecond = "right"\n'
    (found,) = problems(configured(made, first.name, more))
    assert f"holds an element '{made.name}', as another file before it does" in found
