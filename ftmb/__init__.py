# SPDX-License-Identifier: BSD-3-Clause
"""ftmb keeps stateful middleboxes running through crashes by deterministic replay."""

__version__ = "0.1.0"
