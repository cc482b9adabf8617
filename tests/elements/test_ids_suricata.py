# SPDX-License-Identifier: BSD-3-Clause
"""The element `ids` against Suricata: the same packets and rules, and who alerts on what."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.peers import suricata
from tests.elements import ids_scenes
from tests.elements.ids_peer import (
    RECORD,
    by_sid,
    of_box,
    of_suricata,
    originals,
    parsed_rules,
    said_of,
)
from tests.elements.ids_scenes import Scene

SCENES = list(ids_scenes.scenes())
RECORDED = json.loads(RECORD.read_text())
NOT_INLINE = suricata.Settings(is_inline=False)
needs_suricata = pytest.mark.skipif(suricata.program() is None, reason=suricata.MISSING)
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)

# Alerts that ids has more (or fewer) than Suricata in a scene, by sid. Why, each: README.md of the
# element, "Compared with Suricata".
DIFFERENT = {
    "sizes": {52: 1},
    "flags": {84: 2},
    "IPv6": {132: 1},
    "in pieces": {40: -3, 41: -3, 44: -2, 45: -3},
    "bits": {111: -1},
}


@each_scene
@pytest.mark.parametrize("workers", [1, 2])
def test_ids_alerts_as_recorded_of_suricata(scene: Scene, workers: int) -> None:
    found = by_sid(of_box(scene.packets, parsed_rules(scene.text()).texts(), workers))
    wanted = Counter(RECORDED[scene.name])
    for sid, more in DIFFERENT.get(scene.name, {}).items():
        wanted[str(sid)] += more
    assert found == {sid: count for sid, count in wanted.items() if count}


@needs_suricata
@each_scene
def test_what_is_recorded_is_what_suricata_says(scene: Scene) -> None:
    rules = parsed_rules(scene.text())
    assert (
        by_sid(of_suricata(scene.packets, originals(scene.text(), rules))) == RECORDED[scene.name]
    )


@needs_suricata
@each_scene
def test_canonical_rules_mean_the_same_to_suricata(scene: Scene) -> None:
    canonical = parsed_rules(scene.text()).texts()
    assert of_suricata(scene.packets, canonical) == said_of(scene)


@needs_suricata
@pytest.mark.parametrize("name", ["in pieces", "bits"])
def test_what_inline_mode_alerts_on_again_it_alerts_on_once_otherwise(name: str) -> None:
    scene = next(scene for scene in SCENES if scene.name == name)
    canonical = parsed_rules(scene.text()).texts()
    assert of_box(scene.packets, canonical) == said_of(scene, NOT_INLINE)


@needs_suricata
def test_every_rule_that_is_taken_suricata_takes_too(tmp_path: Path) -> None:
    text = "\n".join(scene.text() for scene in SCENES)
    text += "\n" + (suricata.ROOT / "examples/rules/office.rules").read_text()
    found = parsed_rules(text)
    assert not found.refused
    assert suricata.refused_rules(originals(text, found), tmp_path) == []
    assert suricata.refused_rules(found.texts()[:50], tmp_path) == []
