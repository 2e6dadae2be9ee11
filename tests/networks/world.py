"""Means to look at a network from every side: shells, sockets and engines in chosen namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from moby_tui.engine.kernel.network import netns
from moby_tui.engine.resources.networks.endpoints import ContainerNames
from moby_tui.engine.resources.networks.manager import NetworkManager
from moby_tui.engine.resources.networks.sandbox import Sandbox
from moby_tui.engine.resources.networks.sandboxes import SandboxRequest
from moby_tui.engine.store import networks as store
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths

OUTSIDE, HOST = "10.77.0.2", "10.77.0.1"


def run(command: str, namespace: int | None = None) -> str:
    """A shell command's output, in a namespace where one is given."""
    words = ["sh", "-c", command]
    if namespace is not None:
        words = ["nsenter", f"--net=/proc/self/fd/{namespace}", *words]
    return subprocess.run(words, check=True, capture_output=True, text=True, pass_fds=[namespace] if namespace else []).stdout


def make_socket(namespace: int | None, kind: socket.SocketKind) -> socket.socket:
    made = (
        netns.call(namespace, lambda: socket.socket(socket.AF_INET, kind)) if namespace else socket.socket(socket.AF_INET, kind)
    )
    made.settimeout(3)
    return made


def serve(namespace: int | None, port: int, host: str = "0.0.0.0") -> socket.socket:
    """A TCP listener inside a namespace; the kernel takes connections for it."""
    listener = make_socket(namespace, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen()
    return listener


def dial(namespace: int | None, host: str, port: int, timeout: float = 3) -> socket.socket:
    client = make_socket(namespace, socket.SOCK_STREAM)
    client.settimeout(timeout)
    try:
        client.connect((host, port))
    except BaseException:
        client.close()
        raise
    return client


def reaches(namespace: int | None, host: str, port: int, listener: socket.socket) -> str:
    """Sends a token from a namespace to the listener behind an address; returns who the listener saw. Raises ``OSError``."""
    token = secrets.token_bytes(8)
    with dial(namespace, host, port) as client:
        client.sendall(token)
        served, peer = listener.accept()
        with served:
            assert served.recv(8) == token
            served.sendall(token)
        assert client.recv(8) == token
    return str(peer[0])


def is_unreachable(namespace: int | None, host: str, port: int) -> bool:
    try:
        dial(namespace, host, port, timeout=0.4).close()
    except OSError:
        return True
    return False


async def until(condition: Callable[[], object], tries: int = 400) -> None:
    """Waits for what comes by itself."""
    for _ in range(tries):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come")


class Engine:
    """A network manager with what the test needs beside it."""

    def __init__(self, data_root: Path, exec_root: Path) -> None:
        self.paths = Paths(data_root, exec_root)
        self.paths.make()
        self.database = Database(self.paths.database)
        self.events: list[tuple[str, str, str, dict[str, str]]] = []
        self.manager = NetworkManager(self.paths, self.database, lambda *event: self.events.append(event))
        self.name = f"moby-{self.paths.instance}"
        self.sandboxes: list[Sandbox] = []

    async def start(self, mode: str = "bridge", container_id: str = "", **options: object) -> Sandbox:
        if "endpoint" in options:
            options["endpoints"] = {mode: options.pop("endpoint")}
        names = ContainerNames(
            container_id or secrets.token_hex(32), str(options.pop("name", "")), str(options.pop("hostname", ""))
        )
        sandbox = await self.manager.sandboxes.prepare(SandboxRequest(names=names, mode=mode, **options))  # type: ignore[arg-type]
        self.sandboxes.append(sandbox)
        return sandbox

    def ruleset(self) -> str:
        return run(f"nft list table ip {self.name}")

    def elements(self) -> list[str]:
        """What the maps of published ports hold, one entry for each map that holds anything."""
        maps = [part for part in self.ruleset().split("\tmap ")[1:] if part.startswith("published")]
        return [part for part in maps if "elements" in part.partition("}\n\n")[0]]

    def ports_of_bridge(self) -> list[str]:
        return [line.split(":")[1].strip() for line in run(f"ip -o link show master {self.name}").splitlines()]

    def leases(self) -> list[str]:
        return sorted(path.name for path in self.paths.networks.glob("leases/*/*"))

    def records(self) -> list[str]:
        return sorted({path.parent.name for path in self.paths.networks.glob("sandboxes/*/*")})

    def close(self) -> None:
        for sandbox in self.sandboxes:
            with contextlib.suppress(OSError):
                sandbox.release()
        # those of this engine alone: the engines of other workers have bridges in the same namespace
        for name in (self.name, *(f"br-{network.id[:12]}" for network in store.load(self.database))):
            subprocess.run(["ip", "link", "delete", name], capture_output=True)
        self.database.close()
        for family in ("ip", "ip6"):
            subprocess.run(["nft", "delete", "table", family, self.name], capture_output=True)


def address(sandbox: Sandbox) -> str:
    return sandbox.endpoints["bridge"].ip_address
