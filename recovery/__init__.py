# SPDX-License-Identifier: BSD-3-Clause
"""Detection, failover, snapshots and replay; imported as ftmb.recovery."""
