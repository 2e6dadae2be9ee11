"""Caches that buildx 0.29 has us write and read, and images in OCI layouts as build contexts: stores of blobs that the client offers."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import plug_ins
from buildkit.recorded import builds, caches
from moby_tui.engine.engine import Engine
from servers.registry import running

TEXT = "FROM busybox AS a\nRUN cat /proc/sys/kernel/random/uuid >/r\nFROM busybox\nCOPY --from=a /r /c\nRUN cat /c\n"


class Project:
    """A folder with a Dockerfile, built over ``socket``."""

    def __init__(self, engine: Engine, socket: Path, folder: Path) -> None:
        self.engine, self.socket, self.folder = engine, socket, folder
        (folder / "context").mkdir()
        self.write(TEXT)

    def write(self, text: str) -> None:
        (self.folder / "context/Dockerfile").write_text(text)

    async def build(self, *words: str, fails: bool = False) -> str:
        """What buildx says of the build."""
        command = ("buildx", "build", "--progress", "plain", "--network", "none", *words, str(self.folder / "context"))
        done = await asyncio.to_thread(builds.docker, self.socket, *command)
        text = done.stderr.decode()
        assert bool(done.returncode) == fails, text
        return text

    async def forget(self) -> None:
        """The engine loses all that the build has made."""
        await self.engine.images.prune(filters={"dangling": ["false"]})
        await self.engine.builder.prune(all=True)
        await asyncio.to_thread(builds.docker, self.socket, "load", "-i", str(self.folder / "busybox.tar"))


@pytest.fixture
async def project(engine: Engine, socket: Path, tmp_path: Path) -> Project:
    plug_ins.require_plug_ins("buildx")
    project = Project(engine, socket, tmp_path)
    await asyncio.to_thread(builds.docker, socket, "save", "-o", str(tmp_path / "busybox.tar"), "busybox")
    return project


def _blobs(layout: Path) -> set[str]:
    return {place.name for place in (layout / "blobs/sha256").iterdir()}


def _cached(text: str) -> int:
    return len(re.findall(r"^#\d+ CACHED$", text, re.MULTILINE))


async def test_a_cache_in_a_folder(project: Project) -> None:
    whole, last = project.folder / "whole", project.folder / "last"
    await project.build("--cache-to", f"type=local,dest={whole},mode=max", "--cache-to", f"type=local,dest={last}")
    index = json.loads((whole / "index.json").read_text())
    assert [each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]] == ["latest"]
    # the same again writes no blob
    before = {place: place.stat().st_ino for place in (whole / "blobs/sha256").iterdir()}
    await project.build("--cache-to", f"type=local,dest={whole},mode=max")
    assert {place: place.stat().st_ino for place in before} == before

    await project.forget()
    assert _cached(await project.build("--cache-from", f"type=local,src={whole}")) == 3
    await project.forget()
    # it has no layer of the other stage, which is made anew; what was copied from it is known by its step, as with BuildKit
    text = await project.build("--cache-from", f"type=local,src={last}")
    assert _cached(text) == 2

    await project.forget()
    for place in (whole / "blobs/sha256").iterdir():
        if place.read_bytes()[:2] == b"\x1f\x8b":
            place.chmod(0o600)
            place.write_bytes(place.read_bytes() + b"damaged")
    assert _cached(await project.build("--cache-from", f"type=local,src={whole}")) == 0


async def test_caches_that_dockerd_wrote(project: Project) -> None:
    recorded = json.loads(caches.RECORDED.read_text())
    caches.base(project.folder / "base.tar")
    await asyncio.to_thread(builds.docker, project.socket, "load", "-i", str(project.folder / "base.tar"))
    for case in caches.CASES:
        cache = project.folder / case.name
        caches.lay_out(recorded[case.name], cache)
        caches.context(project.folder / "context", case.dockerfile)
        written = project.folder / f"{case.name} of ours"
        words = (*case.words, "--cache-from", f"type=local,src={cache}", "--iidfile", str(project.folder / "id"))
        text = await project.build(*words, "--cache-to", f"type=local,dest={written},mode=max")
        assert _cached(text) == case.cached, text
        made = project.engine.images.resolve((project.folder / "id").read_text())
        assert made.config.rootfs.diff_ids == recorded[case.name]["layers"], text
        assert _is_linked(_listed(cache), _listed(written))
    forms = recorded[caches.FORMS]
    [case] = (case for case in caches.CASES if case.name == caches.FORMS)
    caches.context(project.folder / "context", case.dockerfile)
    caches.lay_out(forms, project.folder / "indexed", "indexed")
    assert _cached(await project.build("--cache-from", f"type=local,src={project.folder}/indexed")) == case.cached
    caches.lay_out(forms, project.folder / "inline", "inline")
    archive = shutil.make_archive(str(project.folder / "inline"), "tar", project.folder / "inline")
    await asyncio.to_thread(builds.docker, project.socket, "load", "-i", archive)
    # it has not the steps of the stage that is only copied from, nor a layer that fits on what they make anew
    assert _cached(await project.build("--cache-from", caches.INLINE)) >= 4
    # another mode, another value, a damaged layer: another step
    caches.context(project.folder / "context", caches.CASES[0].dockerfile)
    (project.folder / "context/a").chmod(0o600)
    assert _cached(await project.build("--cache-from", f"type=local,src={project.folder}/steps")) == 2
    caches.context(project.folder / "context", caches.CASES[-1].dockerfile)
    cache = project.folder / caches.CASES[-1].name
    assert _cached(await project.build("--build-arg", "Y=no", "--cache-from", f"type=local,src={cache}")) == 0
    for place in (cache / "blobs/sha256").iterdir():
        if place.read_bytes()[:2] == b"\x1f\x8b":
            place.write_bytes(place.read_bytes() + b"damaged")
    await project.forget()
    await asyncio.to_thread(builds.docker, project.socket, "load", "-i", str(project.folder / "base.tar"))
    assert _cached(await project.build(*caches.CASES[-1].words, "--cache-from", f"type=local,src={cache}")) == 0


def _listed(layout: Path) -> dict[str, Any]:
    """The list of a cache in a folder."""
    [described] = json.loads((layout / "index.json").read_text())["manifests"]
    manifest = json.loads((layout / "blobs" / described["digest"].replace(":", "/")).read_text())
    listed: dict[str, Any] = json.loads((layout / "blobs" / manifest["config"]["digest"].replace(":", "/")).read_text())
    return listed


def _is_linked(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """True if each step of theirs that has a layer is one of ours, and can be reached in ours by one of its links for each input.

    The copy of ``COPY --link``, without what it is linked on, has no layer in ours.
    """

    def steps(listed: dict[str, Any], *, with_layers: bool) -> list[tuple[str, list[set[tuple[str, str]]]]]:
        records = listed["records"]
        return [
            (
                record["digest"],
                [{(link.get("selector", ""), records[link["link"]]["digest"]) for link in links} for links in record["inputs"]],
            )
            for record in records
            if record.get("layers" if with_layers else "inputs")
        ]

    here = steps(ours, with_layers=False)
    return all(
        any(digest == mine and len(inputs) == len(those) and not any(map(set.isdisjoint, those, inputs)) for mine, those in here)
        for digest, inputs in steps(theirs, with_layers=True)
    )


async def test_caches_in_a_registry_and_in_an_image(project: Project) -> None:
    with running(project.folder / "registry") as registry:
        name = f"{registry.address}/cache"
        await project.build("--cache-to", f"type=registry,ref={name}:max,mode=max")
        await project.forget()
        assert _cached(await project.build("--cache-from", f"type=registry,ref={name}:max")) == 3
        await project.build("--cache-to", "type=inline", "-t", f"{name}:image", "--push")
        await project.forget()
        project.write(TEXT.partition("FROM busybox\n")[0] + "FROM a\nRUN cat /r\n")
        await project.build("--cache-to", "type=inline", "-t", f"{name}:image", "--push")
        await project.forget()
        assert _cached(await project.build("--cache-from", f"{name}:image")) == 2


async def test_an_image_in_a_layout_is_a_build_context(project: Project) -> None:
    layout = project.folder / "layout"
    layout.mkdir()
    await project.build("-o", f"type=oci,dest={layout}.tar", "-t", "example.test/i:tag")
    shutil.unpack_archive(f"{layout}.tar", layout)
    project.write("FROM lay\nCOPY --from=lay /c /again\nRUN cat /c /again\n")
    index = json.loads((layout / "index.json").read_text())
    [described] = index["manifests"]
    described["annotations"] = {"org.opencontainers.image.ref.name": "tag"}
    (layout / "index.json").write_text(json.dumps(index))
    text = await project.build("--build-context", f"lay=oci-layout://{layout}:tag")
    assert f"[context lay] oci-layout://lay@{described['digest']}" in text

    manifest = json.loads((layout / "blobs" / described["digest"].replace(":", "/")).read_text())
    layer = layout / "blobs" / manifest["layers"][-1]["digest"].replace(":", "/")
    data = layer.read_bytes()
    for wrong, reason in ((data[:-1] + b"x", "it has another digest"), (data + b"x", "has more than")):
        layer.chmod(0o600)
        layer.write_bytes(wrong)
        await project.forget()
        text = await project.build("--build-context", f"lay=oci-layout://{layout}:tag", fails=True)
        assert reason in text
