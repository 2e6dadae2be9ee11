"""From what inspect says of a container to the line of ``run`` that makes such a one, and back through the command line's parser."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec
import pytest

from moby_tui.cli.commands.containers.reading import read_run
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import to_builtins
from moby_tui.schema.container import (
    ContainerConfig,
    ContainerInspect,
    ContainerState,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    MountPoint,
    NetworkSettings,
)
from moby_tui.screens.forms.options import command_line, settings_of
from screens.conftest import there

#: Each is made, told as a line by its inspect, and made again of that line.
LINES = [
    "busybox",
    "-it --hostname inner --user 1:2 -w /tmp -e A=1 -e 'B=two words' -l x=y --init busybox sh -c 'echo \"$A\"'",
    "-p 127.0.0.1:8080:80 -p 53:53/udp -p 90 --expose 99 -P busybox sleep 9",
    "-v data:/data:ro -v /anonymous --tmpfs /t:size=1m --mount type=bind,source=/tmp,target=/m,readonly --read-only busybox",
    "--mount type=volume,source=other,target=/v,volume-nocopy --mount type=tmpfs,target=/u,tmpfs-size=4096 --shm-size 32m busybox",
    "-m 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 100 --pids-limit 50 --ulimit nofile=10:20 busybox",
    "--memory 64m --memory-swap 96m --cpuset-cpus 0 --oom-score-adj 5 busybox",
    "--cap-add NET_ADMIN --cap-drop ALL --security-opt no-new-privileges --sysctl net.ipv4.ip_forward=1 --pid host busybox",
    "--privileged --ipc host --uts host --userns host --cgroupns host busybox",
    "--restart on-failure:3 --log-opt max-size=1m --add-host a:1.2.3.4 --dns 1.1.1.1 --dns-search lan --group-add 7 busybox",
    "--rm --network none --stop-signal INT --stop-timeout 3 busybox",
    "--network host busybox",
    "--network name=backend,alias=db,ip=10.9.8.7 --network other busybox",
    "--health-cmd 'test -e /x' --health-interval 1m30s --health-retries 2 busybox",
    "--no-healthcheck --entrypoint sleep busybox 9",
    "--entrypoint '' busybox sleep 9",
    "--device /dev/null:/dev/zero2:r --security-opt systempaths=unconfined busybox",
]


def told(container: ContainerInspect) -> dict[str, object]:
    """What one asked for: without what differs by its nature."""
    config, host = to_builtins(container.config), to_builtins(container.host_config)
    if config["Hostname"] == container.id[:12]:
        config["Hostname"] = ""
    networks = {
        name: (one.aliases, one.ipam_config and one.ipam_config.ipv4_address)
        for name, one in container.network_settings.networks.items()
    }
    volumes = sorted(point.destination for point in container.mounts)
    return {"config": config, "host": host, "networks": networks, "volumes": volumes}


async def test_a_container_is_made_again_from_the_line_that_its_inspect_gives(engine: Engine, busybox: str) -> None:
    from moby_tui.schema.network import Ipam, IpamPool, NetworkCreate

    await engine.networks.create(NetworkCreate(name="backend", ipam=Ipam(config=[IpamPool(subnet="10.9.8.0/24")])))
    await engine.networks.create(NetworkCreate(name="other"))
    preset = (await engine.images.inspect(busybox)).config
    for line in LINES:
        first = (await engine.containers.create(read_run(["-d", *shlex.split(line)]).config, name="first")).id
        found = await engine.containers.inspect(first)
        settings = settings_of(found, preset)
        again = read_run(settings.words())
        assert again.name == "first", line
        await engine.containers.rename(first, "old")
        second = (await engine.containers.create(again.config, name=again.name)).id
        assert told(await engine.containers.inspect(second)) == told(found), f"{line}\n{command_line(settings.words())}"
        for one in (first, second):
            await engine.containers.remove(one, force=True, volumes=True)
    for name in ("backend", "other"):
        await engine.networks.remove(name)
    for volume in ("data", "other"):
        await engine.volumes.remove(volume)


def test_what_the_image_presets_is_left_out() -> None:
    preset = ContainerConfig(env=["PATH=/bin"], cmd=["nginx"], entrypoint=["/e"], labels={"a": "b"}, exposed_ports={"80/tcp": {}})
    container = inspected(msgspec.structs.replace(preset, image="nginx", env=["PATH=/bin", "MINE=1"]))
    assert command_line(settings_of(container, preset).words()) == "moby run -d --name web --env MINE=1 nginx"
    plain = command_line(settings_of(container).words())
    assert plain.endswith("--env PATH=/bin --env MINE=1 --label a=b --expose 80/tcp --entrypoint /e nginx nginx")


def inspected(config: ContainerConfig, host: HostConfig | None = None, **more: Any) -> ContainerInspect:
    fields: dict[str, Any] = {
        "id": "a" * 64,
        "created": "",
        "path": "",
        "args": [],
        "state": ContainerState(),
        "image": "sha256:1",
        **more,
    }
    return ContainerInspect(name="/web", config=config, host_config=host or HostConfig(), **fields)


def test_a_copy_has_new_volumes_and_takes_no_address_or_host_port() -> None:
    read = read_run(["-d", "-p", "8080:80", "--network", "name=n,ip=10.0.0.2,alias=db", "-v", "/data", "x"]).config
    endpoints = {name: one or EndpointSettings() for name, one in (there(read.networking_config).endpoints_config or {}).items()}
    container = inspected(
        msgspec.structs.replace(read, host_config=HostConfig()),
        read.host_config,
        network_settings=NetworkSettings(networks=endpoints),
        mounts=[MountPoint(type="volume", name="f" * 64, destination="/data")],
    )
    copy = command_line(settings_of(container, name=False).words())
    assert copy == "moby run -d --network name=n,alias=db --publish 80 --volume /data x"
    kept = settings_of(container, keep_volumes=True)
    assert ("--volume", f"{'f' * 64}:/data") in kept.options


def test_dockers_names_for_what_nobody_asked_for_are_left_out() -> None:
    host = HostConfig(network_mode="default", ipc_mode="private", cgroupns_mode="private", runtime="runc", shm_size=67108864)
    host.memory, host.memory_swap = 1 << 28, 1 << 29
    health = HealthConfig(test=["CMD", "test", "-e", "/a b"], interval=1_500_000_000)
    words = settings_of(inspected(ContainerConfig(image="x", healthcheck=health, hostname="a" * 12), host)).words()
    assert command_line(words) == (
        "moby run -d --name web --health-cmd 'test -e '\"'\"'/a b'\"'\"'' --health-interval 1.5s --memory 256m x"
    )


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["--nope", "x"], "No such option: --nope"),
        (["-p", "99999:1", "x"], "port '99999' in '99999:1' is out of range: 1 to 65535"),
        (["--cpu-shares", "a", "x"], "'a' is not a valid int"),
        (["--help"], "No such option: --help"),
        (["-d"], "Missing argument 'IMAGE'"),
        (["--pull", "maybe", "x"], "invalid value for --pull: 'maybe'; use always, missing or never"),
    ],
)
def test_a_wrong_line_is_told_in_the_command_lines_words(
    words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidArgument) as told:
        read_run(words)
    assert wrong in str(told.value)
    assert capsys.readouterr() == ("", "")
