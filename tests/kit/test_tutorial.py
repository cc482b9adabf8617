# SPDX-License-Identifier: BSD-3-Clause
"""elements/README.md, "Your first element": its commands are run, its changes made, in order.

In a `console` block lines with a `$` are commands, and must succeed; the others are in their
output, in this order, `...` being anything. A `diff` is what the text says: a file protocols.patch;
`python` is put at the end of the element's test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.test_new_element import TREE

README = TREE / "elements/README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "$ "
PATIENCE_S = 240.0
NAMESPACES = ("kit-left", "kit-right")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")


def blocks() -> list[tuple[str, str]]:
    section = README.read_text().split("## Your first element", 1)[1].split("\n## ", 1)[0]
    return [(kind, text) for kind, text in BLOCK.findall(section)]


def wanted(text: str) -> re.Pattern[str]:
    """What the output of a block looks like."""
    lines = [line for line in text.splitlines() if not line.startswith(PROMPT)]
    parts = [re.escape(line).replace(re.escape("..."), ".*") for line in lines]
    return re.compile(r"[\s\S]*".join(parts))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Runs commands one after the other, each where the one before left off."""
    monkeypatch.setenv("FTMB_RUN_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    def run(commands: str) -> str:
        script = f"set -euo pipefail\n{commands}\npwd >{tmp_path}/folder"
        with (tmp_path / "said").open("w+") as said:
            status = subprocess.run(
                ["bash", "-c", script], stdout=said, stderr=said, timeout=PATIENCE_S
            )
            said.seek(0)
            text = said.read()
        assert status.returncode == 0, text
        os.chdir((tmp_path / "folder").read_text().strip())
        return text

    yield run
    subprocess.run(["ftmb", "down", "counter"], capture_output=True)
    for namespace in NAMESPACES:
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)


def test_every_step_does_what_it_says(shell: Callable[[str], str]) -> None:
    steps = blocks()
    assert [kind for kind, _ in steps].count("console") >= 5
    for kind, text in steps:
        match kind:
            case "console":
                commands = [line.removeprefix(PROMPT) for line in text.splitlines()
                            if line.startswith(PROMPT)]  # fmt: skip
                said = shell("\n".join(commands))
                assert wanted(text).search(said), said
            case "diff":
                Path("protocols.patch").write_text(text)
            case "python":
                with Path("test_counter.py").open("a") as test:
                    test.write(f"\n\n{text}")
            case _:
                raise AssertionError(f"nobody runs {kind}")
