"""Builds that buildx 0.29 asks us for, beside those that it asked dockerd 28.5.2 for: steps, output, errors, images, files."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any, cast

import plug_ins
from buildkit.recorded import builds
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

#: Fields of cases in which this engine means to answer otherwise, and why.
OTHERWISE = {
    ("a mount of no kind", "steps"): "values are read before the base image is looked for",
    ("a port out of range", "steps"): "the same",
    ("a signal that is none", "steps"): "the same",
    ("checks that fail the build", "steps"): "the checks come before the base image is looked for",
    ("the host's network without leave", "steps"): "what a step may do is looked at before the base image is looked for",
    ("the host's network without leave", "error"): "the same; and it says what to do",
    ("a stage of itself", "steps"): "a named context has its own name in FROM",
    ("a stage of itself", "error"): "another client of registries has other words",
    ("here-documents", "steps"): "a document is no step of its own",
    ("a document without an end", "error"): "the line that begins it is shown, and its end is named",
    ("three words after FROM", "error"): "it says how to write it",
    ("an agent that is required", "error"): "it says how to forward one",
    ("an empty Dockerfile", "error"): "there is no line to show",
    ("a NUL character", "status"): "dockerd fails when it asks the client for the file",
    ("a NUL character", "steps"): "the same",
    ("a NUL character", "error"): "the same",
    ("a Dockerfile that is a folder", "error"): "a path of the daemon's is not told",
    ("an ignore file that is a folder", "status"): "dockerd goes on and sends what was to be left out",
    ("an ignore file that is a folder", "steps"): "the same",
    ("an ignore file that is a folder", "error"): "the same",
    ("an ignore file that is a folder", "configuration"): "the same",
    ("an ignore file that is a folder", "files"): "the same",
    ("a wrong pattern in the ignore file", "error"): "the pattern is named",
    ("a mount on the root", "steps"): "values are read before the base image is looked for",
    ("variables without an end", "steps"): "a variable is read when its step begins",
    ("variables without an end", "error"): "it says how to write it",
    ("a base without a name", "steps"): "the base's name is read after the ignore file",
    ("mounts of a run", "steps"): "an image that is mounted has no step of its own",
}


async def test_every_build_is_dockerds(socket: Path, tmp_path: Path) -> None:
    plug_ins.require_plug_ins("buildx")
    recorded = json.loads(builds.RECORDED.read_text())
    answers = await asyncio.to_thread(builds.take, socket, tmp_path)
    if output := os.environ.get("MOBY_ANSWERS"):
        Path(output).write_text(json.dumps(answers, indent=1) + "\n")
    different = {
        f"{name}: {field}": {"dockerd": recorded[name].get(field), "moby": answer.get(field)}
        for name, answer in answers.items()
        for field in recorded[name].keys() | answer.keys()
        if (name, field) not in OTHERWISE and not _agree(recorded[name].get(field), answer.get(field))
    }
    assert different == {}
    assert answers.keys() == recorded.keys()


def _agree(theirs: Any, ours: Any) -> bool:
    """True if they are the same; our error may go on to say what to do."""
    if isinstance(theirs, list) and isinstance(ours, list) and theirs and ours and theirs[-1].startswith("ERROR: "):
        *lines, last = ours
        return lines == theirs[:-1] and (last == theirs[-1] or last.startswith(f"{theirs[-1]}; "))
    return bool(theirs == ours)


BAKE = r"""
group "default" {
  targets = ["app", "base"]
}
target "base" {
  dockerfile-inline = "FROM busybox\nRUN echo base >/base\n"
  network = "none"
  tags = ["bake-base"]
}
target "mid" {
  dockerfile-inline = "FROM base\nRUN echo mid >/mid\n"
  contexts = { base = "target:base" }
  network = "none"
  output = ["type=cacheonly"]
}
target "app" {
  dockerfile-inline = "FROM m\nCOPY --from=base /base /again\nCMD [\"cat\", \"/mid\", \"/base\", \"/again\"]\n"
  contexts = { m = "target:mid", base = "target:base" }
  tags = ["bake-app:1"]
}
"""


async def test_a_bake_file_whose_targets_need_each_other(socket: Path, engine: Engine, tmp_path: Path) -> None:
    plug_ins.require_plug_ins("buildx")
    (tmp_path / "docker-bake.hcl").write_text(BAKE)
    done = await asyncio.to_thread(builds.docker, socket, "buildx", "bake", "--progress", "plain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    images = {tag: image for image in await engine.images.list() for tag in image.repo_tags}
    assert {"bake-base:latest", "bake-app:1"} < images.keys()
    asked = ContainerCreate(image="bake-app:1", host_config=HostConfig(network_mode="none"))
    assert await engine.containers.run(asked) == b"mid\nbase\nbase\n"


async def test_a_bake_file_for_several_platforms(socket: Path, engine: Engine, tmp_path: Path) -> None:
    """buildx names the context of another target for each platform by itself."""
    plug_ins.require_plug_ins("buildx")
    (tmp_path / "docker-bake.hcl").write_text(r"""
target "default" {
  dockerfile-inline = "FROM scratch\nARG TARGETARCH\nCOPY --from=base /of /of\nCOPY --from=base /$TARGETARCH /own\n"
  contexts = { base = "target:base" }
  platforms = ["linux/amd64", "linux/arm64"]
  output = ["type=oci,dest=out.tar"]
}
target "base" {
  dockerfile-inline = "FROM scratch\nARG TARGETARCH\nCOPY <<E /of\nof $TARGETARCH\nE\nCOPY <<E /$TARGETARCH\nE\n"
  platforms = ["linux/amd64", "linux/arm64"]
}
""")
    done = await asyncio.to_thread(builds.docker, socket, "buildx", "bake", "--progress", "plain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    with tarfile.open(tmp_path / "out.tar") as archive:

        def blob(described: dict[str, Any]) -> Any:
            return archive.extractfile("blobs/" + described["digest"].replace(":", "/"))

        index = json.load(blob(json.load(cast(Any, archive.extractfile("index.json")))["manifests"][0]))
        found = {}
        for described in index["manifests"]:
            layer = json.load(blob(described))["layers"][0]
            with tarfile.open(fileobj=blob(layer)) as files:
                found[described["platform"]["architecture"]] = cast(Any, files.extractfile("of")).read()
    assert found == {"amd64": b"of amd64\n", "arm64": b"of arm64\n"}


async def test_compose_builds_its_services(socket: Path, engine: Engine, tmp_path: Path) -> None:
    plug_ins.require_plug_ins("buildx", "compose")
    (tmp_path / "secret").write_text("hush")
    (tmp_path / "compose.yaml").write_text("""
name: shop
services:
  web:
    build: {context: ., network: none, args: {A: b}, secrets: [s], dockerfile_inline: "FROM busybox\\nARG A\\nENV A=$$A\\nRUN --mount=type=secret,id=s cat /run/secrets/s >/kept\\n"}
    image: compose-web
  other:
    build: {context: ., target: one, dockerfile_inline: "FROM scratch AS one\\nCOPY secret /copied\\nFROM scratch\\n"}
secrets: {s: {file: secret}}
""")  # noqa: E501
    environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    done = await asyncio.to_thread(
        subprocess.run,
        ["docker", "compose", "--progress", "plain", "build"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    web = await engine.images.inspect("compose-web")
    assert "A=b" in (web.config.env or ())
    asked = ContainerCreate(image="compose-web", cmd=["cat", "/kept"], host_config=HostConfig(network_mode="none"))
    assert await engine.containers.run(asked) == b"hush"
    assert len((await engine.images.inspect("shop-other")).root_fs.layers) == 1
