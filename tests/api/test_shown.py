"""One JSON of an object through every door: the API, the command line with the engine in it, and the command line of an engine elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.wire import ask
from moby_tui.api.client.http import HttpClient
from moby_tui.api.client.protocol import Client
from moby_tui.cli.output.objects import show_list
from moby_tui.engine.engine import Engine
from moby_tui.schema.base import decode
from moby_tui.schema.container import ContainerCreate

#: What moby's ``api/types`` leave out where it is empty; a pointer to nothing alone is left out, not one to 0 or false.
CREATED: dict[str, Any] = {
    "StopTimeout": 0,
    "Shell": [],
    "ExposedPorts": {},
    "Healthcheck": {},
    "HostConfig": {
        "NetworkMode": "none",
        "Init": False,
        "Sysctls": {},
        "Mounts": [
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {}},
            {"Type": "volume", "Source": "data", "Target": "/v", "VolumeOptions": {"Labels": {}, "DriverConfig": {}}},
        ],
    },
}
#: As dockerd 28.5 has it.
SHOWN: list[tuple[str, Any]] = [
    ("Config.StopTimeout", 0),
    ("Config.Healthcheck", {}),
    ("Config.Shell", None),
    ("Config.ExposedPorts", None),
    ("Config.NetworkDisabled", None),
    ("HostConfig.Init", False),
    ("HostConfig.Sysctls", None),
    (
        "HostConfig.Mounts",
        [
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {}},
            {"Type": "volume", "Source": "data", "Target": "/v", "VolumeOptions": {"DriverConfig": {}}},
        ],
    ),
]


async def inspected(client: Client) -> dict[str, Any]:
    return {
        "containers/full": await client.containers.inspect("full"),
        "containers/plain": await client.containers.inspect("plain"),
        "images/busybox": await client.images.inspect("busybox"),
        "networks/none": await client.networks.inspect("none"),
        "volumes/data": await client.volumes.inspect("data"),
    }


def through_template(value: object, capsys: pytest.CaptureFixture[str]) -> Any:
    show_list([value], "{{json .}}")
    return json.loads(capsys.readouterr().out)


async def test_every_door_shows_the_same(
    busybox: str, engine: Engine, remote: HttpClient, socket_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, values in (("full", CREATED), ("plain", {"HostConfig": {"NetworkMode": "none"}})):
        asked = decode(json.dumps({"Image": busybox, "Cmd": ["sh"], **values}), ContainerCreate)
        await engine.containers.create(asked, name=name)
    own, elsewhere = await inspected(engine), await inspected(remote)
    for path, value in own.items():
        suffix = "" if path.startswith(("networks", "volumes")) else "/json"
        answer = (await ask(socket_path, "GET", f"/v1.52/{path}{suffix}")).json()
        for seen in (value, elsewhere[path]):
            show_list([seen], "")
            assert json.loads(capsys.readouterr().out) == [answer], path
        if path.startswith(("containers", "images")):
            rendered = through_template(value, capsys)
            for part in ("Config", "HostConfig"):
                assert rendered.get(part, {}).keys() == answer.get(part, {}).keys()
    shown = (await ask(socket_path, "GET", "/v1.51/containers/full/json")).json()
    for name, value in SHOWN:
        part, field = name.split(".")
        assert shown[part].get(field) == value, name
