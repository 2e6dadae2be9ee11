"""Ports published over IPv6, with real traffic: by the firewall to an address of IPv6, forwarded to one of IPv4 and from [::1].

What inspect shows of them is held against dockerd in ``test_beside_dockerd.py``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from moby_tui.engine.engine import Engine as WholeEngine
from moby_tui.engine.kernel.network import netns
from moby_tui.schema.container import ContainerCreate, HostConfig, PortBinding
from moby_tui.schema.network import NetworkCreate
from networks.world import run

HOST_SIX, OUTSIDE_SIX = "fd00:77::1", "fd00:77::2"


@pytest.fixture
def outside_six(outside: int) -> int:
    """The neighbour and the host have addresses of IPv6 on their wire."""
    run(f"ip -6 addr add {HOST_SIX}/64 dev outside0 nodad; sysctl -qw net.ipv6.conf.outside0.accept_dad=0")
    run(f"ip -6 addr add {OUTSIDE_SIX}/64 dev outside1 nodad; ip -6 route add default via {HOST_SIX}", outside)
    return outside


async def start(
    engine: WholeEngine, network: str = "bridge", *bindings: tuple[str, str], port: str = "80/tcp"
) -> tuple[str, int]:
    """A container with one port published; its id, and its namespace."""
    asked: dict[str, list[PortBinding] | None] = {
        port: [PortBinding(host_ip=address, host_port=host) for address, host in bindings]
    }
    host = HostConfig(network_mode=network, port_bindings=asked)
    ident = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host))).id
    await engine.containers.start(ident)
    pid = (await engine.containers.inspect(ident)).state.pid
    return ident, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)


@contextlib.contextmanager
def served(namespace: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[None]:
    """In a namespace, port 80 of both versions: says from whom a connection is, and then what it is told, to its end."""
    listener = netns.call(namespace, lambda: socket.socket(socket.AF_INET6, kind))
    listener.bind(("::", 80))
    if kind == socket.SOCK_STREAM:
        listener.listen()
    thread = Thread(target=_echo_streams if kind == socket.SOCK_STREAM else _echo_datagrams, args=(listener,), daemon=True)
    thread.start()
    yield
    if kind == socket.SOCK_STREAM:
        listener.shutdown(socket.SHUT_RDWR)
    else:
        listener.sendto(b"", ("::1", 80))
    thread.join()
    listener.close()
    os.close(namespace)


def _echo_streams(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, peer = listener.accept()
            with client:
                client.sendall(peer[0].removeprefix("::ffff:").encode() + b"\n")
                while piece := client.recv(65536):
                    client.sendall(piece)


def _echo_datagrams(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data, peer = listener.recvfrom(65536)
            if not data:
                return
            listener.sendto(data.upper(), peer)


def client_in(namespace: int | None, family: int, kind: socket.SocketKind) -> socket.socket:
    made = netns.call(namespace, lambda: socket.socket(family, kind)) if namespace else socket.socket(family, kind)
    made.settimeout(5)
    return made


def said(namespace: int | None, host: str, port: int, size: int = 10) -> str:
    """Sends data by TCP, then its end, and takes all that comes back; returns whom the container saw."""
    data = secrets.token_bytes(size)
    with client_in(namespace, socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as client:
        client.connect((host, port))

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sender = Thread(target=send)
        sender.start()
        back = b""
        while piece := client.recv(1 << 20):
            back += piece
        sender.join()
    seen, _, rest = back.partition(b"\n")
    assert rest == data
    return seen.decode()


def asked(namespace: int | None, host: str, port: int) -> bytes:
    with client_in(namespace, socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.connect((host, port))
        client.send(b"question")
        return client.recv(100)


def forwarders() -> list[int]:
    """The processes that forward, of whichever container of this session."""
    own = os.stat("/proc/self/ns/net").st_ino
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text() == "moby-ports\n" and os.stat(path / "ns/net").st_ino == own:
                found.append(int(path.name))
    return found


async def test_ipv6_reaches_a_container_that_has_ipv4_alone(whole_engine: WholeEngine, outside_six: int) -> None:
    engine = whole_engine
    ident, inside = await start(engine, "bridge", ("", "28080"))
    place = (await engine.containers.inspect(ident)).network_settings.networks["bridge"]
    with served(inside):
        assert said(None, "127.0.0.1", 28080) and forwarders() == []
        for namespace, host in ((None, "::1"), (None, HOST_SIX), (outside_six, HOST_SIX)):
            assert said(namespace, host, 28080, 3 << 20) == place.gateway
        (process,) = forwarders()
        os.kill(process, signal.SIGKILL)
        assert said(None, "::1", 28080) == place.gateway and forwarders() != [process]
    # nobody listens in the container: the connection ends at once
    with client_in(None, socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.connect(("::1", 28080))
        assert client.recv(10) == b""
    await engine.containers.remove(ident, force=True)
    assert forwarders() == []
    with socket.create_server(("::", 28080), family=socket.AF_INET6, dualstack_ipv6=True):
        pass


async def test_datagrams_over_ipv6(whole_engine: WholeEngine, outside_six: int) -> None:
    _, inside = await start(whole_engine, "bridge", ("", "28053"), port="80/udp")
    with served(inside, socket.SOCK_DGRAM):
        # the answer comes from the address that was asked, else a connected socket would not take it
        for namespace, host in ((None, "::1"), (None, HOST_SIX), (outside_six, HOST_SIX)):
            assert [asked(namespace, host, 28053) for _ in range(3)] == [b"QUESTION"] * 3


async def test_the_firewall_leads_to_a_container_that_has_ipv6(whole_engine: WholeEngine, outside_six: int) -> None:
    engine = whole_engine
    await engine.networks.create(NetworkCreate(name="both", enable_ipv6=True))
    await engine.networks.create(NetworkCreate(name="six", enable_ipv4=False, enable_ipv6=True))
    for name in ("both", "six"):
        ident, inside = await start(engine, name, ("", "28080"), ("::1", "28081"))
        place = (await engine.containers.inspect(ident)).network_settings.networks[name]
        with served(inside):
            assert said(outside_six, HOST_SIX, 28080) == OUTSIDE_SIX
            assert said(None, HOST_SIX, 28080) and forwarders() == []
            assert said(inside, HOST_SIX, 28080) == place.ipv6_gateway
            assert said(None, "::1", 28080) == said(None, "::1", 28081) == place.ipv6_gateway
            with pytest.raises(OSError):
                said(outside_six, HOST_SIX, 28081)
        await engine.containers.remove(ident, force=True)


async def test_where_the_host_has_no_ipv6_ports_are_of_ipv4(whole_engine: WholeEngine) -> None:
    run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=1")
    try:
        ident, inside = await start(whole_engine, "bridge", ("", ""))
        os.close(inside)
    finally:
        run("sysctl -qw net.ipv6.conf.lo.disable_ipv6=0")
    bindings = (await whole_engine.containers.inspect(ident)).network_settings.ports["80/tcp"]
    assert [binding.host_ip for binding in bindings or []] == ["0.0.0.0"]
