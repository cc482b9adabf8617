# SPDX-License-Identifier: BSD-3-Clause
"""What a rule's `classtype` says: how urgent it is, and in words what it stands for.

A `classification.config`, as rule sets bring it, says both. Without one the priorities are those
that the usual names have everywhere, and the name stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PRIORITY_DEFAULT, PRIORITY_MAX = 3, 255
_LINE = re.compile(r"config\s+classification\s*:\s*([^,]+?)\s*,\s*([^,]+?)\s*,\s*(\d{1,3})\s*")

USUAL = {
    1: """attempted-admin attempted-user command-and-control credential-theft domain-c2 exploit-kit
        inappropriate-content policy-violation shellcode-detect successful-admin successful-user
        targeted-activity trojan-activity unsuccessful-user web-application-attack""",
    2: """attempted-dos attempted-recon bad-unknown coin-mining default-login-attempt
        denial-of-service external-ip-check misc-attack non-standard-protocol pup-activity
        rpc-portmap-decode social-engineering successful-dos successful-recon-largescale
        successful-recon-limited suspicious-filename-detect suspicious-login system-call-detect
        unusual-client-port-connection web-application-activity""",
    3: """icmp-event misc-activity network-scan not-suspicious protocol-command-decode
        string-detect unknown""",
    4: "tcp-connection",
}


@dataclass(frozen=True)
class Class:
    category: str
    priority: int


Classes = Mapping[str, Class]


def usual() -> Classes:
    return {
        name: Class(name, priority) for priority, names in USUAL.items() for name in names.split()
    }


def parse(text: str) -> tuple[dict[str, Class], list[tuple[int, str]]]:
    """The classes of a classification.config, and each line that is none: (line, what is wrong)."""
    classes: dict[str, Class] = {}
    wrong: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or not 1 <= int(match[3]) <= PRIORITY_MAX:
            wrong.append((number, "needed is: config classification: NAME,DESCRIPTION,PRIORITY"))
        else:
            classes[match[1].lower()] = Class(match[2], int(match[3]))
    return classes, wrong
