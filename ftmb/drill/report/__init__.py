# SPDX-License-Identifier: BSD-3-Clause
"""The drill's report: figures, guarantees, a table, a picture and a page."""
