# SPDX-License-Identifier: BSD-3-Clause
"""The command `ftmb`: what its exit status means, and how failures are told."""

from __future__ import annotations

import sys
from enum import IntEnum

import click

from ftmb.errors import ConfigurationError, FtmbError


class ExitStatus(IntEnum):
    OK = 0
    GUARANTEE_BROKEN = 1
    USAGE = 2
    NOT_STARTED = 3
    UNPROTECTED = 4
    INTERRUPTED = 130


def main() -> None:
    """Runs the command line and exits with an ExitStatus."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    from ftmb.command_line.commands import ftmb

    try:
        return int(ftmb.main(arguments, prog_name="ftmb", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return ExitStatus.USAGE
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return ExitStatus.INTERRUPTED
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        count = len(error.problems)
        _tell(f"{count} problem{'s' * (count > 1)} in the configuration; nothing was started")
        return ExitStatus.USAGE
    except FtmbError as error:
        _tell(str(error))
        return ExitStatus.NOT_STARTED


def _tell(message: str) -> None:
    click.echo(f"ftmb: {message}", err=True)
