# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's NAT, and its failover by keepalived and conntrackd, beside ftmb: docs/peers.md."""
