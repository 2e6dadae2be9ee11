"""Provenance that buildx 0.29 asks us for, beside what dockerd 28.5 makes of the same."""

from __future__ import annotations

import asyncio
import json
import platform
import socket as sockets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import plug_ins
from bench.image import ARCHITECTURES
from buildkit.recorded import builds, provenance
from moby_tui.engine.resources.builder.results.provenance import Story, state
from moby_tui.engine.resources.builder.sources.bases import Material
from moby_tui.reference import parse
from moby_tui.schema import oci
from moby_tui.schema.build import BuildOptions, Provenance
from servers.registry import running


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the socket of an agent."""
    plug_ins.require_plug_ins("buildx")
    with sockets.socket(sockets.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        yield tmp_path


async def test_provenance_has_dockerds_shape(socket: Path, folder: Path) -> None:
    recorded: dict[str, Any] = json.loads(provenance.RECORDED.read_text().replace("amd64", ARCHITECTURES[platform.machine()]))
    for mode, expected in recorded.items():
        _, told, bodies = await asyncio.to_thread(provenance.build, socket, folder, mode)
        assert provenance.shape(told) == expected, mode
        assert b"secret word" not in bodies
        assert (b"value" in bodies) == (mode == "max")


async def test_provenance_travels_with_a_push(socket: Path, folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM busybox\nCOPY Dockerfile /\n")
    with running(folder / "registry") as registry:
        name = f"{registry.address}/a:1"
        command = ("buildx", "build", "-q", "--provenance", "mode=max", "-t", name, "--push", str(folder))
        assert (await asyncio.to_thread(builds.docker, socket, *command)).returncode == 0
        inspect = ("buildx", "imagetools", "inspect", name, "--format", "{{json .Provenance}}")
        done = await asyncio.to_thread(builds.docker, socket, *inspect)
        assert json.loads(done.stdout)["SLSA"]["invocation"]["parameters"]["frontend"] == "dockerfile.v0", done.stderr
        # a pull takes the image of the index
        await asyncio.to_thread(builds.docker, socket, "rmi", "-f", name)
        assert (await asyncio.to_thread(builds.docker, socket, "pull", name)).returncode == 0
    done = await asyncio.to_thread(builds.docker, socket, "buildx", "build", "--provenance", "mode=max", "-t", "x", str(folder))
    assert b"provenance of an image that is stored alone (use --push, or -o type=oci,dest=FILE)" in done.stderr


def test_addresses_are_told_without_passwords() -> None:
    address = "https://me:hush@git.test/a.git#main"
    asked = Provenance(frontend="dockerfile.v0", everything=True, vcs={"source": address, "revision": "abc"}, builder="b")
    options = BuildOptions(remote=address, tags=["a"], provenance=asked)
    image = oci.Descriptor(media_type=oci.MEDIA_MANIFEST, digest="sha256:" + "a" * 64, size=1)
    material = Material(parse("reg.test:5000/base:1"), oci.Platform(os="linux", architecture="arm", variant="v7"), image.digest)
    story = Story("id", b"FROM x", datetime(2026, 1, 1, tzinfo=UTC), [material])
    statement = state(image, [parse("a").tagged()], options, asked, story).body
    assert b"hush" not in statement
    predicate = json.loads(statement)["predicate"]
    assert predicate["invocation"]["configSource"] == {"uri": "https://git.test/a.git#main", "entryPoint": "Dockerfile"}
    [metadata] = (value for name, value in predicate["metadata"].items() if name.endswith("#metadata"))
    assert metadata["vcs"] == {"source": "https://git.test/a.git#main", "revision": "abc"}
    assert predicate["materials"][0]["uri"] == "pkg:docker/reg.test:5000/base@1?platform=linux%2Farm%2Fv7"
