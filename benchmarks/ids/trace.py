# SPDX-License-Identifier: BSD-3-Clause
"""A trace of web-like connections and rules that nearly match them, the same on every machine.

Requests and answers are made of a vocabulary, and the rules' contents of the same, so that what a
search for many patterns must sort out is there: beginnings of patterns, all the time, and now and
then a whole one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.traffic import Traffic, untouched_by_fork

SEED = 20150817
WORDS = 2000
SEGMENT_MAX = 1400
RESPONSE_BYTES = (400, 24_000)  # shortest and longest
PLANTED_EVERY = 100  # in one of so many connections a whole pattern stands
BINARY_SHARE = 0.3  # of answers that are no text
INTERLEAVED = 64  # connections that are open at a time
ETHERNET = bytes((2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0))
FIN, SYN, PUSH, ACK = 1, 2, 8, 16
CAPTURE_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
START_S, STEP_US = 1_000_000_000, 10


class Text:
    """The vocabulary, and what is written with it."""

    def __init__(self, seed: int = SEED) -> None:
        self.random = np.random.default_rng(seed)
        letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
        lengths = self.random.integers(4, 11, WORDS)
        self.words = [self.random.choice(letters, length).tobytes().decode() for length in lengths]

    def word(self) -> str:
        return self.words[int(self.random.integers(WORDS))]

    def sentence(self, size: int) -> bytes:
        chosen = self.random.integers(0, WORDS, size // 6 + 2)
        return " ".join(self.words[index] for index in chosen).encode()[:size]


def patterns(text: Text, count: int) -> list[str]:
    """Of two words of the vocabulary and a number, as no sentence has them."""
    numbers = text.random.integers(0x1000, 0xFFFF, count)
    return [f"{text.word()}/{text.word()}={number:x}" for number in numbers]


def rules(count: int) -> list[str]:
    """In Suricata's language: one content, two in a chain, and with an expression."""
    text = Text()
    return [_rule(sid, pattern, text) for sid, pattern in enumerate(patterns(text, count), 1)]


def _rule(sid: int, pattern: str, text: Text) -> str:
    head = (
        "alert tcp $HOME_NET any -> any $HTTP_PORTS",
        "alert tcp any $HTTP_PORTS -> $HOME_NET any",
        "alert tcp any any -> any any",
    )[sid % 3]
    side = ("flow:established,to_server; ", "flow:established,to_client; ", "")[sid % 3]
    word = text.word()
    matches = (
        f'content:"{pattern}";',
        f'content:"{pattern}"; nocase;',
        f'content:"{word}"; content:"|3a|{pattern}"; distance:0; within:60;',
        f'content:"{pattern}"; pcre:"/{pattern.replace("/", "[/]")}[0-9a-f]{{4}}/i";',
    )[sid // 3 % 4]
    return f'{head} (msg:"pattern {sid}"; {side}{matches} sid:{sid}; rev:1;)'


def frames(connections: int, rule_count: int) -> list[bytes]:
    """Whole connections, from SYN to FIN, some open at a time."""
    text = Text()
    found = patterns(text, rule_count)
    waiting = (
        _connection(number, text, found[number % rule_count]) for number in range(connections)
    )
    open_now: list[Iterator[bytes]] = []
    made: list[bytes] = []
    for connection in waiting:
        open_now.append(connection)
        if len(open_now) == INTERLEAVED:
            _advance(open_now, made)
    while open_now:
        _advance(open_now, made)
    return made


def _advance(open_now: list[Iterator[bytes]], made: list[bytes]) -> None:
    """A frame of each, until one has ended."""
    while True:
        for connection in tuple(open_now):
            frame = next(connection, None)
            if frame is None:
                open_now.remove(connection)
            else:
                made.append(frame)
        if len(open_now) < INTERLEAVED:
            return


def _messages(number: int, text: Text, pattern: str) -> tuple[bytes, bytes]:
    planted = pattern if number % PLANTED_EVERY == 0 else ""
    path = "/".join(text.word() for _ in range(3))
    request = (
        f"GET /{path}?{text.word()}={planted or text.word()} HTTP/1.1\r\n"
        f"Host: {text.word()}.org\r\n"
        f"User-Agent: {text.word()}/{number}\r\nCookie: {text.word()}\r\n\r\n"
    ).encode()
    size = int(np.exp(text.random.uniform(*np.log(RESPONSE_BYTES))))
    is_binary = text.random.random() < BINARY_SHARE
    body = text.random.bytes(size) if is_binary else text.sentence(size)
    return request, f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + body


def _connection(number: int, text: Text, pattern: str) -> Iterator[bytes]:
    request, answer = _messages(number, text, pattern)
    client = struct.pack("!4BH", 10, 1, number >> 8 & 255, number & 255, 20_000 + number % 40_000)
    server = struct.pack("!4BH", 192, 0, 2, 1 + number % 200, 80)
    mine, theirs = 1000 + number, 9_000_000 + number
    yield _frame(client, server, mine, 0, SYN)
    yield _frame(server, client, theirs, mine + 1, SYN | ACK)
    mine, theirs = mine + 1, theirs + 1
    yield _frame(client, server, mine, theirs, ACK)
    yield _frame(client, server, mine, theirs, PUSH | ACK, request)
    mine += len(request)
    for start in range(0, len(answer), SEGMENT_MAX):
        part = answer[start : start + SEGMENT_MAX]
        yield _frame(server, client, theirs, mine, ACK, part)
        theirs += len(part)
        if start // SEGMENT_MAX % 2:
            yield _frame(client, server, mine, theirs, ACK)
    yield _frame(client, server, mine, theirs, FIN | ACK)
    yield _frame(server, client, theirs, mine + 1, FIN | ACK)
    yield _frame(client, server, mine + 1, theirs + 1, ACK)


def _frame(source: bytes, target: bytes, sequence: int, acknowledged: int, flags: int,
           payload: bytes = b"") -> bytes:  # fmt: skip
    """Without checksums: neither side is told to look at them."""
    size = 40 + len(payload)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0) + source[:4] + target[:4]
    ports = source[4:] + target[4:]
    tcp = ports + struct.pack("!IIBBHHH", sequence, acknowledged, 0x50, flags, 65535, 0, 0)
    return ETHERNET + ip + tcp + payload


def traffic(made: Sequence[bytes]) -> Traffic:
    """For a generator port."""
    stride = max(map(len, made))
    memory = untouched_by_fork(stride * len(made))
    for index, frame in enumerate(made):
        memory[index * stride : index * stride + len(frame)] = frame
    return Traffic(memory, stride, np.array([len(frame) for frame in made], dtype=np.uint16))


def write_capture(path: Path, made: Sequence[bytes], times: int) -> None:
    """The frames one after the other, so many times, with time going on."""
    with open(path, "wb") as file:
        file.write(CAPTURE_HEAD)
        for count in range(times):
            for index, frame in enumerate(made):
                at_us = (count * len(made) + index) * STEP_US
                second, rest = divmod(at_us, 1_000_000)
                head = struct.pack("<IIII", START_S + second, rest, len(frame), len(frame))
                file.write(head + frame)
