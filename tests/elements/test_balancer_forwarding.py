# SPDX-License-Identifier: BSD-3-Clause
"""Connections go to one backend and come back from it, whatever happens in between."""

from __future__ import annotations

import pytest

from tests.elements.balancer_frames import (
    SERVERS,
    VIPS,
    Balancer,
    answer,
    client,
    tcp,
    udp,
)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("algorithm", ["maglev", "least_connections"])
@pytest.mark.parametrize("version", [4, 6])
def test_a_connection_there_and_back(make_box, workers, algorithm, version):
    balancer = Balancer(make_box, workers, algorithm=algorithm)
    chosen = balancer.chosen(20, version)
    assert set(chosen.values()) == set(SERVERS[version])
    for number in range(20):
        (there,) = balancer.to(tcp("A", number, version))
        assert (there.src, there.sport) == (client(number, version), 4000)
        assert (there.dst, there.dport) == (chosen[number], 8080)
        (back,) = balancer.back(answer(there))
        assert (back.src, back.sport) == (VIPS[version], 80)
        assert (back.dst, back.dport) == (client(number, version), 4000)
    assert balancer.drops() == {}
