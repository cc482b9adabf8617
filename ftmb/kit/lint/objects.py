# SPDX-License-Identifier: BSD-3-Clause
"""What a compiled object needs, holds and executes: what no source can hide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import capstone
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section, SymbolTableSection

from ftmb.kit.lint.breach import Breach, LintError
from ftmb.kit.lint.symbols import kind_of

WRITABLE, ALLOCATED, EXECUTABLE, THREAD_LOCAL = 0x1, 0x2, 0x4, 0x400
# Written by the loader and then read-only, or the loader's own.
RELOCATED = re.compile(r"\.(data\.rel\.ro|dynamic|got|init_array|fini_array|tm_clone_table)")
STARTUP_FILES = {"completed.0", "__dso_handle", "__TMC_END__"}  # of the compiler
STARTUP_BYTES = 8
ONE_POINTER = 8
STATIC_IN_FUNCTION = re.compile(r"\.\d+$")  # what the compiler adds to such a variable's name
LINKAGE_SECTIONS = (".plt", ".init", ".fini")
INSTRUCTIONS = {
    "clock": {"rdtsc", "rdtscp"},
    "chance": {"rdrand", "rdseed"},
    "identity": {"cpuid", "rdpid"},
    "io": {"syscall", "sysenter", "int", "in", "out", "svc"},
}
WHERE_SOURCES_TELL = {"memory": ": give the sources as well, which tell where"}
THREAD_BASE = re.compile(r"\b[fg]s:")
STACK_GUARD = re.compile(r"\bfs:\[0x28\]")
MACHINES = {
    "EM_X86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "EM_AARCH64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN),
}


class Object:
    """One object file or shared object."""

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        try:
            self._file = path.open("rb")
            self.elf = ELFFile(self._file)
        except (OSError, ELFError) as error:
            raise LintError(f"{shown} cannot be read as a compiled object: {error}") from None
        self.is_linked = self.elf["e_type"] == "ET_DYN"

    def close(self) -> None:
        self._file.close()

    def _symbols(self) -> list[tuple[str, str | int, str, int]]:
        """(name, section's index, type, size) of all that it has a name for."""
        found = []
        for section in self.elf.iter_sections():
            if isinstance(section, SymbolTableSection):
                found += [
                    (one.name, one["st_shndx"], one["st_info"]["type"], one["st_size"])
                    for one in section.iter_symbols()
                ]
        return found

    def needed(self) -> set[str]:
        """Names that something else has to provide."""
        return {
            name.partition("@")[0]
            for name, section, _, _ in self._symbols()
            if section == "SHN_UNDEF" and name
        }

    def provided(self) -> set[str]:
        """Names that it has itself."""
        return {name for name, section, _, _ in self._symbols() if section != "SHN_UNDEF" and name}

    def writable(self) -> Iterator[Breach]:
        """Variables that are not constants."""
        symbols = self._symbols()
        for index, section in enumerate(self.elf.iter_sections()):
            if not section["sh_flags"] & WRITABLE or not section["sh_flags"] & ALLOCATED:
                continue
            if RELOCATED.match(section.name) or section["sh_size"] == 0:
                continue
            named = {
                STATIC_IN_FUNCTION.sub("", name)
                for name, where, kind, size in symbols
                if where == index and kind in ("STT_OBJECT", "STT_TLS") and size
                if name not in STARTUP_FILES
            }
            yield from (self._variable(name, section) for name in sorted(named))
            if not named and section["sh_size"] > (STARTUP_BYTES if self.is_linked else 0):
                yield self._variable(section.name, section)
        for name, where, _, _ in symbols:
            if where == "SHN_COMMON":
                yield Breach(self.shown, 0, "static", name, f"{name} can be written")

    def _variable(self, name: str, section: Section) -> Breach:
        per_thread = bool(section["sh_flags"] & THREAD_LOCAL)
        kind = "identity" if per_thread else "static"
        what = "is another one in each thread" if per_thread else "can be written"
        return Breach(self.shown, 0, kind, name, f"{name} {what}")

    def constructors(self) -> Iterator[Breach]:
        """A linked object has one of the compiler's own."""
        for name in (".init_array", ".ctors"):
            section = self.elf.get_section_by_name(name)
            size = section["sh_size"] if section is not None else 0
            if size > (ONE_POINTER if self.is_linked else 0):
                yield Breach(self.shown, 0, "constructor", name, "code runs when it is loaded")

    def instructions(self) -> Iterator[Breach]:
        """Instructions whose results differ between processes."""
        machine = MACHINES.get(self.elf["e_machine"])
        if machine is None:
            return
        decoder = capstone.Cs(*machine)
        decoder.skipdata = True
        seen: set[tuple[str, str]] = set()
        for section in self.elf.iter_sections():
            if not section["sh_flags"] & EXECUTABLE or section.name.startswith(LINKAGE_SECTIONS):
                continue
            for _, _, mnemonic, operands in decoder.disasm_lite(section.data(), 0):
                kind = _kind_of(mnemonic, operands)
                if kind is not None and (kind, mnemonic) not in seen:
                    seen.add((kind, mnemonic))
                    yield Breach(
                        self.shown,
                        0,
                        kind,
                        mnemonic,
                        f"the instruction {mnemonic} {operands}".rstrip(),
                    )


def _kind_of(mnemonic: str, operands: str) -> str | None:
    for kind, names in INSTRUCTIONS.items():
        if mnemonic in names:
            return kind
    if mnemonic == "mrs":
        return "clock" if "cnt" in operands.lower() else "identity"
    if THREAD_BASE.search(operands) and not STACK_GUARD.search(operands):
        return "identity"
    return None


def object_breaches(found: Object, provided: set[str], knows_memory: bool) -> Iterator[Breach]:
    """All of an object; `provided` by other objects of the same element. `knows_memory`: the
    sources tell where memory is allocated, which an object does not."""
    for name in sorted(found.needed() - provided):
        kind = kind_of(name)
        if kind is not None and not (kind == "memory" and knows_memory):
            yield Breach(
                found.shown, 0, kind, name, f"{name} is used" + WHERE_SOURCES_TELL.get(kind, "")
            )
    yield from found.writable()
    yield from found.constructors()
    yield from found.instructions()
