# SPDX-License-Identifier: BSD-3-Clause
"""What is saved on real traffic, beside what could be: files from nginx, captures that a Debian
package ships. `pytest -s` shows the figures."""

from __future__ import annotations

import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyroute2 import IPRoute
from scapy.utils import rdpcap

from ftmb.lab import namespaces
from ftmb.lab.topology import Addresses, Host, Lab
from ftmb.testing import Box
from tests.elements.wan_pair import Pair, by_flow, frame, payload_start, stream
from tests.elements.wan_redundancy import possible_saving

ETH_P_ALL = 3
PAYLOAD_MIN = 64
CAPTURES = Path("/usr/share/gocode/src/github.com/google/gopacket/pcap")
SERVED = ["/usr/share/common-licenses/GPL-2", "/usr/share/common-licenses/GPL-3", "/bin/grep",
          "/usr/lib/python3/dist-packages/lsb_release.py"]  # fmt: skip
SERVER, CLIENT = "198.51.100.2", "198.51.100.10"
NGINX = """
daemon off; worker_processes 1; user root; pid {0}/pid; error_log {0}/errors;
events {{ worker_connections 64; }}
http {{ access_log off; server {{ listen 80; root {0}; }} }}
"""


def kept_payload(raw: bytes) -> bytes:
    """As the element defines it: TCP and UDP, whole, of at least PAYLOAD_MIN bytes."""
    if raw[12:14] != b"\x08\x00" or raw[23] not in (6, 17):
        return b""
    end = 14 + int.from_bytes(raw[16:18], "big")
    payload = raw[payload_start(raw) : end]
    return payload if len(payload) >= PAYLOAD_MIN and end == len(raw) else b""


def savings(pair: Pair, frames: list[bytes], what: str) -> tuple[float, float]:
    """Shares of the payload bytes: found, and what could be; what arrives is as it was."""
    assert by_flow(pair.send(frames)) == by_flow(frames)
    payloads = [kept_payload(raw) for raw in frames]
    total = sum(map(len, payloads))
    possible = possible_saving([payload for payload in payloads if payload]) / total
    found = (sum(map(len, frames)) - sum(map(len, pair.crossed))) / total
    print(f"\n{what}: {total} bytes of payload, {found:.1%} saved, {possible:.1%} possible")
    return found, possible


def mixed(seed: int) -> list[bytes]:
    """Payloads of new bytes, old ones from any place, and old ones a little changed."""
    noise = random.Random(seed)
    history = noise.randbytes(4000)
    frames = []
    for number in range(150):
        payload = b""
        while len(payload) < 1200:
            size = noise.randrange(40, 700)
            at = noise.randrange(len(history) - size)
            piece = bytearray(history[at : at + size])
            kind = noise.randrange(3)
            if kind == 0:
                piece = bytearray(noise.randbytes(size))
            elif kind == 1:
                piece[noise.randrange(size)] ^= 1
            payload += piece
        payload = payload[:1400]
        history += payload
        frames.append(frame(payload, flow=1, seq=number))
    return frames


@pytest.mark.parametrize("seed", range(3))
def test_most_of_what_could_be_found_is_found(boxes, seed):
    found, possible = savings(Pair(boxes, settle_ms=0), mixed(seed), "made up")
    assert 0.85 * possible < found <= possible * 1.02


def test_nothing_is_found_where_nothing_is(boxes):
    frames = stream(random.Random(1).randbytes(150_000), flow=1)
    assert savings(Pair(boxes), frames, "noise") == (0, 0)


@pytest.mark.parametrize("name", ["test_loopback.pcap", "test_ethernet.pcap", "test_dns.pcap"])
def test_captures_that_debian_ships(make_box, name):
    if not CAPTURES.exists():
        pytest.skip("no golang-github-google-gopacket-dev")
    frames = [bytes(packet)[:2048] for packet in rdpcap(str(CAPTURES / name))]
    pair = Pair(make_box, 2)
    for _ in range(2):
        assert by_flow(pair.send(frames)) == by_flow(frames)
        pair.advance(0.1)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    """What a server sends as each file is fetched twice, in two rounds: frames on the wire."""
    if shutil.which("nginx") is None or shutil.which("curl") is None:
        pytest.skip("no nginx, or no curl")
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    for path in SERVED:
        if Path(path).exists():
            shutil.copyfile(path, folder / Path(path).name)
    (folder / "nginx.conf").write_text(NGINX.format(folder))
    addresses = Addresses(clients=(CLIENT,), box_inside=SERVER, server=SERVER)
    with Lab("wan", addresses) as lab:
        namespaces.netlink(lab.namespace(Host.BOX), bridge)
        wire = namespaces.call(lab.namespace(Host.BOX), listen)
        lab.run(Host.SERVER, ["nginx", "-c", str(folder / "nginx.conf")])
        return [fetch(lab, folder, wire) for _ in range(2)]


@pytest.fixture
def boxes() -> Iterator[Callable[..., Box]]:
    """Boxes that do not fail over: that changes nothing in what is saved."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(Box(*arguments, **options))


def bridge(netlink: IPRoute) -> None:
    """The lab's box as a wire between both hosts."""
    netlink.link("add", ifname="bridge", kind="bridge")
    (index,) = netlink.link_lookup(ifname="bridge")
    for name in ("inside", "outside"):
        netlink.link("set", index=netlink.link_lookup(ifname=name)[0], master=index)
    netlink.link("set", index=index, state="up")


def listen() -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind(("outside", ETH_P_ALL))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
    wire.settimeout(0.3)
    return wire


def fetch(lab: Lab, folder: Path, wire: socket.socket) -> list[bytes]:
    """One round of downloads; the server's TCP frames, in the order in which they passed."""
    for path in sorted(folder.iterdir()):
        if path.name not in {Path(served).name for served in SERVED}:
            continue
        to = folder / "fetched"
        command = ["curl", "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]
        got = lab.run(Host.CLIENT, [*command, "-o", str(to), f"http://{SERVER}/{path.name}"])
        assert got.wait(30) == 0, got.output()
        assert to.read_bytes() == path.read_bytes()
    time.sleep(0.05)
    frames = []
    while True:
        try:
            raw, (_, _, kind, *_) = wire.recvfrom(65536)
        except TimeoutError:
            return frames
        if kind != socket.PACKET_OUTGOING and raw[12:14] == b"\x08\x00" and raw[23] == 6:
            frames.append(raw)


def test_files_from_nginx_fetched_twice(boxes, downloads):
    first, second = downloads
    pair = Pair(boxes, cache_kib=4096, settle_ms=0)
    found, possible = savings(pair, first, "nginx, first time")
    assert 0.7 * possible <= found <= possible * 1.02
    pair.advance(0.1)
    pair.crossed.clear()
    assert by_flow(pair.send(second)) == by_flow(second)
    total = sum(map(len, second))
    share = 1 - sum(map(len, pair.crossed)) / total
    print(f"nginx, second time: {total} bytes of frames, {share:.1%} saved")
    assert share > 0.85
    assert pair.returned == []
