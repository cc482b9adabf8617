# SPDX-License-Identifier: BSD-3-Clause
"""The example configurations are right, and they are what the drill's pipelines use."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftmb.configuration import from_data, load
from ftmb.drill.pipelines import NAT, PIPELINES, Pipeline
from ftmb.lab import Lab

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_no_problems(path: Path) -> None:
    load(path)


def test_the_lab_example_is_the_drills_configuration() -> None:
    shown = load(next(path for path in EXAMPLES if path.name == NAT.example)).to_dict()
    data = NAT.box(Lab("drill"), shown["name"], shown["protection"])
    data["network_namespace"] = shown["network_namespace"]
    assert from_data(data).to_dict() == shown


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=lambda pipeline: pipeline.name)
def test_a_pipeline_is_its_example_in_the_lab(pipeline: Pipeline, tmp_path: Path) -> None:
    shown = load(next(path for path in EXAMPLES if path.name == pipeline.example)).to_dict()
    lab = Lab("drill", pipeline.addresses)
    made = from_data(pipeline.box(lab, "drilled", "standby", tmp_path)).to_dict()
    assert made["name"] == "drilled" and made["protection"] == "standby"
    assert [port["name"] for port in made["ports"]] == [port["name"] for port in shown["ports"]]
    assert {"inside", "outside"} <= {port["device"] for port in made["ports"]}
    elements = [stage["element"] for stage in shown["pipeline"]]
    assert [stage["element"] for stage in made["pipeline"]] == elements
