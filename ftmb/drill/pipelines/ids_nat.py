# SPDX-License-Identifier: BSD-3-Clause
"""An enterprise's edge: an IDS on the inner side of a NAT, with a rule for the drill's own pattern
among the example's."""

from __future__ import annotations

from functools import partial

from ftmb.drill.pipelines.pipeline import EXAMPLES, Data, Pipeline, element_of
from ftmb.drill.workload.alerts import RULE, Alerts
from ftmb.drill.workload.traffic import USUAL
from ftmb.lab import Addresses

ADDRESSES = Addresses()


def adapt(data: Data) -> None:
    ids = element_of(data, "ids")
    ids["rule_files"] = [str(EXAMPLES / file) for file in ids.get("rule_files", ())]
    ids["rules"] = [*ids.get("rules", ()), RULE]
    element_of(data, "nat").update(
        external=[ADDRESSES.box_outside], inside_address=ADDRESSES.box_inside
    )


IDS_NAT = Pipeline(
    name="ids-nat",
    help="the same as nat behind an IDS, whose alerts are to be written once each",
    example="ids_nat.toml",
    ports=("inside", "outside"),
    addresses=ADDRESSES,
    parts=(partial(Alerts, journal="eve"), *USUAL),
    adapt=adapt,
)
