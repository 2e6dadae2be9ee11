"""Engines that are reached through a real sshd: Debian's, unpacked into a folder, with keys of the test's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from peers.sources import outside

#: sshd wants a folder that only root writes, and a user without rights: both are seen by it alone.
_START = """mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount --bind {folder}/passwd /etc/passwd &&
exec {folder}/root/usr/sbin/sshd -D -e -f {folder}/sshd_config
"""
_SERVER = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/server
AuthorizedKeysFile {folder}/client.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH={folder}/there:/usr/bin:/bin
"""
_CLIENT = """UserKnownHostsFile {folder}/known
StrictHostKeyChecking accept-new
IdentitiesOnly yes
Host 127.0.0.1
IdentityFile {folder}/client
Host localhost
IdentityFile {folder}/server
"""


class Sshd(NamedTuple):
    """``environment`` has an ssh(1) that knows the test's keys: that of 127.0.0.1, and for localhost one that sshd refuses."""

    process: subprocess.Popen[bytes]
    port: int
    environment: dict[str, str]


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    outside("sh", "-c", f"cd {folder} && apt-get -q download openssh-server libwrap0")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
    for name in ("server", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + "sshd:x:74:74::/run/sshd:/usr/sbin/nologin\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "sshd_config").write_text(_SERVER.format(folder=folder, port=port))
    (folder / "ssh_config").write_text(_CLIENT.format(folder=folder))
    _program(folder / "here/ssh", f'{shutil.which("ssh")} -F {folder}/ssh_config "$@"')
    for name in ("moby", "docker"):
        _program(folder / "there" / name, f'{sys.executable} -m moby_tui "$@"')
    libraries = {"LD_LIBRARY_PATH": ":".join(str(found.parent) for found in (folder / "root").rglob("lib*.so.0"))}
    command = ["unshare", "-m", "sh", "-c", _START.format(folder=folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, start_new_session=True, env=os.environ | libraries)
    while "listening" not in (folder / "log").read_text():
        assert process.poll() is None, (folder / "log").read_text()
    yield Sshd(process, port, {**os.environ, "PATH": f"{folder}/here:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder)})
    process.terminate()
    process.wait(30)


@pytest.fixture
async def address(sshd: Sshd, busybox: str, engine: Engine, tmp_path: Path) -> AsyncIterator[str]:
    """Of an engine's API behind sshd."""
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        yield f"ssh://root@127.0.0.1:{sshd.port}{tmp_path}/s"


def _program(path: Path, command: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o755)


async def _run(sshd: Sshd, *command: str, stdin: bytes = b"") -> Ended:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=sshd.environment)
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    return Ended(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize("client", [(sys.executable, "-m", "moby_tui"), ("docker",)], ids=["moby", "docker"])
async def test_a_container_runs_at_the_other_end(sshd: Sshd, address: str, client: tuple[str, ...]) -> None:
    """With its input to the end, both of its streams, and its exit code."""
    script = "wc -c; echo told >&2; exit 7"
    run = (*client, "-H", address, "run", "--rm", "-i", "--network", "none", "busybox", "sh", "-c", script)
    assert await _run(sshd, *run, stdin=b"x" * 300_000) == Ended(7, "300000\n", "told\n")


async def test_what_is_told_where_there_is_no_way(sshd: Sshd, address: str) -> None:
    """A key that is refused, a socket that is not there, a port where no sshd listens: one line each, and no status of success."""
    socket_path = address.rpartition(f":{sshd.port}")[2]
    for host, told in (
        (f"localhost:{sshd.port}{socket_path}", "Permission denied (publickey)"),
        (f"127.0.0.1:{sshd.port}/nosuch.sock", "cannot connect to unix:///nosuch.sock: No such file or directory"),
        ("127.0.0.1:1", "connect to host 127.0.0.1 port 1: Connection refused"),
    ):
        done = await _run(sshd, sys.executable, "-m", "moby_tui", "-H", f"ssh://root@{host}", "ps")
        assert (done.status, done.out) == (1, "") and told in done.err and done.err.count("\n") == 1, done


async def test_a_lost_connection_is_an_error_and_the_container_lives_on(sshd: Sshd, address: str, engine: Engine) -> None:
    started = engine.events.stream(filters={"event": ["start"]})
    command = (
        sys.executable,
        "-m",
        "moby_tui",
        "-H",
        address,
        "run",
        "--name",
        "stays",
        "--network",
        "none",
        "busybox",
        "sleep",
        "1000",
    )
    running = asyncio.ensure_future(_run(sshd, *command))
    await asyncio.wait_for(anext(started), 30)
    await started.aclose()
    # the sessions, each of which is a child of sshd
    children = Path(f"/proc/{sshd.process.pid}/task/{sshd.process.pid}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), 9)
    done = await asyncio.wait_for(running, 60)
    assert children and done.status not in (0, 137) and done.err.startswith("moby: "), done
    assert (await engine.containers.inspect("stays")).state.running
