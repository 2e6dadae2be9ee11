"""``commit``: the image has what the container had, and runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.engine import Engine
from moby_tui.engine.protocol import control
from moby_tui.engine.store.records.containers import ContainerRecord
from moby_tui.errors import InvalidArgument, NotFound
from moby_tui.schema.container import ContainerConfig, ContainerCreate, HostConfig

Cli = Callable[..., subprocess.CompletedProcess[str]]

_WORK = """
mkdir /made && echo kept > /made/file && chmod 4750 /made/file && ln /made/file /made/again && ln -s file /made/link
touch -d '2001-02-03 00:00:00' /made/old
rm /bin/vi; rm -r /etc/gone; mkdir /etc/gone; echo new > /etc/gone/new
sleep 60
"""


async def _container(engine: Engine, script: str, **config: object) -> str:
    host = HostConfig(network_mode="none", tmpfs={"/mounted": ""})
    asked = ContainerCreate(image="busybox", cmd=["sh", "-c", script], host_config=host, **config)  # type: ignore[arg-type]
    ident = (await engine.containers.create(asked)).id
    await engine.containers.start(ident)
    return ident


async def _until(engine: Engine, ident: str, path: str) -> None:
    while True:
        try:
            await engine.containers.archive_stat(ident, path)
            return
        except NotFound:
            continue


async def test_commit(engine: Engine, busybox: str) -> None:
    base = await _container(engine, "mkdir -p /etc/gone && echo old > /etc/gone/old; touch /bin/vi; echo done > /done; sleep 60")
    await _until(engine, base, "/done")
    await engine.containers.commit(base, reference="base")
    asked = ContainerCreate(
        image="base",
        cmd=["sh", "-c", _WORK],
        env=["A=1", "B=2"],
        labels={"who": "us"},
        working_dir="/srv",
        host_config=HostConfig(network_mode="none", tmpfs={"/mounted": ""}),
    )
    ident = (await engine.containers.create(asked)).id
    await engine.containers.start(ident)
    await _until(engine, ident, "/etc/gone/new")
    made = await engine.containers.commit(
        ident,
        reference="work:1",
        message="all done",
        author="Ada",
        changes=[
            'CMD ["sh", "-c", "cat /made/again /made/link; stat -c %a,%h,%Y /made/file /made/old; ls /etc/gone /bin/vi"]',
            "ENV B=3 C=${A}$B",
            "workdir ../sub",
            "EXPOSE 80-81/udp 90",
        ],
    )
    assert (await engine.containers.inspect(ident)).state.status == "running"
    image = await engine.images.inspect("work:1")
    assert (image.id, image.comment, image.author) == (made, "all done", "Ada")
    assert image.config is not None
    assert (image.config.working_dir, image.config.labels) == ("/sub", {"who": "us"})
    assert image.config.exposed_ports == {"80/udp": {}, "81/udp": {}, "90/tcp": {}}
    assert {"A=1", "B=3", "C=12"} <= set(image.config.env or [])
    newest = (await engine.images.history("work:1"))[0]
    assert newest.comment == "all done" and newest.created_by.startswith("sh -c") and newest.size > 0
    with pytest.raises(Exception, match="status") as failed:
        await engine.containers.run("work:1", remove=True)
    out = failed.value.stdout.decode().splitlines()  # type: ignore[attr-defined]
    assert out[:2] == ["kept", "kept"]
    assert out[2].startswith("4750,2,") and out[3].endswith(",981158400")
    assert out[4:] == ["/etc/gone:", "new"]


async def test_what_a_commit_refuses(engine: Engine, busybox: str) -> None:
    ident = await _container(engine, "sleep 60")
    for reference, changes in (("UPPER", []), ("a@sha256:" + "0" * 64, []), ("fine", ["RUN true"]), ("fine", ["EXPOSE x"])):
        with pytest.raises(InvalidArgument):
            await engine.containers.commit(ident, reference=reference, changes=changes)
    assert [image.repo_tags for image in await engine.images.list()] == [["busybox:latest"]]
    with pytest.raises(NotFound):
        await engine.containers.commit("nobody")
    assert (await engine.containers.inspect(ident)).state.status == "running"


async def test_what_ends_meanwhile_is_committed(engine: Engine, busybox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ident = await _container(engine, "touch /made; sleep 60")
    await _until(engine, ident, "/made")
    request = Parts.request

    async def ends_first(parts: Parts, record: ContainerRecord, asked: control.Request) -> None:
        if isinstance(asked, control.Freeze):
            await engine.containers.kill(ident)
        await request(parts, record, asked)

    monkeypatch.setattr(Parts, "request", ends_first)
    image = await engine.containers.commit(ident, reference="ended")
    assert (await engine.images.inspect("ended")).id == image
    assert [change.path async for change in engine.images.layer_files("ended", layer=1)] == ["made"]


async def test_commit_without_a_change(engine: Engine, busybox: str) -> None:
    """Not a layer more; what the caller's configuration has wins."""
    ident = (await engine.containers.create(ContainerCreate(image="busybox", cmd=["true"]))).id
    made = await engine.containers.commit(ident, config=ContainerConfig(entrypoint=["echo"], cmd=["hi"]))
    before, after = await engine.images.inspect("busybox"), await engine.images.inspect(made)
    assert after.root_fs.layers == before.root_fs.layers
    assert await engine.containers.run(made, remove=True) == b"hi\n"


async def test_committed_image_for_a_peer(engine: Engine, busybox: str, cli: Cli, tmp_path: Path) -> None:
    """From the command line; the stored manifest and blobs are those of the OCI image specification."""
    ident = await _container(engine, "echo more > /more; sleep 60")
    await _until(engine, ident, "/more")
    printed = cli("commit", "-m", "note", "--pause=false", "-c", "USER 7", ident, "mine").stdout.strip()
    shown = json.loads(cli("image", "inspect", "mine").stdout)[0]
    assert (shown["Id"], shown["Config"]["User"]) == (printed, "7")
    assert cli("run", "--rm", "--network", "none", "mine", "cat", "/more").stdout == "more\n"
