"""``moby manifest`` beside docker's: the same files, the same documents, the same bytes in the registry."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Raw

import plug_ins
from moby_tui.api.client.connect import connect
from moby_tui.api.server.serve import serving
from moby_tui.cli.manifests import document
from moby_tui.cli.manifests.entry import Entry
from moby_tui.cli.manifests.store import Store
from moby_tui.engine.engine import Engine
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.image import ManifestUpload
from servers.registry import CONFIG, INDEX, MANIFEST, Registry, running

Cli = Callable[..., subprocess.CompletedProcess[str]]
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
LISTS = {"Accept": f"{INDEX}, application/vnd.docker.distribution.manifest.list.v2+json"}


def _push(registry: Registry, name: str, tag: str, *, kind: str = MANIFEST, **platform: Any) -> str:
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": []}, **platform}).encode()
    blob = {"digest": registry.push_blob(name, config), "size": len(config)}
    layer = {"mediaType": "application/octet-stream", "digest": registry.push_blob(name, tag.encode()), "size": len(tag)}
    described = {"mediaType": CONFIG if kind == MANIFEST else DOCKER_CONFIG, **blob}
    # json.dumps writes it with \u00e9: how a text is written must survive
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": described, "layers": [layer], "annotations": {"by": "<é>"}}
    return registry.push_manifest(name, tag, manifest, kind)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running(tmp_path / "registry") as server:
        _push(server, "box", "arm", architecture="arm", os="linux", variant="v7", **{"os.version": "1"})
        _push(server, "box", "old", kind=DOCKER_MANIFEST, architecture="amd64", os="linux")
        yield server


@pytest.fixture
def sides(cli: Cli, tmp_path: Path) -> SimpleNamespace:
    """Both command lines, each with a configuration folder of its own."""
    plug_ins.require("docker")

    def docker(*arguments: str, check: bool = True, folder: str = "docker") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["docker", "--config", str(tmp_path / folder), "manifest", *arguments], capture_output=True, text=True, env=os.environ
        )
        assert done.returncode == 0 or not check, done.stderr
        return done

    def moby(*arguments: str, check: bool = True, folder: str = "moby") -> subprocess.CompletedProcess[str]:
        return cli("--config", str(tmp_path / folder), "manifest", *arguments, check=check)

    return SimpleNamespace(docker=docker, moby=moby, folder=tmp_path)


def test_a_list_is_the_one_that_docker_makes(registry: Registry, sides: SimpleNamespace) -> None:
    at = registry.address
    pushed = {}
    for name in ("docker", "moby"):
        run = getattr(sides, name)
        target = f"{at}/list:1"
        made = run("create", "--insecure", target, f"{at}/box:arm", f"{at}/box:old").stdout
        assert made == f"Created manifest list {target}\n"
        run("annotate", "--os-features", "b,c", "--variant", "v<8", target, f"{at}/box:arm")
        shown = [run("inspect", *words).stdout for words in ((target,), ("-v", target), (target, f"{at}/box:arm"))]
        said = run("push", "--purge", "--insecure", target).stdout
        there = registry.request("GET", "/v2/list/manifests/1", headers=LISTS)
        pushed[name] = (*shown, said, there.headers["Content-Type"], there.content)  # type: ignore[attr-defined]
        assert list((sides.folder / name / "manifests").iterdir()) == []
        registry.request("DELETE", f"/v2/list/manifests/{there.headers['Docker-Content-Digest']}")
    assert pushed["moby"] == pushed["docker"]
    assert '"variant": "v\\u003c8"' in pushed["moby"][0] and INDEX in pushed["moby"]


def test_what_a_registry_has_is_shown_as_docker_shows_it(registry: Registry, sides: SimpleNamespace) -> None:
    at = registry.address
    sides.moby("create", f"{at}/box:list", f"{at}/box:old")
    sides.moby("push", f"{at}/box:list")
    for words in ((f"{at}/box:list",), ("-v", f"{at}/box:list"), (f"{at}/box:arm",), ("-v", f"{at}/box:arm")):
        # from the registry: the folder has no list
        seen = sides.moby("inspect", *words, folder="empty").stdout
        assert seen == sides.docker("inspect", "--insecure", *words, folder="empty").stdout
    assert registry.request("GET", "/v2/box/manifests/list", headers=LISTS).headers["Content-Type"] == oci.DOCKER_INDEX


def test_docker_goes_on_with_moby_s_list_and_the_reverse(registry: Registry, sides: SimpleNamespace) -> None:
    at = registry.address
    sides.moby("create", f"{at}/list:2", f"{at}/box:arm", folder="docker")
    sides.docker("annotate", "--variant", "v6", f"{at}/list:2", f"{at}/box:arm")
    sides.docker("create", "--insecure", "--amend", f"{at}/list:2", f"{at}/box:old")
    seen = sides.moby("inspect", f"{at}/list:2", folder="docker").stdout
    assert '"variant": "v6"' in seen and seen == sides.docker("inspect", f"{at}/list:2").stdout
    sides.moby("rm", f"{at}/list:2", folder="docker")
    assert sides.docker("inspect", f"{at}/list:2", f"{at}/box:arm", check=False).returncode == 1


def test_refusals_are_docker_s(registry: Registry, sides: SimpleNamespace) -> None:
    at = registry.address
    for run, insecure in ((sides.docker, ["--insecure"]), (sides.moby, [])):
        run("create", *insecure, "list:3", f"{at}/box:arm")
    _push(registry, "box", "bare")
    sides.moby("create", f"{at}/box:all", f"{at}/box:old")
    sides.moby("push", "-p", f"{at}/box:all")
    cases: list[tuple[str, ...]] = [
        ("create", "list:3", f"{at}/box:old"),
        ("create", "--insecure", f"{at}/list:6", f"{at}/box:arm", f"{at}/box:none"),
        ("create", "--insecure", f"{at}/list:4", f"{at}/box:all"),
        ("create", f"{at}/list:4", f"{at}/BOX"),
        ("annotate", "list:3", f"{at}/box:none", "--arch", "arm"),
        ("inspect", "list:3", f"{at}/box:none"),
        ("push", "list:3"),
        ("push", f"{at}/list:none"),
        ("rm", f"{at}/list:none"),
    ]
    for words in cases:
        expected, answer = sides.docker(*words, check=False), sides.moby(*words, check=False)
        assert (answer.returncode, answer.stderr) == (expected.returncode, f"moby: {expected.stderr}"), words
    assert [list.name for list in (sides.folder / "moby/manifests").iterdir()] == ["docker.io_library_list-3"]
    unknown = sides.moby("annotate", "list:3", f"{at}/box:arm", "--arch", "foo", check=False).stderr
    assert unknown == "moby: manifest entry for image has unsupported os/arch combination: linux/foo\n"
    sides.moby("create", f"{at}/list:5", f"{at}/box:bare")
    assert "must have an OS and Architecture" in sides.moby("push", f"{at}/list:5", check=False).stderr


async def test_an_engine_elsewhere_reads_and_writes_manifests(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/moby.sock"
    async with serving(engine, [address]), connect(address) as client:
        box, target = f"{registry.address}/box:arm", f"{registry.address}/other"
        found = await client.registry.manifest(box)
        assert found.descriptor.platform == oci.Platform(architecture="arm", os="linux", variant="v7", os_version="1")
        digest = found.descriptor.digest
        upload = ManifestUpload(media_type=MANIFEST, content=found.content, source="box")
        assert (await client.registry.put_manifest(f"{target}@{digest}", upload)).digest == digest
        assert (await client.registry.manifest(f"{target}@{digest}")).content == found.content
        with pytest.raises(InvalidArgument, match="has another digest"):
            await client.registry.put_manifest(f"{target}@sha256:{'0' * 64}", upload)
        with pytest.raises(NotFound, match="error mounting"):
            upload.source = "nowhere"
            await client.registry.put_manifest(f"{registry.address}/third:1", upload)
        with pytest.raises(InvalidArgument, match="is not JSON"):
            await client.registry.put_manifest(target, ManifestUpload(media_type=MANIFEST, content=b"?"))


async def test_an_engine_that_is_not_moby_is_named(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            ping = b"/_ping" in request
            body = b"OK" if ping else b'{"message":"page not found"}'
            head = f"HTTP/1.1 {200 if ping else 404} X\r\nAPI-Version: 1.51\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "other.sock")
    async with server, connect(f"unix://{tmp_path}/other.sock") as client:
        with pytest.raises(MobyError, match="needs moby at the other end"):
            await client.registry.manifest("reg.example/a:1")


def test_the_local_files(tmp_path: Path) -> None:
    store, target = Store(tmp_path), parse("reg.example/list:1")
    descriptor = oci.Descriptor(media_type=MANIFEST, digest="sha256:" + "0" * 64, size=2)
    store.save(target, Entry(ref="reg.example/a_b:1", descriptor=descriptor, raw=b"{}"))
    with pytest.raises(NotFound, match=r"No such manifest: reg\.example/a/b:1"):
        store.get(target, parse("reg.example/a/b:1"))
    with pytest.raises(Conflict, match=r"is taken by reg\.example/a_b:1"):
        store.save(target, Entry(ref="reg.example/a/b:1", descriptor=descriptor))
    [file] = (tmp_path / "manifests/reg.example_list-1").iterdir()
    file.write_bytes(b"{")
    with pytest.raises(MobyError, match="create it anew"):
        store.entries(target)
    with pytest.raises(MobyError, match="file name too long"):
        store.save(parse("reg.example/" + "a" * 250), Entry(ref="reg.example/a:1", descriptor=descriptor))
    store.remove(target)
    assert not store.has(target) and [*(tmp_path / "manifests").iterdir()] == []


def test_what_a_registry_sends_does_not_obey_the_terminal() -> None:
    descriptor = oci.Descriptor(media_type=MANIFEST, digest="sha256:" + "0" * 64, size=2)
    entry = Entry(
        ref="reg.example/a:1", descriptor=descriptor, oci_manifest=Raw('{"a":"\x9b31m é 1.50","n":1.50,"e":{}}'.encode())
    )
    assert document.shown(entry) == '{\n\t"a": "\\u009b31m é 1.50",\n\t"n": 1.50,\n\t"e": {}\n}'
