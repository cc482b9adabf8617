# SPDX-License-Identifier: BSD-3-Clause
"""The failures that a user can be told about: every message says what to do next."""


class FtmbError(Exception):
    """A failure with a message for the user; never a bug in ftmb itself."""


class ConfigurationError(FtmbError):
    """The configuration is refused; `problems` holds one line for each thing wrong in it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StartError(FtmbError):
    """The box could not be started. Nothing of it is left behind."""


class StopError(FtmbError):
    """A box does not end when it is told to."""


class NotRunningError(FtmbError):
    """No box of that name runs here, or it does not answer."""


class LabError(FtmbError):
    """The lab or a program in it could not be started."""


class PktgenError(FtmbError):
    """The packet generator cannot do what it was asked to."""


class StateError(FtmbError):
    """What was asked of a box's state is not there, or cannot be asked so."""


class CommandError(FtmbError):
    """A command to an element was not taken; nothing has changed."""
