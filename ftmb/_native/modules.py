# SPDX-License-Identifier: BSD-3-Clause
"""Elements that are no part of ftmb: shared objects that the configuration names.

What is loaded is a copy in memory of the very bytes that were hashed and checked: what happens to
the file meanwhile or later, as when it is built again, reaches no process that runs. A replica
that starts later is told the digest, and runs the same bytes or nothing.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftmb._native import _core  # type: ignore[attr-defined]
from ftmb._native.check import ffi, lib, text

ERROR_SIZE = 512
SIZE_MAX = 256 << 20
ELF_HEADER_SIZE = 20
ELF_MAGIC = b"\x7fELF"
ELF_KIND, ELF_TYPE, ELF_MACHINE = slice(4, 6), slice(16, 18), slice(18, 20)


class ModuleError(ValueError):
    """A shared object cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Module:
    """One that is loaded; `raw` is the element's constant table."""

    path: str
    digest: str  # SHA-256, hexadecimal
    name: str
    raw: Any


_by_digest: dict[str, Module] = {}
_by_name: dict[str, Module] = {}


def loaded(name: str) -> Module | None:
    """The one that was loaded last of those whose element has this name."""
    return _by_name.get(name)


def loaded_classes() -> dict[str, Any]:
    """The constant tables of the elements that were loaded, by name."""
    return {name: module.raw for name, module in _by_name.items()}


def load(path: str | Path, digest: str | None = None) -> Module:
    """Loads the object, once for the same bytes. `digest`: what its bytes must be.

    ModuleError: it is not there, others may write it, it is not such an object, or it is another
    than the one with this digest.
    """
    content = read(path)
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise ModuleError(
            f"{path} is not the file that this box was started with any more: all processes of a "
            "box must run the same code"
        )
    if found not in _by_digest:
        _by_digest[found] = _opened(str(path), found, content)
    module = _by_digest[found]
    _by_name[module.name] = module
    return module


def read(path: str | Path) -> bytes:
    """The file's bytes, if nobody but root and this user can have written them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ModuleError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ModuleError(f"{path} is not a file")
        _refuse_what_others_write(str(path), status)
        if status.st_size > SIZE_MAX:
            raise ModuleError(f"{path} has more than {SIZE_MAX >> 20} MiB")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _refuse_what_others_write(path: str, status: os.stat_result) -> None:
    """What is loaded runs with all the rights of the box, which are root's."""
    if status.st_uid not in (0, os.geteuid()):
        raise ModuleError(f"{path} belongs to another user, who may change it: chown root {path}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ModuleError(f"{path} can be written by others than its owner: chmod go-w {path}")
    folder = os.path.dirname(os.path.realpath(path))
    mode = os.stat(folder).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise ModuleError(f"anybody may replace files in {folder}: chmod o-w {folder}")


def _refuse_what_is_no_object(path: str, content: bytes) -> None:
    header = content[:ELF_HEADER_SIZE]
    with open(_core.__file__, "rb") as file:
        own = file.read(ELF_HEADER_SIZE)
    if len(header) < ELF_HEADER_SIZE or not header.startswith(ELF_MAGIC):
        raise ModuleError(f"{path} is not a shared object: build it with 'cc -shared -fPIC'")
    if header[ELF_KIND] != own[ELF_KIND] or header[ELF_MACHINE] != own[ELF_MACHINE]:
        raise ModuleError(f"{path} was built for another machine than this one")
    if header[ELF_TYPE] != own[ELF_TYPE]:
        raise ModuleError(f"{path} is a program or an object file: link it with 'cc -shared'")


def _opened(path: str, digest: str, content: bytes) -> Module:
    _refuse_what_is_no_object(path, content)
    # Left open: the loader knows objects by their names, and this one's must not come again.
    descriptor = os.memfd_create(f"ftmb-{os.path.basename(path)}"[:200], os.MFD_CLOEXEC)
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    place = f"/proc/self/fd/{descriptor}"
    error = ffi.new("char[]", ERROR_SIZE)
    raw = lib.element_module_open(place.encode(), error, ERROR_SIZE)
    if raw == ffi.NULL:
        os.close(descriptor)
        raise ModuleError(f"{path} cannot be used: {text(error).removeprefix(f'{place}: ')}")
    return Module(path, digest, text(raw.name), raw)
