# SPDX-License-Identifier: BSD-3-Clause
"""Holds conversations in which a pattern is sent that somebody on the way looks for.

It comes in one piece, in two halves with a pause between them, or byte by byte; in some it only
begins, and goes on differently. The far side sends everything back, which tells that all has
arrived. What was sent is recorded for each connection: with which addresses, how, and when.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

from ftmb.drill.traffic.process import ready, write_results

INTERVAL_S = 0.04  # between one beginning and the next
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 1.5
NOISE_SIZE_MAX = 300
PATIENCE_S = 15.0
KINDS = ("whole", "halves", "bytes", "decoy")


@dataclass
class Conversation:
    """`first_ns`, `last_ns`: when the first and the last part of the pattern was sent."""

    kind: str
    address: str = ""
    port: int = 0
    first_ns: int = 0
    last_ns: int = 0
    is_answered: bool = False


class Sender:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.pattern: bytes = arguments.pattern.encode()
        self.chance = random.Random(1)
        self.stopping = asyncio.Event()
        self.conversations: list[Conversation] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def pause(self, seconds: float) -> None:
        """Not any more once it was asked to end."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            pass

    def noise(self) -> bytes:
        size = self.chance.randrange(1, NOISE_SIZE_MAX)
        return bytes(self.chance.choices(b"etaoin shrdlu\n", k=size))

    def parts(self, kind: str) -> list[bytes]:
        """Of the pattern, each to be sent by itself."""
        half = len(self.pattern) // 2
        if kind == "whole":
            return [self.pattern]
        if kind == "bytes":
            return [self.pattern[at : at + 1] for at in range(len(self.pattern))]
        rest = self.pattern[half:]
        return [self.pattern[:half], rest if kind == "halves" else rest[::-1]]

    async def converse(self, conversation: Conversation, source: str) -> None:
        reader, writer = await asyncio.open_connection(
            self.arguments.target, self.arguments.port, local_addr=(source, 0)
        )
        try:
            conversation.address, conversation.port = writer.get_extra_info("sockname")
            parts = self.parts(conversation.kind)
            pause_s = self.chance.uniform(PAUSE_MIN_S, PAUSE_MAX_S) / len(parts)
            sent = self.noise()
            writer.write(sent)
            for number, part in enumerate(parts):
                await self.pause(pause_s)
                conversation.last_ns = time.monotonic_ns()
                if number == 0:
                    conversation.first_ns = conversation.last_ns
                writer.write(part)
                await writer.drain()
                sent += part
            end = self.noise()
            writer.write(end)
            sent += end
            conversation.is_answered = await reader.readexactly(len(sent)) == sent
        finally:
            writer.close()

    async def attempt(self, conversation: Conversation, source: str) -> None:
        try:
            await asyncio.wait_for(self.converse(conversation, source), PATIENCE_S)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # it is not answered, which is recorded

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        ready()
        sources = self.arguments.sources
        while not self.stopping.is_set():
            count = len(self.conversations)
            conversation = Conversation(KINDS[count % len(KINDS)])
            self.conversations.append(conversation)
            self._begin(self.attempt, conversation, sources[count % len(sources)])
            await self.pause(INTERVAL_S)
        await asyncio.gather(*self.tasks)

    def _begin(self, function: Callable[..., Coroutine[Any, Any, None]], *values: Any) -> None:
        task = asyncio.create_task(function(*values))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--pattern", required=True)
    parser.add_argument("--result", required=True)
    arguments = parser.parse_args()
    sender = Sender(arguments)
    await sender.run()
    found = [asdict(conversation) for conversation in sender.conversations]
    write_results(arguments.result, {"conversations": found}, {})


if __name__ == "__main__":
    asyncio.run(main())
