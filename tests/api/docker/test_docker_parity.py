"""What our daemon tells of a container beside what Docker Engine 20.10 tells of it: keys, types, and values where they can be alike."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import namespaces
from bench.peers.docker import CGROUP, Docker
from bench.stage import Stage
from moby_tui.engine.engine import Engine

#: The newest API that both speak.
VERSION = "v1.41"
_RUN = [
    *("run", "-d", "--name", "web", "--hostname", "host", "--label", "a=b", "--env", "A=b", "--user", "1:2", "--workdir", "/bin"),
    *("--memory", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN"),
    *("--ulimit", "nofile=100:200", "--device", "/dev/zero", "--tmpfs", "/t:size=64k", "-v", "data:/data", "-v", "/tmp:/host:ro"),
    *("--mount", "type=volume,source=more,target=/more,readonly"),
    *("--mount", "type=tmpfs,target=/t2,tmpfs-mode=700", "--dns", "10.0.0.1", "--add-host", "there:10.0.0.2", "--shm-size", "1m"),
    *(
        "--sysctl",
        "net.ipv4.ip_forward=1",
        "--restart",
        "on-failure:3",
        "--stop-timeout",
        "3",
        "--health-cmd",
        "true",
        "-p",
        "127.0.0.1::80",
    ),
    *("--log-opt", "max-size=1m", "--init", "busybox", "sleep", "1000"),
]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class Daemon:
    """A daemon with one container ``web`` that is asked for in the same words of both."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def docker(self, *arguments: str, check: bool = True) -> str:
        env = {**os.environ, "DOCKER_HOST": f"unix://{self._path}"}
        return subprocess.run(["docker", *arguments], env=env, check=check, text=True, stdout=subprocess.PIPE).stdout

    def get(self, path: str) -> Any:
        connection = _Connection(self._path)
        connection.request("GET", f"/{VERSION}{path}")
        answer = connection.getresponse().read()
        connection.close()
        return json.loads(answer)


@pytest.fixture(scope="module")
def theirs(busybox_archive: Path) -> Iterator[Daemon]:
    folder = namespaces.folder() / f"dockerd-{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
    folder.mkdir()
    with Stage(folder, cgroups=(CGROUP,)) as stage:
        Docker(stage, busybox_archive)
        daemon = Daemon(folder / "s")
        if not (there := str(daemon.get("/version")["Version"])).startswith("20.10"):
            pytest.skip(
                f"dockerd is {there} here, and the differences expected below are from 20.10 (Debian 12's docker.io);"
                " tests/networks/recorded/test_beside_dockerd.py and tests/api/test_statuses.py hold the API beside 28.5"
            )
        daemon.docker(*_RUN)
        yield daemon
        daemon.docker("rm", "-f", "-v", "web")
    subprocess.run(["rm", "-r", folder], check=True)


@pytest.fixture
async def ours(socket_path: Path, engine: Engine) -> AsyncIterator[Daemon]:
    daemon = Daemon(socket_path)
    await asyncio.to_thread(daemon.docker, *_RUN)
    yield daemon
    await asyncio.to_thread(daemon.docker, "rm", "-f", "-v", "web")
    await engine.volumes.remove("data")
    await engine.volumes.remove("more")


class Comparison:
    """Walks two answers at once. A path is dotted; ``expected`` are patterns of paths that may differ, each with its reason beside it."""

    def __init__(self, expected: dict[str, str]) -> None:
        self._expected = expected
        self.met: set[str] = set()
        self.differences: list[str] = []

    def compare(self, theirs: Any, ours: Any, path: str = "") -> None:
        if theirs == ours or self._is_expected(path):
            return
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key in sorted(theirs.keys() | ours.keys()):
                below = f"{path}.{key}".lstrip(".")
                if key in theirs and key in ours:
                    self.compare(theirs[key], ours[key], below)
                elif not self._is_expected(below):
                    self.differences.append(f"{below}: only {'theirs' if key in theirs else 'ours'}: {(theirs | ours)[key]!r}")
        elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
            for index, (their, our) in enumerate(zip(theirs, ours, strict=True)):
                self.compare(their, our, f"{path}.{index}".lstrip("."))
        else:
            self.differences.append(f"{path}: {theirs!r} | {ours!r}")

    def _is_expected(self, path: str) -> bool:
        found = [pattern for pattern in self._expected if re.fullmatch(pattern, path)]
        self.met.update(found)
        return bool(found)


_OWN = "of each container and each daemon its own"
_INSPECT = {
    r"Created|Id|State\.(Pid|StartedAt|FinishedAt)|State\.Health\.Log.*": _OWN,
    r"(ResolvConf|Hostname|Hosts|Log)Path|Mounts\.\d\.Source": _OWN,
    r"NetworkSettings\.(SandboxID|SandboxKey|EndpointID)|NetworkSettings\.Networks\.bridge\.(EndpointID|NetworkID)": _OWN,
    r"NetworkSettings\.Networks\.(bridge|none)\.(DNSNames|GwPriority)": "later dockerds tell every version of them",
    r"NetworkSettings\.Ports\.80/tcp\.0\.HostPort": _OWN,
    r"Driver|GraphDriver.*": "layers are named as Docker's containerd image store names them",
    r"HostConfig\.CgroupnsMode": "private on cgroup version 1 too: no container sees the host's groups",
    r"HostConfig\.NetworkMode": "bridge, as Docker since version 26",
    r"HostConfig\.MaskedPaths": "those of Docker 29",
    r"HostConfig\.KernelMemory(TCP)?": "later dockerds leave them out if they are zero",
    r"SizeRootFs": "what the layers' tar streams hold, as Docker's containerd image store reckons it",
}
_SUMMARY = {
    r"NetworkSettings\.Networks\.(bridge|none)\.(DNSNames|GwPriority)": "later dockerds tell every version of them",
    r"Created|Id|Mounts\.\d\.Source|Ports\.0\.PublicPort|SizeRootFs": _OWN,
    r"NetworkSettings\.Networks\.bridge\.(EndpointID|NetworkID|Gateway|IPAddress|MacAddress)": _OWN,
    r"HostConfig\.NetworkMode": _INSPECT[r"HostConfig\.NetworkMode"],
}
_MEASURED = {
    r"id|read|preread": _OWN,
    r"(pre)?cpu_stats\.(system_cpu_usage|cpu_usage\..*|throttling_data\..*)": "measured",
    r"memory_stats\.(usage|max_usage|stats\.\w+)": "measured; what this kernel counts beside, dockerd's list does not know",
    r"networks\.eth0\.[rt]x_(bytes|packets)": "measured",
}


def _differences(theirs: Any, ours: Any, expected: dict[str, str]) -> list[str]:
    comparison = Comparison(expected)
    comparison.compare(theirs, ours)
    return comparison.differences


def _mounts_in_order(container: Any) -> Any:
    """The command line sends them in an order of chance."""
    container["Mounts"].sort(key=lambda mount: mount["Destination"])
    container["HostConfig"].get("Binds", []).sort()
    return container


def _on_the_first_subnet(container: dict[str, Any]) -> dict[str, Any]:
    """The container of a default bridge that had to take another subnet, since the engine of another test has the first, as on the first."""
    subnet = int(container["NetworkSettings"]["Gateway"].split(".")[1])
    moved = json.dumps(container).replace(f"172.{subnet}.0.", "172.17.0.").replace(f"ac:{subnet:02x}:00:", "ac:11:00:")
    result: dict[str, Any] = json.loads(moved)
    return result


async def _both(theirs: Daemon, ours: Daemon, path: str) -> list[Any]:
    return [await asyncio.to_thread(daemon.get, path) for daemon in (theirs, ours)]


async def test_inspect(theirs: Daemon, ours: Daemon) -> None:
    their, our = map(_mounts_in_order, await _both(theirs, ours, "/containers/web/json?size=1"))
    assert _differences(their, _on_the_first_subnet(our), _INSPECT) == []


async def test_list(theirs: Daemon, ours: Daemon) -> None:
    their, our = (_mounts_in_order(rows[0]) for rows in await _both(theirs, ours, "/containers/json?size=1"))
    # how long each has run is its own
    their["Status"], our["Status"] = (re.sub(r"Up .* \(", "Up (", row["Status"]) for row in (their, our))
    assert _differences(their, our, _SUMMARY) == []


async def test_stats(theirs: Daemon, ours: Daemon) -> None:
    their, our = await _both(theirs, ours, "/containers/web/stats?stream=0")
    assert _differences(their, our, _MEASURED) == []
    for name in ("cpu_usage", "throttling_data"):
        assert _types(their["cpu_stats"][name]) == _types(our["cpu_stats"][name])
    assert _types(their["memory_stats"]["stats"]).items() <= _types(our["memory_stats"]["stats"]).items()


def _types(value: dict[str, object]) -> dict[str, type]:
    return {key: type(item) for key, item in value.items()}


async def test_top(theirs: Daemon, ours: Daemon) -> None:
    for arguments in ("", "?ps_args=aux", "?ps_args=-eo%20pid,args"):
        their, our = await _both(theirs, ours, f"/containers/web/top{arguments}")
        assert their["Titles"] == our["Titles"]
        for their_row, our_row in zip(their["Processes"], our["Processes"], strict=True):
            # theirs is cut where a terminal would end
            assert our_row[-1].startswith(their_row[-1])


async def test_the_command_line_shows_the_same(theirs: Daemon, ours: Daemon) -> None:
    for command in (("ps", "--no-trunc", "--size"), ("stats", "--no-stream")):
        shown = [json.loads(await asyncio.to_thread(daemon.docker, *command, "--format", "json")) for daemon in (theirs, ours)]
        assert _types(shown[0]) == _types(shown[1])
        for name in ("Name", "Names", "Image", "Command", "Labels", "State", "Networks", "LocalVolumes", "PIDs"):
            assert shown[0].get(name) == shown[1].get(name), name
        assert sorted(shown[0].get("Mounts", "").split(",")) == sorted(shown[1].get("Mounts", "").split(","))


async def test_a_container_that_has_ended(theirs: Daemon, ours: Daemon) -> None:
    for daemon in (theirs, ours):
        await asyncio.to_thread(daemon.docker, "run", "--name", "ended", "--network", "none", "busybox", "false", check=False)
    try:
        their, our = await _both(theirs, ours, "/containers/ended/json")
        expected = _INSPECT | {r"Config\.Hostname": _OWN, r"NetworkSettings\.Networks\.none\.NetworkID": "known while it runs"}
        assert _differences(their, our, expected) == []
        their, our = await _both(theirs, ours, "/containers/ended/stats?stream=0")
        assert _differences(their, our, _MEASURED) == []
    finally:
        for daemon in (theirs, ours):
            await asyncio.to_thread(daemon.docker, "rm", "ended")
