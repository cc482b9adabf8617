# SPDX-License-Identifier: BSD-3-Clause
"""The example configurations are right, and the lab's is what the drill uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftmb.configuration import from_data, load
from ftmb.drill.box import lab_data
from ftmb.lab import Lab

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_no_problems(path: Path) -> None:
    load(path)


def test_the_lab_example_is_the_drills_configuration() -> None:
    example = next(path for path in EXAMPLES if path.name == "lab_nat.toml")
    shown = load(example).to_dict()
    data = lab_data(Lab("drill"), shown["name"], shown["protection"])
    data["network_namespace"] = shown["network_namespace"]
    assert from_data(data).to_dict() == shown
