# SPDX-License-Identifier: BSD-3-Clause
"""TCP: what may begin a connection, what fits into one, what comes after it."""

from __future__ import annotations

import pytest

from tests.elements.firewall_frames import Firewall, answer, connect, tcp

BOTH = ["allow from any tcp any -> any"]
NOT_FIRST = ["A", "SA", "FA", "R", "RA", "PA"]


def test_only_a_syn_begins(make_box):
    firewall = Firewall(make_box, BOTH)
    for sport, flags in enumerate(NOT_FIRST, 1000):
        firewall.refused("trusted", tcp(flags, sport=sport), "tcp_no_flow")
        firewall.refused("untrusted", answer(tcp("S", sport=sport), flags), "tcp_no_flow")


def test_flags_that_nobody_sends(make_box):
    firewall = Firewall(make_box)
    connect(firewall)
    for flags in ("", "F", "SF", "SR", "FPU", "SAF", "P", "U"):
        firewall.refused("trusted", tcp(flags), "bad_tcp_flags")
        firewall.refused("untrusted", answer(tcp("S"), flags), "bad_tcp_flags")


def test_before_the_answer_there_is_nothing_to_acknowledge(make_box):
    firewall = Firewall(make_box)
    firewall.out(tcp("S"), tcp("S"))
    for flags in ("A", "PA", "FA", "SA"):
        firewall.refused("trusted", tcp(flags), "tcp_out_of_state")
    for flags in ("A", "PA", "FA"):
        firewall.refused("untrusted", answer(tcp("S"), flags), "tcp_out_of_state")
    firewall.back(answer(tcp("S")))
    firewall.out(tcp("A"))


def test_simultaneous_open(make_box):
    firewall = Firewall(make_box)
    firewall.out(tcp("S"))
    firewall.back(answer(tcp("S"), "S"))
    firewall.refused("trusted", tcp("A"), "tcp_out_of_state")
    firewall.out(tcp("SA"))
    firewall.back(answer(tcp("S"), "SA"))
    firewall.out(tcp("A"), tcp("PA"))


def test_a_connection_from_its_begin_to_its_end(make_box):
    firewall = Firewall(make_box)
    connect(firewall)
    firewall.back(answer(tcp("S"), "SA"))  # the acknowledgement was lost
    firewall.out(tcp("PA"), tcp("S"))  # a beginner that lost its state gets to know
    firewall.back(answer(tcp("A"), "PA"))
    firewall.refused("untrusted", answer(tcp("A"), "S"), "tcp_out_of_state")
    firewall.out(tcp("FA"))
    firewall.back(answer(tcp("A"), "PA"), answer(tcp("A"), "FA"))
    firewall.out(tcp("A"), tcp("R"))


def test_a_connection_that_is_refused_ends_at_once(make_box):
    firewall = Firewall(make_box, policy="initiated")
    firewall.out(tcp("S"))
    firewall.refused("trusted", tcp("R"), "tcp_out_of_state")  # there is nothing to reset yet
    firewall.refused("untrusted", answer(tcp("S"), "R"), "tcp_out_of_state")  # nor acknowledged
    firewall.back(answer(tcp("S"), "RA"))
    firewall.refused("untrusted", answer(tcp("S")), "tcp_no_flow")


@pytest.mark.parametrize("end", ["fin", "reset"])
def test_after_the_end_a_syn_is_judged_anew(make_box, end):
    firewall = Firewall(make_box)
    connect(firewall)
    if end == "fin":
        firewall.out(tcp("FA"))
        firewall.back(answer(tcp("A"), "FA"))
    else:
        firewall.back(answer(tcp("A"), "R"))
    firewall.refused("untrusted", answer(tcp("S"), "S"), "default")
    firewall.out(tcp("S"))
    firewall.refused("untrusted", answer(tcp("A"), "A"), "tcp_out_of_state")  # the new one's state
    firewall.back(answer(tcp("S")))


def test_after_the_end_the_other_side_may_begin_where_it_is_allowed(make_box):
    firewall = Firewall(make_box, BOTH)
    connect(firewall)
    firewall.out(tcp("R"))
    firewall.back(answer(tcp("S"), "S"))
    firewall.refused("untrusted", answer(tcp("S"), "SA"), "tcp_out_of_state")
    firewall.out(tcp("SA"))


def test_a_forged_reset_ends_no_connection(make_box):
    firewall = Firewall(make_box, tcp_closing_timeout=10, tcp_established_timeout=1000)
    connect(firewall)
    firewall.back(answer(tcp("A"), "R"))
    firewall.out(tcp("PA"))
    firewall.advance(500)
    firewall.back(answer(tcp("A"), "PA"))
