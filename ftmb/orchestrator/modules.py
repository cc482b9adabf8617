# SPDX-License-Identifier: BSD-3-Clause
"""Elements of the user's own, copied into the box's folder.

From there all processes of the box load them, however long it runs: whoever builds such an
element anew changes nothing for a box that runs, whose next standby must run what its master does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ftmb.errors import StartError

DIGEST_SHOWN = 16


def placed(configuration: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The configuration with the paths that the copies have in the box's folder."""
    stages = []
    for stage in configuration["pipeline"]:
        if (module := stage.get("module")) is not None:
            name = f"{stage['element']}-{module['digest'][:DIGEST_SHOWN]}.so"
            stage = {**stage, "module": {**module, "path": str(folder / name)}}
        stages.append(stage)
    return {**configuration, "pipeline": stages}


def copy(originals: dict[str, Any], configuration: dict[str, Any]) -> None:
    """Makes the copies. StartError: a file is not what was checked any more."""
    from ftmb._native.modules import ModuleError, read

    for original, stage in zip(originals["pipeline"], configuration["pipeline"], strict=True):
        if stage.get("module") is None:
            continue
        try:
            content = read(original["module"]["path"])
        except ModuleError as error:
            raise StartError(str(error)) from None
        if hashlib.sha256(content).hexdigest() != stage["module"]["digest"]:
            raise StartError(f"{original['module']['path']} has changed meanwhile: start once more")
        target = Path(stage["module"]["path"])
        target.write_bytes(content)
        target.chmod(0o600)
