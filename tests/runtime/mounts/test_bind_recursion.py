"""How far a bind reaches, and how far read-only does: ``--mount type=bind,bind-recursive=``."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine

Cli = Callable[..., subprocess.CompletedProcess[str]]
_LOOK = "touch /b/top 2>/dev/null && echo top; touch /b/below/file 2>/dev/null && echo below; test -e /b/below/there && echo there; true"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system mounted below it, in which there is a file."""
    below = tmp_path / "bound" / "below"
    below.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
    (below / "there").touch()
    yield tmp_path / "bound"
    subprocess.run(["umount", below], check=True)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ("", "top below there"),
        ("readonly", "there"),
        ("readonly,bind-recursive=enabled", "there"),
        ("readonly,bind-recursive=readonly,bind-propagation=rprivate", "there"),
        ("readonly,bind-recursive=writable", "below there"),
        ("bind-recursive=disabled", "top below"),
        ("readonly,bind-recursive=disabled", ""),
    ],
)
def test_reach(cli: Cli, busybox: str, folder: Path, options: str, seen: str) -> None:
    mount = ",".join(["type=bind", f"source={folder}", "target=/b", *([options] if options else [])])
    done = cli("run", "--rm", "--network", "none", "--mount", mount, "busybox", "sh", "-c", _LOOK)
    assert done.stdout.split() == seen.split()


def test_short_form_is_read_only_all_the_way(cli: Cli, busybox: str, folder: Path) -> None:
    done = cli("run", "--rm", "--network", "none", "-v", f"{folder}:/b:ro", "busybox", "sh", "-c", _LOOK)
    assert done.stdout.split() == ["there"]


@pytest.mark.parametrize(("version", "seen"), [("1.24", "below there"), ("1.43", "below there"), ("1.44", "there")])
@pytest.mark.parametrize("kind", ["Binds", "Mounts", "VolumesFrom"])
async def test_clients_before_1_44_can_write_below_a_read_only_bind(
    engine: Engine, busybox: str, folder: Path, tmp_path: Path, kind: str, version: str, seen: str
) -> None:
    """As with dockerd 28.5, which shows the request as it was; another container's mounts keep what they were made with."""
    mount = {"Type": "bind", "Source": str(folder), "Target": "/b", "ReadOnly": True}
    given = {"Mounts": [mount]} if kind == "Mounts" else {"Binds": [f"{folder}:/b:ro"]}
    body: dict[str, Any] = {"Image": "busybox", "Cmd": ["sh", "-c", _LOOK], "HostConfig": {"NetworkMode": "none", **given}}
    door = tmp_path / "door"

    async def ask(method: str, path: str, sent: object = None) -> str:
        words = ["curl", "-sS", "--unix-socket", str(door), "-X", method, "-H", "Content-Type: application/json"]
        words += [f"http://docker/{path}", *(["-d", json.dumps(sent)] if sent else [])]
        return (await asyncio.to_thread(subprocess.run, words, check=True, capture_output=True, text=True)).stdout

    async with serving(engine, [f"unix://{door}"]):
        ident = json.loads(await ask("POST", f"v{version}/containers/create", body))["Id"]
        if kind == "VolumesFrom":
            body["HostConfig"] = {"NetworkMode": "none", "VolumesFrom": [ident]}
            ident = json.loads(await ask("POST", "v1.51/containers/create", body))["Id"]
        elif kind == "Mounts":
            assert json.loads(await ask("GET", f"v1.51/containers/{ident}/json"))["HostConfig"]["Mounts"] == [mount]
        await ask("POST", f"v1.51/containers/{ident}/start")
        await ask("POST", f"v1.51/containers/{ident}/wait")
        container = await engine.containers.inspect(ident)
        log = Path(container.log_path).read_text()
    assert [json.loads(line)["log"].strip() for line in log.splitlines()] == seen.split()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("bind-recursive=writable", "option 'bind-recursive=writable' requires 'readonly' to be specified"),
        ("bind-recursive=readonly", "option 'bind-recursive=readonly' requires 'readonly' to be specified"),
        ("readonly,bind-recursive=readonly", "requires 'bind-propagation=rprivate' to be specified"),
        ("bind-recursive=sometimes", "invalid value for bind-recursive: sometimes"),
    ],
)
def test_refused(cli: Cli, busybox: str, folder: Path, options: str, why: str) -> None:
    mount = f"type=bind,source={folder},target=/b,{options}"
    done = cli("run", "--rm", "--network", "none", "--mount", mount, "busybox", "true", check=False)
    assert done.returncode == 125 and why in done.stderr and done.stderr.count("\n") == 1
