# SPDX-License-Identifier: BSD-3-Clause
"""The real programs of a drill, each started and stopped in the lab, and what they measured.

part            what a part of the traffic is: it says itself what is shown of it and must be zero
traffic         the parts of a run together
udp, echo, iperf, downloads, ping                    the usual ones
alerts, balanced, denied, limited, monitor_counts    those of pipelines
"""

from ftmb.drill.workload.traffic import Figures, Traffic

__all__ = ["Figures", "Traffic"]
