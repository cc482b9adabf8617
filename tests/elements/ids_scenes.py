# SPDX-License-Identifier: BSD-3-Clause
"""Traffic with rules that speak of it, for the comparison with Suricata: each scene is small and
about one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as ScapyPacket

Packet = tuple[float, bytes]
START = 1e9
STEP = 0.001
CLIENT, SERVER = "10.0.0.5", "203.0.113.80"


@dataclass(frozen=True)
class Scene:
    """`rules` in Suricata's language."""

    name: str
    packets: list[Packet]
    rules: list[str]

    def text(self) -> str:
        return "\n".join(self.rules)


def framed(*packets: ScapyPacket, step: float = STEP) -> list[Packet]:
    return [
        (round(START + index * step, 6), bytes(Ether(src="02:00:00:00:00:01",
                                                     dst="02:00:00:00:00:02") / packet))
        for index, packet in enumerate(packets)
    ]  # fmt: skip


class Connection:
    """A TCP connection; what it yields may be put in another order, doubled or left out."""

    def __init__(
        self,
        client: str = CLIENT,
        server: str = SERVER,
        port: int = 80,
        network: Callable[..., ScapyPacket] = IP,
    ) -> None:
        self.network = network
        self.ends = {"c": (client, 40000), "s": (server, port)}
        self.next = {"c": 1000, "s": 5_000_000}

    def _segment(self, sender: str, flags: str, payload: bytes = b"") -> ScapyPacket:
        receiver = "s" if sender == "c" else "c"
        (source, source_port), (target, target_port) = self.ends[sender], self.ends[receiver]
        header = TCP(sport=source_port, dport=target_port, flags=flags, seq=self.next[sender],
                     ack=self.next[receiver] if "A" in flags else 0, window=65535)  # fmt: skip
        self.next[sender] += len(payload) + ("S" in flags or "F" in flags)
        return self.network(src=source, dst=target) / header / payload

    def open(self) -> list[ScapyPacket]:
        return [self._segment("c", "S"), self._segment("s", "SA"), self._segment("c", "A")]

    def say(self, sender: str, *parts: bytes) -> list[ScapyPacket]:
        """Each part in a segment, and an acknowledgement of them all."""
        receiver = "s" if sender == "c" else "c"
        return [
            *(self._segment(sender, "PA", part) for part in parts),
            self._segment(receiver, "A"),
        ]

    def close(self) -> list[ScapyPacket]:
        return [self._segment("c", "FA"), self._segment("s", "FA"), self._segment("c", "A")]

    def whole(self, *steps: tuple[str, bytes]) -> list[ScapyPacket]:
        packets = self.open()
        for sender, text in steps:
            packets += self.say(sender, text)
        return packets + self.close()


def rule(options: str, sid: int, head: str = "alert tcp any any -> any any") -> str:
    return f'{head} (msg:"rule {sid}"; {options} sid:{sid};)'


def datagrams(*payloads: bytes, source_port: int = 5000, port: int = 53) -> list[ScapyPacket]:
    udp = UDP(sport=source_port, dport=port)
    return [IP(src=CLIENT, dst=SERVER) / udp / payload for payload in payloads]


REQUEST = b"GET /admin/login.php?id=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: probe\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: 5\r\n\r\nhello"


def contents() -> Scene:
    rules = [
        rule('content:"GET "; startswith;', 1),
        rule('content:"get "; nocase; depth:4;', 2),
        rule('content:"get ";', 3),
        rule('content:"Host|3a 20|"; offset:10; content:"example"; distance:0; within:7;', 4),
        rule('content:"Host|3a 20|"; content:"org"; distance:0; within:7;', 5),
        rule('content:"login"; content:!"token";', 6),
        rule('content:"login"; content:!"probe";', 7),
        rule('content:"admin"; offset:6; depth:5;', 8),
        rule('content:"admin"; offset:5; depth:6;', 9),
        rule('content:"admin"; offset:4; depth:5;', 10),
        rule('content:"hello"; endswith;', 11),
        rule('content:"|0d 0a 0d 0a|hello";', 12, "alert tcp any 80 -> any any"),
        rule('content:"id="; content:!"|0a|"; within:3;', 13),
        rule('content:"Host"; content:"|0d 0a|"; distance:13; within:2;', 14),
    ]
    both = Connection().whole(("c", REQUEST), ("s", ANSWER))
    return Scene("contents", framed(*both), rules)


def expressions() -> Scene:
    rules = [
        rule(r'pcre:"/id=\d+/";', 20),
        rule(r'pcre:"/ID=\d+/";', 21),
        rule(r'pcre:"/ID=\d+/i";', 22),
        rule(r'content:"/admin"; pcre:"/^\/[a-z]+\.php/R";', 23),
        rule(r'content:"/admin"; pcre:"/^[a-z]+\.php/R";', 24),
        rule(r'pcre:"/^User-Agent\x3a\s/m";', 25),
        rule(r'content:"GET"; pcre:!"/token/";', 26),
    ]
    return Scene("expressions", framed(*Connection().whole(("c", REQUEST))), rules)


def directions() -> Scene:
    rules = [
        rule('content:"HTTP/1.1"; flow:to_server;', 30),
        rule('content:"HTTP/1.1"; flow:to_client,established;', 31),
        rule('content:"HTTP/1.1"; flow:from_server;', 32, f"alert tcp {SERVER} 80 -> any any"),
        rule('content:"HTTP/1.1";', 33, f"alert tcp any any -> {SERVER} any"),
        rule('content:"HTTP/1.1";', 34, f"alert tcp {CLIENT} any <> any 80"),
        rule('content:"HTTP/1.1";', 35, "alert tcp any any -> any !80"),
        rule('content:"HTTP/1.1";', 36, "alert tcp !10.0.0.0/8 any -> any any"),
        rule('content:"HTTP/1.1"; flow:not_established;', 37),
    ]
    both = Connection().whole(("c", REQUEST), ("s", ANSWER))
    return Scene("directions", framed(*both), rules)


def in_pieces() -> Scene:
    """A pattern in two segments, in the wrong order, and twice."""
    connection = Connection()
    opened = connection.open()
    first, second, acknowledged = connection.say("c", b"the first half, SPLIT", b"PATTERN, and on")
    again, late = connection.say("c", b"TWICE")[0], connection.say("c", b"end")
    packets = [*opened, second, first, acknowledged, again, again, *late, *connection.close()]
    rules = [
        rule('content:"SPLITPATTERN";', 40),
        rule('content:"SPLIT"; content:"PATTERN"; distance:0; within:7;', 41),
        rule('content:"PATTERN"; startswith;', 42),
        rule('content:"SPLITPATTERN"; flow:no_stream;', 43),
        rule('content:"TWICE";', 44),
        rule('content:"SPLITPATTERN"; flow:established,to_server,only_stream;', 45),
    ]
    return Scene("in pieces", framed(*packets), rules)


def sizes() -> Scene:
    packets = datagrams(b"", b"a" * 9, b"a" * 10, b"a" * 11, b"a" * 20)
    udp = "alert udp any any -> any any"
    values = ("0", "10", "!10", "<10", ">10", "<=10", ">=10", "9<>11", "9<>20", "9-20")
    rules = [rule(f"dsize:{value};", 50 + index, udp) for index, value in enumerate(values)]
    return Scene("sizes", framed(*packets), rules)


def icmp() -> Scene:
    head = "alert icmp any any -> any any"
    packets = [
        IP(src=CLIENT, dst=SERVER) / ICMP(type=8, code=0, id=1) / b"ping",
        IP(src=SERVER, dst=CLIENT) / ICMP(type=0, code=0, id=1) / b"pong",
        IP(src=SERVER, dst=CLIENT) / ICMP(type=3, code=1) / bytes(datagrams(b"x")[0]),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6EchoRequest(id=2, data=b"ping"),
    ]
    rules = [
        rule("itype:8;", 70, head),
        rule("itype:3; icode:1;", 71, head),
        rule("itype:3; icode:>1;", 72, head),
        rule('content:"p"; itype:<9; icode:0;', 73, head),
        rule('content:"ping";', 74, head),
        rule("itype:128;", 75, head),
    ]
    return Scene("icmp", framed(*packets), rules)


def tcp_flags() -> Scene:
    def packet(flags: str, port: int) -> ScapyPacket:
        return IP(src=CLIENT, dst=SERVER) / TCP(sport=41000, dport=port, flags=flags, seq=7)

    packets = [packet(flags, 1 + index) for index, flags in
               enumerate(("S", "SEC", "F", "", "FPU", "SF", "R", "A"))]  # fmt: skip
    values = ("S", "S,CE", "+F", "*FP", "!S", "0", "FPU", "SF", "S,12", "+S,12")
    rules = [rule(f"flags:{value};", 80 + index) for index, value in enumerate(values)]
    return Scene("flags", framed(*packets), rules)


def limits() -> Scene:
    """A datagram a second."""
    packets = framed(*datagrams(*([b"count me"] * 12)), step=1.0)
    values = (
        "threshold:type limit, track by_src, count 3, seconds 60",
        "threshold:type threshold, track by_src, count 4, seconds 60",
        "threshold:type both, track by_dst, count 5, seconds 60",
        "detection_filter:track by_src, count 8, seconds 60",
        "threshold:type limit, track by_src, count 1, seconds 5",
        "threshold:type threshold, track by_src, count 3, seconds 2",
        "threshold:type limit, track by_both, count 2, seconds 60",
        "threshold:type limit, track by_rule, count 2, seconds 60",
        "threshold:type both, track by_src, count 3, seconds 4",
        "detection_filter:track by_dst, count 3, seconds 5",
    )
    head = "alert udp any any -> any 53"
    rules = [
        rule(f'content:"count"; {value};', 100 + index, head) for index, value in enumerate(values)
    ]
    return Scene("limits", packets, rules)


def bits() -> Scene:
    steps = (("c", b"USER root\r\n"), ("s", b"331 more\r\n"), ("c", b"PASS secret\r\n"),
             ("s", b"230 welcome\r\n"), ("c", b"QUIT\r\n"))  # fmt: skip
    packets = framed(*Connection(port=21).whole(*steps))
    rules = [
        rule('content:"USER"; flowbits:set,user; flowbits:noalert;', 110),
        rule('content:"PASS"; flowbits:isset,user; flowbits:set,both;', 111),
        rule('content:"230"; flowbits:isset,both; flow:to_client;', 112),
        rule('content:"QUIT"; flowbits:isnotset,both;', 113),
        rule('content:"QUIT"; flowbits:isset,other|both;', 114),
        rule('content:"331"; flowbits:unset,none; noalert;', 115),
    ]
    return Scene("bits", packets, rules)


def passing() -> Scene:
    packets = framed(
        *datagrams(b"harmless", source_port=6001), *datagrams(b"harmful", source_port=6002)
    )
    rules = [
        rule('content:"harm";', 120, "alert udp any any -> any any"),
        rule('content:"harmless";', 121, "pass udp any any -> any any"),
    ]
    return Scene("passing", packets, rules)


def version_6() -> Scene:
    connection = Connection("2001:db8::5", "2001:db8:1::80", network=IPv6)
    packets = framed(*connection.whole(("c", REQUEST), ("s", ANSWER)))
    rules = [
        rule('content:"login";', 130, "alert tcp 2001:db8::/48 any -> 2001:db8:1::/48 80"),
        rule('content:"login";', 131, "alert tcp 10.0.0.0/8 any -> any any"),
        rule('content:"login";', 132, "alert tcp !10.0.0.0/8 any -> any any"),
    ]
    return Scene("IPv6", packets, rules)


def addresses_alone() -> Scene:
    packets = framed(*Connection().whole(("c", REQUEST), ("s", ANSWER)), *datagrams(b"a", b"b"))
    rules = [
        rule("", 140, f"alert ip {CLIENT} any -> any any"),
        rule("", 141, f"alert ip any any -> {CLIENT} any"),
        rule("", 142, f"alert tcp any any -> {SERVER} 80"),
        rule("", 143, "alert udp any any -> any 53"),
        rule("flow:established;", 144, "alert tcp any any -> any 80"),
    ]
    return Scene("addresses alone", packets, rules)


def scenes() -> Iterator[Scene]:
    for make in (contents, expressions, directions, in_pieces, sizes, icmp, tcp_flags, limits, bits,
                 passing, version_6, addresses_alone):  # fmt: skip
        yield make()
