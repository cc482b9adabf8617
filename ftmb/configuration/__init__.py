# SPDX-License-Identifier: BSD-3-Clause
"""The box configuration: TOML text in, a checked and frozen `Configuration` out.

`load` and `parse` raise ConfigurationError holding every problem of the text, each
with its file, line and what is allowed. `Configuration.to_dict()` is the plain form
that role processes read, so that none of them needs the validation library.
"""

from ftmb.configuration.loading import from_data, load, parse
from ftmb.configuration.model import Configuration

__all__ = ["Configuration", "from_data", "load", "parse"]
