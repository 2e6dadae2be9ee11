"""Lists and answers of containers that dockerd keeps shorter than ours, as its versions of the API have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from api.wire import ask
from moby_tui.engine.engine import Engine
from moby_tui.schema.base import decode
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.network import NetworkCreate

REQUEST: dict[str, Any] = {
    "Cmd": ["sleep", "1000"],
    "HostConfig": {"NetworkMode": "own", "Binds": ["data:/data", "/tmp:/tmp"]},
    "NetworkingConfig": {
        "EndpointsConfig": {
            "own": {"Aliases": ["a"], "DriverOpts": {"x": "y"}, "GwPriority": 3, "IPAMConfig": {"LinkLocalIPs": ["169.254.9.9"]}}
        }
    },
}
PATHS = ("ResolvConfPath", "HostnamePath", "HostsPath", "LogPath")


async def test_rows_and_paths(own_network: None, engine: Engine, busybox: str, socket_path: Path, remote: object) -> None:
    await engine.networks.create(NetworkCreate(name="own"))
    created = await engine.containers.create(decode(json.dumps({"Image": busybox, **REQUEST}), ContainerCreate), name="one")
    answer = (await ask(socket_path, "GET", "/v1.51/containers/one/json")).json()
    assert [answer[name] for name in PATHS] == ["", "", "", ""]
    for state in ("created", "running"):
        [row] = (await ask(socket_path, "GET", "/v1.51/containers/json?all=1")).json()
        endpoint = row["NetworkSettings"]["Networks"]["own"]
        assert row["State"] == state and endpoint["GwPriority"] == 3
        assert [endpoint[name] for name in ("Links", "Aliases", "DriverOpts", "DNSNames")] == [None] * 4
        assert endpoint["IPAMConfig"] == {}
        assert {mount["Type"]: mount["Source"] for mount in row["Mounts"]} == {"volume": "", "bind": "/tmp"}
        if state == "created":
            await engine.containers.start(created.id)
    answer = (await ask(socket_path, "GET", "/v1.51/containers/one/json")).json()
    assert all(answer[name] for name in PATHS)
    assert answer["NetworkSettings"]["Networks"]["own"]["Aliases"] == ["a"]
    [row] = (await ask(socket_path, "GET", "/v1.52/containers/json")).json()
    assert row["NetworkSettings"]["Networks"]["own"]["Aliases"] == ["a"]


async def test_disk_usage_of_one_kind(engine: Engine, busybox: str, socket_path: Path, remote: object) -> None:
    answer = (await ask(socket_path, "GET", "/v1.51/system/df?type=image")).json()
    assert [answer[name] for name in ("Containers", "Volumes", "BuildCache")] == [None, None, None] and len(answer["Images"]) == 1
    refusal = await ask(socket_path, "GET", "/v1.51/system/df?type=image&type=x")
    assert (refusal.status, refusal.message) == (400, "unknown object type: x")


async def test_lists_that_are_null_while_they_are_empty(engine: Engine, busybox: str, socket_path: Path, remote: object) -> None:
    config = ContainerCreate(image=busybox, cmd=["sleep"], host_config=HostConfig(network_mode="none"))
    await engine.containers.create(config, name="one")
    for path, body, name in (
        ("containers/one/update", b'{"CpuShares": 100}', "Warnings"),
        ("containers/prune?filters=%7B%22label%22:%5B%22x%22%5D%7D", b"", "ContainersDeleted"),
        ("build/prune", b"", "CachesDeleted"),
    ):
        answer = await ask(socket_path, "POST", f"/v1.51/{path}", body, {"Content-Type": "application/json"} if body else {})
        assert (answer.status, answer.json()[name]) == (200, None), path


async def test_what_a_version_does_not_know_or_no_engine_has(
    engine: Engine, busybox: str, socket_path: Path, remote: object
) -> None:
    config = ContainerCreate(image=busybox, cmd=["sleep"], host_config=HostConfig(network_mode="none"))
    await engine.containers.create(config, name="one")
    assert (await ask(socket_path, "POST", "/v1.29/containers/one/wait?condition=x")).json() == {"StatusCode": 0}
    refusal = await ask(socket_path, "POST", "/v1.30/containers/one/wait?condition=x")
    assert (refusal.status, refusal.message) == (400, 'invalid condition: "x"')
    refusal = await ask(socket_path, "PUT", "/v1.51/volumes/x")
    assert (refusal.status, refusal.message) == (
        503,
        "volume update only valid for cluster volumes, but swarm is unavailable",
    )


async def test_info_says_what_the_machine_can_limit(socket_path: Path, remote: object) -> None:
    info = (await ask(socket_path, "GET", "/v1.51/info")).json()
    first = info["CgroupVersion"] == "1"
    memory = Path("/sys/fs/cgroup/memory")
    assert info["OomKillDisable"] == (first and (memory / "memory.oom_control").exists())
    assert info["KernelMemoryTCP"] == (first and (memory / "memory.kmem.tcp.limit_in_bytes").exists())
    assert info["IPv4Forwarding"] == (Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1")
    assert info["ContainerdCommit"] == {"ID": ""} and info["RegistryConfig"]["Mirrors"] is None
