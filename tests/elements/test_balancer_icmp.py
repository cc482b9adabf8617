# SPDX-License-Identifier: BSD-3-Clause
"""ICMP and ICMPv6: errors find their connection, translated both ways; pings are answered."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    IPv6,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from tests.elements.balancer_frames import (
    ROUTERS,
    SERVERS,
    VIP6,
    VIPS,
    Balancer,
    answer,
    client,
    error,
    ether,
    header,
    icmpv6,
    line,
    tcp,
    udp,
)
from tests.elements.test_balancer_direct import MACS, MACS6, direct

UNREACHABLE, TOO_BIG = {4: (3, 3), 6: (1, 4)}, {4: (3, 4), 6: (2, 0)}
ERRORS = {4: [(3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (12, 0)],
          6: [(1, 0), (1, 4), (2, 0), (3, 0), (4, 1)]}  # fmt: skip
BEHIND = {4: 20 + 8, 6: 40 + 8}  # bytes from the outer header to the quoted one


def quoted(packet, version):
    body = bytes(packet)[BEHIND[version] :]
    return IP(body) if version == 4 else IPv6(body)


def wanted(kind, cause, keep, **outer):
    """The error as it must leave: about `cause`, from and to these."""
    made = error(cause, *kind, keep=keep)
    version = 4 if isinstance(made, IP) else 6
    if version == 4:
        made.src, made.dst, made.ttl = outer["src"], outer["dst"], 63
        return IP(bytes(made))
    way = IPv6(src=outer["src"], dst=outer["dst"], hlim=63, nh=58)
    return way / Raw(icmpv6(*kind, bytes(4) + bytes(cause)[:keep], way))


@pytest.mark.parametrize("algorithm", ["maglev", "least_connections"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("keep", [None, 28])
def test_errors_from_the_servers_side(make_box, algorithm, version, keep):
    """About what was forwarded: the client sees what it sent, and nothing of who is behind."""
    balancer = Balancer(make_box, algorithm=algorithm)
    for cause in (tcp("S", 0, version), udp(1, version)):
        (there,) = balancer.to(cause)
        size = len(bytes(cause)) if keep is None else keep + (20 if version == 6 else 0)
        for kind in ERRORS[version]:
            for source in (there.dst, ROUTERS[version]):
                (got,) = balancer.back(error(there, *kind, keep=size, source=source))
                seen = cause.copy()
                setattr(seen, {4: "ttl", 6: "hlim"}[version], 63)  # of it a hop is gone
                made = wanted(kind, type(seen)(bytes(seen)), size, src=VIPS[version],
                              dst=client(0 if TCP in cause else 1, version))  # fmt: skip
                assert bytes(got) == bytes(made)


@pytest.mark.parametrize("version", [4, 6])
def test_errors_from_the_clients_side_find_the_backend(make_box, version):
    """Such as packet too big on the way to the client (path MTU discovery)."""
    balancer = Balancer(make_box)
    for cause in (tcp("S", 3, version), udp(4, version)):
        (there,) = balancer.to(cause)
        (back,) = balancer.back(answer(there))
        for kind in (TOO_BIG[version], UNREACHABLE[version]):
            (got,) = balancer.to(error(back, *kind))
            assert (got.src, got.dst) == (ROUTERS[version], there.dst)
            inner = quoted(got, version)
            assert (inner.src, inner.sport) == (there.dst, there.dport)
            assert (inner.dst, inner.dport) == (there.src, there.sport)
            layer = TCP if TCP in there else UDP
            right = inner.copy()
            del right[layer].chksum
            assert type(right)(bytes(right))[layer].chksum == inner[layer].chksum


@pytest.mark.parametrize("version", [4, 6])
def test_errors_about_nothing_we_know(make_box, version):
    balancer = Balancer(make_box, algorithm="least_connections")
    (there,) = balancer.to(tcp("S", 0, version))
    kind = UNREACHABLE[version]
    strange = there.copy()
    strange[TCP].sport = 4001
    balancer.refused("servers", error(strange, *kind), "icmp_no_connection")
    other = there.copy()
    other.dst = next(server for server in SERVERS[version] if server != there.dst)
    if version == 4:
        del other.chksum
    balancer.refused("servers", error(other, *kind), "icmp_no_connection")
    other.dst = ROUTERS[version]
    balancer.refused("servers", error(other, *kind), "not_a_backend")
    balancer.refused("clients", error(answer(tcp("S", 1, version)), *kind), "icmp_no_connection")
    number = SERVERS[version].index(there.dst)
    balancer.command("remove " + line("tcp", version, number))
    balancer.refused("servers", error(there, *kind), "icmp_no_connection")


@pytest.mark.parametrize("version", [4, 6])
def test_errors_without_a_connection_go_by_hash(make_box, version):
    balancer = Balancer(make_box, connections_max=16)
    there = balancer.to(*(tcp("S", number, version) for number in range(60)))
    backs = balancer.back(*(error(packet, *UNREACHABLE[version]) for packet in there))
    assert sorted(back.dst for back in backs) == sorted(packet.src for packet in there)
    answers = (answer(tcp("S", number, version)) for number in range(len(there)))
    got = balancer.to(*(error(packet, *TOO_BIG[version]) for packet in answers))
    assert len(got) == len(there) and {packet.dst for packet in got} <= set(SERVERS[version])


@pytest.mark.parametrize("version", [4, 6])
def test_errors_are_judged_before_they_are_believed(make_box, version):
    balancer = Balancer(make_box)
    (there,) = balancer.to(udp(0, version))
    kind = UNREACHABLE[version]
    right = error(there, *kind)
    wrong = bytearray(bytes(right))
    wrong[-1] ^= 1
    balancer.refused("servers", type(right)(bytes(wrong)), "bad_checksum")
    least = 28 if version == 4 else 48
    for keep in (0, 19, least - 1):
        balancer.refused("servers", error(there, *kind, keep=keep), "icmp_malformed")
    elsewhere = error(there, *kind)
    body = bytes(there)
    if version == 4:
        elsewhere.dst = client(7)
    else:
        way = IPv6(src=ROUTERS[6], dst=client(7, 6), nh=58)
        elsewhere = way / Raw(icmpv6(*kind, bytes(4) + body, way))
    balancer.refused("servers", elsewhere, "icmp_malformed")
    balancer.refused("servers", error(right, *kind), "icmp_unsupported")  # about an error
    last = error(there, *kind)
    setattr(last, {4: "ttl", 6: "hlim"}[version], 1)
    balancer.refused("servers", last, "hops_expired")
    balancer.back(right)


def test_errors_neither_refresh_nor_end(make_box):
    balancer = Balancer(make_box, algorithm="least_connections", udp_timeout=30)
    (there,) = balancer.to(udp())
    balancer.advance(20)
    balancer.back(error(there, 3, 3))
    balancer.back(answer(there))
    balancer.advance(20)
    balancer.back(error(there, 3, 3))
    balancer.advance(11)
    balancer.refused("servers", answer(there), "no_connection")


@pytest.mark.parametrize("version", [4, 6])
def test_direct_errors_find_the_backend_as_they_are(make_box, version):
    balancer = direct(make_box)
    ((_, frame),) = balancer.frames("clients", [tcp("S", 5, version)])
    cause = answer(tcp("S", 5, version))
    told = error(cause, *TOO_BIG[version])
    ((port, got),) = balancer.frames("clients", [told])
    assert port == "servers"
    assert got[:6] == frame[:6]
    assert got[:6].hex(":") in (MACS if version == 4 else MACS6).values()
    assert got[6:] == ether(told)[6:]
    back = error(tcp("S", 5, version), *UNREACHABLE[version])
    assert balancer.frames("servers", [back]) == [("clients", ether(back))]


# ---- What is no error ----


def test_pings_of_a_virtual_address(make_box):
    balancer = Balancer(make_box)
    ping = IP(src=client(0), dst=VIPS[4], ttl=3, id=9) / ICMP(type=8, id=7, seq=2) / Raw(b"ping")
    ((port, frame),) = balancer.frames("clients", [ping])
    pong = IP(src=VIPS[4], dst=client(0), ttl=64, id=9) / ICMP(type=0, id=7, seq=2) / Raw(b"ping")
    assert (port, frame[14:]) == ("clients", bytes(pong))
    assert (frame[:6], frame[6:12]) == (ether(ping)[6:12], ether(ping)[:6])
    ping6 = IPv6(src=client(0, 6), dst=VIP6) / ICMPv6EchoRequest(id=7, seq=2, data=b"ping")
    ((port, frame),) = balancer.frames("clients", [ping6])
    got = IPv6(frame[14:])
    assert (port, got.src, got.dst, got.type, got.hlim) == ("clients", VIP6, client(0, 6), 129, 64)
    again = got.copy()
    del again[1].cksum
    assert bytes(again) == bytes(got)
    ping.dst = "198.51.100.99"
    balancer.refused("clients", ping, "no_service")
    balancer.refused("servers", IP(src=SERVERS[4][0], dst=client(0)) / ICMP(type=8),
                     "icmp_unsupported")  # fmt: skip
    damaged = IP(src=client(0), dst=VIPS[4]) / ICMP(type=8, chksum=1)
    balancer.refused("clients", damaged, "bad_checksum")


@pytest.mark.parametrize("version", [4, 6])
def test_all_other_types_are_dropped(make_box, version):
    balancer = Balancer(make_box)
    known = {8, 3, 11, 12} if version == 4 else {1, 2, 3, 4, 128}
    way = header(version, client(0, version), VIPS[version])
    packets = []
    for kind in range(256):
        if kind in known:
            continue
        if version == 4:
            raw = bytes([kind, 0]) + ((~(kind << 8)) & 0xFFFF).to_bytes(2, "big") + bytes(4)
            packets.append(IP(src=way.src, dst=way.dst, proto=1) / Raw(raw))
        else:
            way6 = IPv6(src=way.src, dst=way.dst, nh=58)
            packets.append(way6 / Raw(icmpv6(kind, 0, bytes(28), way6)))
    assert balancer.send("clients", *packets) == []
    assert balancer.drops() == {"icmp_unsupported": len(packets)}


NEIGHBOURS = [
    Ether(type=0x0806) / ARP(pdst="198.51.100.10"),
    Ether() / IPv6(src="fe80::1", dst="ff02::1:ff00:10", hlim=255) / ICMPv6ND_NS(tgt=VIP6),
    Ether() / IPv6(src="fe80::1", dst="fe80::2", hlim=255) / ICMPv6ND_NA(tgt=VIP6),
    Ether() / IPv6(src="fe80::1", dst="ff02::1", hlim=1) / IPv6ExtHdrHopByHop()
    / ICMPv6MLReport(mladdr="ff02::1:ff00:10"),
]  # fmt: skip


def test_neighbours_pass_as_between_ports_of_a_bridge(make_box):
    balancer = Balancer(make_box)
    for port, other in (("clients", "servers"), ("servers", "clients")):
        frames = [bytes(frame) for frame in NEIGHBOURS]
        passed = balancer.frames(port, frames)
        assert sorted(passed) == sorted((other, frame) for frame in frames)
    far = IPv6(src="2001:db8::1", dst=VIP6, hlim=254) / ICMPv6ND_NS(tgt=VIP6)
    balancer.refused("clients", far, "icmp_unsupported")
    closed = Balancer(make_box, neighbours=False)
    for frame in NEIGHBOURS:
        closed.refused("clients", bytes(frame), "neighbours_off")
