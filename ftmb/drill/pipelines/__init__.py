# SPDX-License-Identifier: BSD-3-Clause
"""What can be drilled: a box as an example file describes it, where it stands, and its traffic.

A pipeline is one module with one description, `Pipeline`; what its traffic needs beyond the usual
parts is in ftmb/drill/workload/.
"""

from ftmb.drill.pipelines.firewall import FIREWALL
from ftmb.drill.pipelines.firewall_load_balancer import FIREWALL_LOAD_BALANCER
from ftmb.drill.pipelines.ids_nat import IDS_NAT
from ftmb.drill.pipelines.limiter_monitor import LIMITER_MONITOR
from ftmb.drill.pipelines.monitor import MONITOR
from ftmb.drill.pipelines.nat import NAT
from ftmb.drill.pipelines.pipeline import Pipeline

__all__ = ["NAT", "PIPELINES", "Pipeline"]

PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (NAT, IDS_NAT, FIREWALL_LOAD_BALANCER, LIMITER_MONITOR, FIREWALL, MONITOR)
}
