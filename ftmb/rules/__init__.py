# SPDX-License-Identifier: BSD-3-Clause
"""Rules in Suricata's language: read, checked against the subset, written as the engine takes them.

`rule_set.read` takes what an operator has (rule files, rules of their own, variables) and returns
the canonical rules of elements/ids/RULES.md beside every rule that is not among them, each with its
file, its line and all that is in the way. Nothing is left out without being told.
"""
