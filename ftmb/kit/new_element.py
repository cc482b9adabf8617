# SPDX-License-Identifier: BSD-3-Clause
"""`ftmb new-element`: a working element under a name of its own, from the files in templates/.

Those are an element that is called `sample`, and are built and tested as any other.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ftmb.errors import FtmbError

SAMPLE = re.compile(r"\bsample(?=\b|_class\b)")
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
C_KEYWORDS = """
    asm auto bool break case char const continue default do double else enum extern float for goto
    if inline int long register restrict return short signed sizeof static struct switch typedef
    typeof union unsigned void volatile while
"""
TREE_MARK = Path("elements/elements.c")
SPDX_LINE = re.compile(r"^.*SPDX-License-Identifier.*\n(?:#\n)?")
EXTERN = "extern const struct ftmb_element_class {}_class;\n"
LIST = re.compile(r"(elements\[\] = \{)(.*?)(\};)", re.DOTALL)
TABLE_ROW = re.compile(r"^\| \[`(\w+)`\].*\n", re.MULTILINE)


class KitError(FtmbError):
    """An element cannot be made so; the message says what to do."""


@dataclass(frozen=True)
class Made:
    """What was written, and what to do with it, line by line."""

    files: tuple[Path, ...]
    next_steps: tuple[str, ...]


def tree_above(folder: Path) -> Path | None:
    """The source tree of ftmb that the folder is in, if it is in one."""
    for above in (folder, *folder.parents):
        if (above / TREE_MARK).is_file() and (above / "native/include/ftmb_element.h").is_file():
            return above
    return None


def check_name(name: str, taken: set[str]) -> None:
    """KitError: it cannot be an element's name, or is one already."""
    if not NAME.fullmatch(name) or name in C_KEYWORDS.split() or keyword.iskeyword(name):
        raise KitError(
            f"'{name}' cannot be an element's name: up to 32 of a-z, 0-9 and '_' are allowed, "
            "beginning with a letter, and no keyword of C or Python"
        )
    if name in taken:
        raise KitError(f"there is an element '{name}' already: choose another name")


def outside(name: str, folder: Path) -> Made:
    """An element in a folder of its own, built against the installed headers."""
    export = f"FTMB_EXPORT_ELEMENT({name}_class);\n"
    files = {
        f"{name}.c": SPDX_LINE.sub("", _template("element.c", name)) + export,
        f"test_{name}.py": SPDX_LINE.sub("", _template("test_element.py", name)),
        "Makefile": SPDX_LINE.sub("", _template("Makefile", name)),
        "box.toml": SPDX_LINE.sub("", _template("box.toml", name)),
        "README.md": SPDX_LINE.sub("", _template("README.md", name)),
    }
    written = _write({folder / file: text for file, text in files.items()})
    return Made(written, (f"cd {folder}", "make", "make lint", "make test"))


def inside(name: str, tree: Path) -> Made:
    """An element of the project: its folder, its test, and its places in the lists of elements."""
    test = _template("test_element.py", name)
    test = test.replace("from pathlib import Path\n", "")
    test = re.sub(r"^ELEMENT = .*$", f'ELEMENT = "{name}"', test, flags=re.MULTILINE)
    written = _write(
        {
            tree / f"elements/{name}/{name}.c": _template("element.c", name),
            tree / f"elements/{name}/README.md": _template("README.md", name),
            tree / f"tests/elements/test_{name}.py": test,
        }
    )
    listed = (tree / TREE_MARK, tree / "elements/README.md")
    for path, add in zip(listed, (_registered, _in_the_table), strict=True):
        path.write_text(add(path.read_text(), name))
    steps = (f"cd {tree}", "make native", f"make test TESTS=tests/elements/test_{name}.py")
    return Made((*written, *listed), steps)


def _template(file: str, name: str) -> str:
    text = resources.files("ftmb.kit").joinpath("templates", file).read_text(encoding="utf-8")
    return SAMPLE.sub(name, text)


def _write(texts: dict[Path, str]) -> tuple[Path, ...]:
    """All of them or, if one is there already, none."""
    if there := [str(path) for path in texts if path.exists()]:
        raise KitError(f"there already: {', '.join(there)}; nothing was written")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    except OSError as error:
        raise KitError(f"{error.filename} cannot be written: {error.strerror}") from None
    return tuple(texts)


def _registered(text: str, name: str) -> str:
    """elements.c, with one more name in it, in the order of the alphabet."""
    names = sorted({*re.findall(r"&(\w+)_class", text), name})
    body = re.sub(EXTERN.format(r"\w+"), "", text)
    externs = "".join(EXTERN.format(one) for one in names)
    entries = "".join(f"    &{one}_class,\n" for one in names)
    body = body.replace('#include "elements.h"\n', f'#include "elements.h"\n\n{externs}', 1)
    body = re.sub(r"_class;\n\n+", "_class;\n\n", body)
    return LIST.sub(lambda found: f"{found[1]}\n{entries}{found[3]}", body)


def _in_the_table(text: str, name: str) -> str:
    """elements/README.md, with a row for it in the table of elements."""
    row = (
        f"| [`{name}`]({name}/README.md) | lets frames of a bounded length through, and counts "
        "them | shared by all workers |\n"
    )
    rows = list(TABLE_ROW.finditer(text))
    later = next((found for found in rows if found[1] > name), None)
    place = later.start() if later else rows[-1].end()
    return text[:place] + row + text[place:]
