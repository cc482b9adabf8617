# SPDX-License-Identifier: BSD-3-Clause
"""Questions to packets in the language of pcap-filter(7), as instructions that libpcap compiles."""

from __future__ import annotations

from typing import Any

from ftmb._native.check import ffi, lib, text

Program = list[list[int]]  # [code, jump if true, jump if false, constant] each
ERROR_SIZE = 256


class FilterError(ValueError):
    """The text is no question that libpcap understands."""


def compile_filter(question: str) -> Program:
    """The instructions of a question such as "tcp port 80"; FilterError says what is wrong."""
    if "\0" in question:
        raise FilterError("a character of value zero")
    count = ffi.new("uint32_t *")
    error = ffi.new("char[]", ERROR_SIZE)
    found = lib.packet_filter_compile(question.encode(), count, error, ERROR_SIZE)
    if found == ffi.NULL:
        raise FilterError(text(error))
    program = [[one.code, one.jt, one.jf, one.k] for one in found[0 : count[0]]]
    lib.packet_filter_free(found)
    return program


def instructions(program: Program) -> Any:
    """As C wants them."""
    return ffi.new("struct bpf_insn[]", program)
