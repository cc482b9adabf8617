# SPDX-License-Identifier: BSD-3-Clause
"""The command `ftmb`."""


def main() -> None:
    raise SystemExit("not yet")
