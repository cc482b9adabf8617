# SPDX-License-Identifier: BSD-3-Clause
"""The logger process: `python -m ftmb.processes.logger RUN_DIRECTORY`.

It owns the ports and the memory of all logs, runs the packet thread in C, and with its other
thread watches the replicas and carries out failovers. It needs nobody for that: the orchestrator
only brings new replicas. Messages, beside those of replica.py:

    from the orchestrator    orchestrate {pid}, spawn failed {reason}
    to the orchestrator      spawn {count, awaited}, replica failed {reason}, kill {pid}
    from anybody             status, state (with a descriptor to write it to), crash at {point},
                             stop; each is answered
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from ftmb._native.logger import Logger, Peer
from ftmb._native.pipeline import Pipeline
from ftmb._native.process import PAGES_VERSION
from ftmb.priority import LOGGER_NICE, choose_idle, come_first, session_comes_first
from ftmb.processes import modes, ports
from ftmb.processes.arming import arm, note_armed
from ftmb.processes.commands import Commands
from ftmb.processes.journal import note
from ftmb.processes.messages import (
    Channel,
    HungUp,
    Message,
    Refused,
    Server,
    whole_number,
    whole_numbers,
    written_descriptor,
)
from ftmb.processes.namespace import enter_network_namespace
from ftmb.processes.orchestrator_link import OrchestratorLink
from ftmb.processes.state_copies import StateCopies
from ftmb.processes.status import status_of
from ftmb.recovery.plan import Stage
from ftmb.recovery.protection import Protection
from ftmb.recovery.replicas import ReplicaHandle, Seat

SOCKET_NAME = "control.sock"
BUSY_LOOK_S = 0.001  # between looks while something is under way
OPERATORS = {"orchestrate", "status", "state", "command", "crash at", "stop"}
CALLS_MAX = 8  # connections of one process: nobody may use up the descriptors


class LoggerProcess:
    """The control thread of the logger process."""

    def __init__(self, run_directory: Path) -> None:
        self.run_directory = run_directory
        text = (run_directory / "box.json").read_bytes()
        self.configuration = json.loads(text)
        self.configuration_file = written_descriptor("ftmb-configuration", text)
        enter_network_namespace(self.configuration["network_namespace"])
        self.idle = choose_idle(self.configuration)
        self.wants_standby = self.configuration["protection"] == "standby"
        settings = modes.logger_settings(self.configuration, self.idle.logger)
        self.logger = Logger(settings, Pipeline.of(self.configuration))
        bound = self.configuration["heartbeat"]["bound_ms"] / 1000
        self.protection = Protection(
            self.logger,
            wants_standby=self.wants_standby,
            heartbeat_bound=bound,
            checkpoint_interval=modes.checkpoint_interval(self.configuration),
            seats=(
                Seat(self.configuration["workers"]["cores"], self.idle.workers),
                Seat(self.configuration["standby"]["cores"], self.idle.standby),
            ),
        )
        self.steady_look = bound / 4
        self.ports: dict[str, ports.OpenPort | ports.OpenJournal] = {}
        self.selector = selectors.DefaultSelector()
        self.orchestrator = OrchestratorLink(self.protection)
        self.must_stop = False
        self.state_copies = StateCopies()
        self.commands = Commands(self.logger)
        self.preparing: dict[Channel, int] = {}  # replicas whose memory is being made
        self.made_peers: SimpleQueue[tuple[Channel, Future[Peer]]] = SimpleQueue()
        self.made_event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def run(self) -> None:
        """Opens the ports, serves until told to stop."""
        packets = threading.Thread(target=self._run_packets, name="loggers")
        self.started = threading.Event()
        self.port_error: Exception | None = None
        self.logger.expect_thread()
        packets.start()
        self.started.wait()
        if self.port_error is not None:
            packets.join()
            raise self.port_error
        server = Server(self.run_directory / SOCKET_NAME)
        self.selector.register(server, selectors.EVENT_READ, None)
        note(
            "ready",
            ports={name: port.device for name, port in self.ports.items()},
            idle=asdict(self.idle),
        )
        try:
            self.selector.register(self.logger.death_event, selectors.EVENT_READ, None)
            self.selector.register(self.made_event, selectors.EVENT_READ, None)
            while not self.must_stop:
                self._serve(server)
        finally:
            server.close()
            self.logger.stop()
            packets.join()

    def _run_packets(self) -> None:
        """The packet thread: EAL belongs to it, so it opens and closes the ports too."""
        try:
            self.ports = ports.open_all(self.configuration, self.logger.add_port)
        except Exception as error:  # said by the control thread, whatever it is
            self.port_error = error
            self.started.set()
            return
        self.started.set()
        self.logger.run(self.configuration["logger"]["core"])
        for port in self.ports.values():
            port.close()

    def _serve(self, server: Server) -> None:
        settled = self.protection.is_settled() and not self.commands.is_waiting()
        for key, _ in self.selector.select(self.steady_look if settled else BUSY_LOOK_S):
            if key.fileobj is server:
                self._accept(server)
            elif key.fileobj == self.made_event:
                self._welcome()
            elif key.fileobj == self.logger.death_event:
                os.eventfd_read(self.logger.death_event)
                self.protection.master_died()
            else:
                self._read(key.data)
        self.protection.look(time.monotonic())
        self.protection.advance()
        self.commands.look(time.monotonic())
        self._forget_closed()
        self.orchestrator.ask_for_replicas()
        self.orchestrator.kill_what_stays()

    def _accept(self, server: Server) -> None:
        try:
            channel, pid = server.accept()
        except (Refused, OSError) as error:
            note("caller refused", reason=str(error))
            return
        callers = [key.data[1] for key in self.selector.get_map().values() if key.data is not None]
        if callers.count(pid) >= CALLS_MAX:
            note("caller refused", pid=pid, reason=f"it has {CALLS_MAX} connections already")
            channel.close()
            return
        self.selector.register(channel, selectors.EVENT_READ, (channel, pid))

    def _read(self, caller: tuple[Channel, int]) -> None:
        channel, pid = caller
        descriptors: list[int] = []
        try:
            message, descriptors = channel.receive()
            self._handle(channel, pid, message, descriptors)
        except HungUp:
            self._hung_up(channel)
        except Exception as error:  # whatever a caller sends, it ends that caller and nobody else
            note("message refused", pid=pid, reason=repr(error))
            self._hung_up(channel)
        finally:
            for handed in descriptors:
                os.close(handed)

    def _handle(self, channel: Channel, pid: int, message: Message, descriptors: list[int]) -> None:
        match message["kind"]:
            case "hello":
                self._hello(channel, pid, message)
            case "prepared":
                self._replica(channel, Stage.PREPARING).enter(Stage.PREPARED)
            case "started":
                replica = self._replica(channel, Stage.STARTING)
                replica.start_records = whole_numbers(
                    message["records"], self.logger.settings.workers
                )
                replica.enter(Stage.STARTED)
            case "snapshot done":
                replica = self._replica(channel, Stage.STARTED)
                epoch, pause_ns = (whole_number(message[key]) for key in ("epoch", "pause_ns"))
                records = [whole_number(record) for record in message["records"]]
                ok = bool(message["ok"])
                self.protection.snapshot_done(replica, epoch, ok, pause_ns, records)
            case "failed":
                reason = str(message["reason"])[:2000]
                note("replica failed", pid=pid, reason=reason)
                self.orchestrator.tell({"kind": "replica failed", "reason": reason})
                self._hung_up(channel)  # it was its last word
            case "fenced" if any(known.channel is channel for known in self.protection.fenced):
                self.protection.history.fenced_count += 1
                note("fenced", pid=pid)
                self._hung_up(channel)
            case "state copied":
                self.state_copies.done(channel, message)
            case kind if kind in OPERATORS and self._is_replica(channel):
                raise Refused("a replica does not command the box")
            case "orchestrate":
                self.orchestrator.attach(channel, pid)
            case "spawn failed" if channel is self.orchestrator.channel:
                self.orchestrator.one_less_on_its_way()
            case "status":
                channel.send({"kind": "status", "status": status_of(self)})
            case "state":
                self.state_copies.ask(channel, descriptors, self.protection.standby)
            case "command":
                self.commands.give(channel, message)
            case "crash at":
                channel.send(arm(self.protection, message["point"]))
            case "armed":
                note_armed(self.protection, channel, message["point"])
            case "stop":
                self.must_stop = True
                channel.send({"kind": "stopping"})
            case unknown:
                raise Refused(f"unknown kind {unknown!r}")

    def _hello(self, channel: Channel, pid: int, message: Message) -> None:
        if message["version"] != PAGES_VERSION:
            reason = (
                f"a replica of version {message['version']} met a logger process of version "
                f"{PAGES_VERSION}: stop the box with 'ftmb down' and start it again"
            )
            self.orchestrator.tell({"kind": "replica failed", "reason": reason})
            raise Refused(reason)
        if self._is_replica(channel):
            raise Refused("a replica says hello once")
        self.preparing[channel] = pid
        made = self.logger.add_peer_later(self.protection.next_epoch())
        made.add_done_callback(lambda peer: self._post(channel, peer))

    def _post(self, channel: Channel, peer: Future[Peer]) -> None:
        """From the thread that makes logs to the control thread."""
        self.made_peers.put((channel, peer))
        os.eventfd_write(self.made_event, 1)

    def _welcome(self) -> None:
        """Hands their memory to replicas for which it was made."""
        os.eventfd_read(self.made_event)
        while not self.made_peers.empty():
            channel, made = self.made_peers.get()
            pid = self.preparing.pop(channel, None)
            if made.exception() is not None:
                note("no memory for a replica", reason=str(made.exception()), severity="error")
                self.selector.unregister(channel)
                channel.close()
            elif pid is None:  # it hung up meanwhile
                made.result().remove()
            else:
                self._prepare(ReplicaHandle(channel, pid, made.result()))

    def _prepare(self, replica: ReplicaHandle) -> None:
        self.orchestrator.one_less_on_its_way()
        self.protection.spares.append(replica)
        replica.send(
            {"kind": "prepare", "epoch": replica.epoch},
            self._descriptors_for(replica),
        )

    def _descriptors_for(self, replica: ReplicaHandle) -> list[int]:
        page, *logs = self.logger.descriptors()
        handed = [self.configuration_file, page, replica.peer.page_descriptor]
        return [*handed, *logs, *replica.peer.output_descriptors]

    def _replica(self, channel: Channel, stage: Stage) -> ReplicaHandle:
        """The caller as a replica at this stage; Refused if it is none."""
        for replica in self.protection.alive():
            if replica.channel is channel and replica.stage is stage:
                return replica
        raise Refused(f"not a replica that is {stage.value}")

    def _is_replica(self, channel: Channel) -> bool:
        known = [*self.protection.alive(), *self.protection.fenced]
        return channel in self.preparing or any(replica.channel is channel for replica in known)

    def _hung_up(self, channel: Channel) -> None:
        if channel.fileno() < 0 or channel not in self.selector.get_map():
            return  # closed on our side already
        self.selector.unregister(channel)
        self.state_copies.forget(channel)
        self.commands.forget(channel)
        self.preparing.pop(channel, None)
        for replica in self.protection.alive():
            if replica.channel is channel:
                replica.has_hung_up = True
                replica.lose("hangup")
                return
        self.protection.fenced = [
            replica for replica in self.protection.fenced if replica.channel is not channel
        ]
        self.orchestrator.detach(channel)
        channel.close()

    def _forget_closed(self) -> None:
        """Channels that were closed on our side."""
        for key in list(self.selector.get_map().values()):
            if key.data is not None and key.data[0].fileno() < 0:
                self.selector.unregister(key.fileobj)
                self.state_copies.forget(key.data[0])
                self.commands.forget(key.data[0])


def main(arguments: list[str]) -> int:
    """The process's whole life; the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the orchestrator's to handle
    try:
        come_first(LOGGER_NICE)
        process = LoggerProcess(Path(arguments[0]))
        signal.signal(signal.SIGTERM, lambda *_: setattr(process, "must_stop", True))
        if process.idle.logger == "sleep":
            session_comes_first(LOGGER_NICE)
        process.run()
    except Exception as error:
        note("logger failed", reason=str(error), severity="error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
