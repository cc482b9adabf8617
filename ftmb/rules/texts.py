# SPDX-License-Identifier: BSD-3-Clause
"""Quoted values and bytes: from Suricata's several ways of writing them to the canonical one."""

from __future__ import annotations

import re
import string

from ftmb.rules.problems import Refused, malformed

CONTENT_BYTES_MAX = 255
MESSAGE_BYTES_MAX = 512
ESCAPABLE = ':;\\"'
_PLAIN = frozenset(string.ascii_letters + string.digits + "!#$%&'()*+,-./:<=>?@[]^_`{}~")
_HEX_RUN = re.compile(r"[0-9A-Fa-f ,]*")
_EXPRESSION = re.compile(r"/(.*)/([A-Za-z]*)", re.DOTALL)
_PCRE_FLAGS = frozenset("ismxR")
_PCRE_FLAGS_WITHOUT_EFFECT = frozenset("BO")  # raw bytes are all there are; no limit to lift
_PCRE_FLAGS_REFUSED = {
    "A": "write '^' instead",
    "E": "write '\\z' instead of '$'",
    "G": "write lazy quantifiers instead",
}


def unquoted(value: str | None) -> str:
    """What stands between quotes, as it is written."""
    if value is None or len(value) < 2 or value[0] != '"' or value[-1] != '"':
        raise malformed("text in quotes is needed")
    return value[1:-1]


def negated(value: str | None) -> tuple[bool, str | None]:
    """Whether a `!` stands before a value, and what follows it."""
    if value is not None and value.startswith("!"):
        return True, value[1:].lstrip()
    return False, value


def message(value: str | None, bytes_max: int = MESSAGE_BYTES_MAX) -> str:
    """Of `msg`: quoted, with escapes only where they must be."""
    return quoted(re.sub(r'\\([:;\\"])', r"\1", unquoted(value)), bytes_max)


def quoted(plain: str, bytes_max: int) -> str:
    """Any text as a canonical value; raises Refused for what such a value cannot hold."""
    if any(ord(character) < 32 or ord(character) == 127 for character in plain):
        raise malformed("a control character stands in it")
    if not 1 <= size(plain) <= bytes_max:
        raise Refused(f"text of none or more than {bytes_max} bytes",
                      f"it has {size(plain)} bytes; allowed: 1 to {bytes_max}")  # fmt: skip
    escaped = re.sub(r'([\\";])', r"\\\1", plain)
    return f'"{escaped}"'


def size(plain: str) -> int:
    try:
        return len(plain.encode())
    except UnicodeEncodeError:
        raise malformed("it is not UTF-8") from None


def content_bytes(value: str | None) -> bytes:
    """Of `content`, without the `!`: text with escapes and hex between bars."""
    found = bytearray()
    for index, part in enumerate(_between_bars(unquoted(value))):
        found += _hex(part) if index % 2 else _escaped(part)
    if not found:
        raise malformed("a content without bytes matches nothing")
    if len(found) > CONTENT_BYTES_MAX:
        raise Refused(f"content of more than {CONTENT_BYTES_MAX} bytes",
                      f"a content of {len(found)} bytes")  # fmt: skip
    return bytes(found)


def _between_bars(text: str) -> list[str]:
    parts = text.split("|")
    if len(parts) % 2 == 0:
        raise malformed("a '|' begins hex bytes that no other ends")
    return parts


def _hex(text: str) -> bytes:
    digits = text.replace(" ", "").replace(",", "")
    if not _HEX_RUN.fullmatch(text) or len(digits) % 2:
        raise malformed(f"'|{text}|' is not pairs of hex digits")
    return bytes.fromhex(digits)


def _escaped(text: str) -> bytes:
    found = []
    characters = iter(text)
    for character in characters:
        if character == '"':
            raise malformed('a " stands in it: write \\" or |22|')
        if character == "\\":
            character = next(characters, "")
            if not character or character not in ESCAPABLE:
                raise malformed(f"'\\{character}' is no escape; there are \\\" \\; \\: and \\\\")
        found.append(character)
    return "".join(found).encode("utf-8", "surrogateescape")


def content_text(content: bytes) -> str:
    """Printable characters as they are, all else in hex between bars."""
    parts: list[str] = []
    held: list[str] = []
    for byte in content:
        if chr(byte) in _PLAIN:
            if held:
                parts.append(f"|{' '.join(held)}|")
                held.clear()
            parts.append(chr(byte))
        else:
            held.append(f"{byte:02x}")
    if held:
        parts.append(f"|{' '.join(held)}|")
    return f'"{"".join(parts)}"'


def expression(value: str | None) -> tuple[str, str]:
    """Of `pcre`, without the `!`: the expression without `"` and `;`, and its flags in order."""
    written = value if value is not None and value.startswith("/") else unquoted(value)
    match = _EXPRESSION.fullmatch(written)
    if match is None:
        raise malformed('an expression is written "/.../flags"')
    text, flags = match[1], set(match[2]) - _PCRE_FLAGS_WITHOUT_EFFECT
    if not text.isascii() or any(ord(character) < 32 for character in text):
        raise Refused("pcre: characters that are not ASCII", "write other bytes as \\xHH")
    for flag in sorted(flags - _PCRE_FLAGS):
        hint = _PCRE_FLAGS_REFUSED.get(flag, "only the packet's or stream's own bytes are searched")
        raise Refused(f"pcre: flag {flag}", f"the flag {flag} is outside the subset: {hint}")
    if not text:
        raise malformed("an expression without anything in it")
    plain = re.sub(r'\\.|[";]', _in_hex, text, flags=re.DOTALL)
    return plain, "".join(flag for flag in "ismxR" if flag in flags)


def _in_hex(match: re.Match[str]) -> str:
    """`"` and `;`, with or without a backslash before them, would end the value."""
    return f"\\x{ord(match[0][-1]):02x}" if match[0][-1] in '";' else match[0]
