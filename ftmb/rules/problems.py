# SPDX-License-Identifier: BSD-3-Clause
"""What is in the way of a rule. `kind` is the same text for the same matter, so that it can be
counted over thousands of rules; `detail` is of this rule, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

MALFORMED = "malformed"  # the kinds of what Suricata would not take either begin with this


@dataclass(frozen=True)
class Problem:
    """`column` counts characters of the rule from 1; 0 is the rule as a whole."""

    kind: str
    detail: str
    column: int = 0

    def __str__(self) -> str:
        return f"column {self.column}: {self.detail}" if self.column else self.detail


class Refused(Exception):
    """One thing of a rule cannot be had; whoever reads the rule goes on with the next thing."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def malformed(detail: str) -> Refused:
    """It is not in the language."""
    return Refused(MALFORMED, detail)
