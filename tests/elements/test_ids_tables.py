# SPDX-License-Identifier: BSD-3-Clause
"""What `ftmb state show` sees of the ids."""

from __future__ import annotations

from tests.elements.ids_frames import CLIENT, SERVER, SERVER6, Conversation, Ids, rule, udp
from tests.elements.state_view import rows_of

UDP_HEAD = "udp any any -> any any"


def test_rules_flows_and_totals(make_box):
    ids = Ids(make_box, [rule('content:"a";', 7, UDP_HEAD, "drop"), rule('content:"b";', 8)])
    talk = Conversation()
    ids.passes(*talk.open(), talk.client(b"b"), talk.client(b"b"))
    assert ids.send(udp(b"a", version=6)) == []
    ids.passes(talk.segment(0, "A", b"b", sequence=talk.next[0] - 1))  # again
    rules = {row["sid"]: row for row in rows_of(ids.box, "rules")}
    assert {sid: (row["matches"], row["alerts"], row["drops"]) for sid, row in rules.items()} == {
        7: (1, 1, 1),
        8: (2, 2, 0),
    }
    flows = {row["protocol"]: row for row in rows_of(ids.box, "flows")}
    assert {flows["tcp"]["first_address"], flows["tcp"]["second_address"]} == {CLIENT, SERVER}
    assert {flows["tcp"]["first_port"], flows["tcp"]["second_port"]} == {40000, 80}
    assert SERVER6 in (flows["udp"]["first_address"], flows["udp"]["second_address"])
    assert flows["tcp"]["flow_id"] in {alert["flow_id"] for alert in ids.alerts}
    (totals,) = rows_of(ids.box, "totals")
    assert (totals["packets"], totals["stream_bytes"], totals["repeated"]) == (7, 2, 1)
    assert (totals["flows"], totals["alerts"], totals["alerts_refused"]) == (2, 3, 0)
