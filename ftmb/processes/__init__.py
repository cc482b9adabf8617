# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a box: the logger process and its replicas (a master and a standby)."""
