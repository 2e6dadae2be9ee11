"""Where a result goes: the store, a registry, archives and folders; for one platform or several; the same on any day."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from build.building import Build, another, build, run
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError
from moby_tui.schema.build import Annotation, Output, Packing
from moby_tui.schema.container import HostConfig, Ulimit
from servers.registry import Registry

pytestmark = pytest.mark.usefixtures("busybox")
Cli = Callable[..., subprocess.CompletedProcess[str]]
FILES_TEXT = """
FROM busybox AS made
RUN mkdir -p /out/d && echo x > /out/d/f && chmod 751 /out/d && chmod 4755 /out/d/f && chown -R 7:7 /out && ln -s /etc/abs /out/link \\
    && ln /out/d/f /out/hard && mknod /out/pipe p && touch -d "2001-02-03 04:05:06" /out/d/f /out/d
FROM scratch
COPY --from=made /out /
"""


async def output(engine: Engine, text: str, kind: str | Output, files: dict[str, bytes] | None = None, **options: Any) -> bytes:
    out = b""
    asked = kind if isinstance(kind, Output) else Output(kind=kind)
    async for line in Build(engine, text, files or {"f": b"1"}, outputs=[asked], **options).lines():
        out += line.output or b""
    return out


def test_a_folder_of_the_caller(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = FILES_TEXT.replace("&& mknod /out/pipe p ", "")
    cli("build", "-o", str(out), "-", input=text)
    assert sorted(os.listdir(out)) == ["d", "hard", "link"]
    status = (out / "d/f").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode), int(status.st_mtime)) == (0, 0o755, 981173106)
    assert int((out / "d").stat().st_mtime) == 981173106
    assert os.readlink(out / "link") == "/etc/abs"
    assert cli("images", "-q").stdout.count("\n") == 1, "nothing but the base is in the store"
    with (tmp_path / "out.tar").open("wb") as packed:
        cli("build", "-o", "-", "-", input=text, stdout=packed, capture_output=False)
    with tarfile.open(tmp_path / "out.tar") as archive:
        assert "d/f" in archive.getnames()
    cli("build", "-o", str(tmp_path / "whole"), "--target", "made", "-", input=text)
    assert (tmp_path / "whole/out/hard").samefile(tmp_path / "whole/out/d/f")
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap/d").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    failed = cli("build", "-o", str(tmp_path / "trap"), "-", input=text, check=False)
    assert os.listdir(tmp_path / "elsewhere") == [], failed.stderr


async def test_archives(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path) -> None:
    text = "FROM busybox\nCOPY f /f\nCMD cat /f\n"
    packed = await output(engine, text, "docker", tags=["app:1"])
    assert len(await engine.images.list()) == 1
    async with another(roots, busybox_archive) as second:

        async def pieces() -> AsyncIterator[bytes]:
            yield packed

        async for _ in second.images.load(pieces()):
            pass
        assert await run(second, "app:1") == (0, "1")
    with tarfile.open(fileobj=io.BytesIO(await output(engine, text, "oci", tags=["app:1"]))) as archive:
        index = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
    assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "1"
    with tarfile.open(fileobj=io.BytesIO(await output(engine, "FROM scratch\nCOPY f /x/\n", "tar"))) as archive:
        assert [member.name for member in archive] == ["x", "x/f"]


async def test_several_platforms(engine: Engine, registry: Registry) -> None:
    text = "FROM --platform=$BUILDPLATFORM busybox AS make\nARG TARGETARCH\nRUN echo $TARGETARCH > /a\nFROM scratch\nCOPY --from=make /a /\n"
    platforms = ["linux/amd64", "linux/arm64"]
    with tarfile.open(fileobj=io.BytesIO(await output(engine, text, "oci", platforms=platforms))) as archive:

        def blob(descriptor: dict[str, str]) -> Any:
            return json.load(archive.extractfile("blobs/" + descriptor["digest"].replace(":", "/")))  # type: ignore[arg-type]

        top = json.load(archive.extractfile("index.json"))  # type: ignore[arg-type]
        index = blob(top["manifests"][0])
        assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
        assert blob(blob(index["manifests"][1])["config"])["architecture"] == "arm64"
    name = f"{registry.address}/many:1"
    await build(engine, text, platforms=platforms, tags=[name], outputs=[Output(kind="registry")])
    answer = registry.request("GET", "/v2/many/manifests/1", headers={"Accept": "application/vnd.oci.image.index.v1+json"})
    assert len(json.loads(answer.content)["manifests"]) == 2  # type: ignore[attr-defined]
    # the far platform's base is pulled by itself, and the name here stays what it is
    await build(engine, "FROM busybox\nCMD mine\n", tags=[name])
    mine = (await engine.images.inspect(name)).id
    await build(engine, f"FROM {name}\nENV a=b\n", platforms=["linux/arm64"], tags=["far"])
    assert (await engine.images.inspect("far")).architecture == "arm64"
    assert (await engine.images.inspect(name)).id == mine
    done = await build(engine, text, platforms=["linux/arm64", "linux/amd64"], tags=["both"])
    assert (await engine.images.inspect("both")).id == done.id
    assert (await engine.images.inspect("both")).architecture == "amd64"
    assert (await engine.images.inspect("both", platform="linux/arm64")).architecture == "arm64"
    with pytest.raises(InvalidArgument, match="docker exporter does not currently support exporting manifest lists"):
        await output(engine, text, "docker", platforms=platforms)
    with pytest.raises(InvalidArgument, match="privileged is nothing that a RUN step can be given"):
        await build(engine, text, host=HostConfig(privileged=True))
    with pytest.raises(InvalidArgument, match="cannot parse platform specifier"):
        await build(engine, text, platforms=["a/b/c/d"])


async def test_files_of_several_platforms_are_apart(engine: Engine) -> None:
    text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /of\n"
    files = {"amd64": b"1", "s390x": b"2"}
    packed = await output(engine, text, "tar", files=files, platforms=["linux/s390x", "linux/amd64"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = {member.name: archive.extractfile(member) for member in archive}
        assert {name: data.read() for name, data in found.items() if data} == {"linux_amd64/of": b"1", "linux_s390x/of": b"2"}


@pytest.mark.parametrize(
    ("compression", "head"), [("uncompressed", b"f\0"), ("zstd", b"\x28\xb5\x2f\xfd"), ("gzip", b"\x1f\x8b")]
)
async def test_layers_are_packed_as_the_output_wants_them(engine: Engine, compression: str, head: bytes) -> None:
    """Those of the base image stay as they are unless all are asked for."""
    for force in (False, True):
        packing = Packing(compression=compression, level=1, force=force, docker_types=True)
        notes = (Annotation("a", "b", "manifest-descriptor"), Annotation("c", "d", "manifest", "linux/s390x"))
        asked = Output(kind="oci", packing=packing, annotations=notes)
        packed = await output(engine, "FROM busybox\nCOPY f /f\n", asked)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            blobs = {member.name: data.read() for member in archive if (data := archive.extractfile(member))}
        [top] = json.loads(blobs["index.json"])["manifests"]
        assert top["annotations"]["a"] == "b" and top["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
        manifest = json.loads(blobs["blobs/" + top["digest"].replace(":", "/")])
        base, own = (blobs["blobs/" + layer["digest"].replace(":", "/")] for layer in manifest["layers"])
        assert own.startswith(head) and "annotations" not in manifest
        assert (base[: len(head)] == head) == (force and compression != "uncompressed")


async def test_a_run_step_for_another_machine_says_so(engine: Engine) -> None:
    foreign = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)
    with pytest.raises(MobyError, match="a RUN step for linux/arm64 cannot run on this machine: register an emulator"):
        await build(engine, "FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN true\n", {"sh": foreign}, platforms=["linux/arm64"])


async def test_equal_builds_are_equal_anywhere(engine: Engine, roots: tuple[Path, Path], busybox_archive: Path) -> None:
    text = "FROM busybox\nWORKDIR /w\nCOPY f .\nRUN mkdir d; echo x > d/y; ln d/y d/z; ln -s y d/l\nLABEL a=b\n"
    options = {"build_args": {"SOURCE_DATE_EPOCH": "1700000000"}, "labels": {"c": "d"}, "tags": ["t"]}
    digests = []
    async with another(roots, busybox_archive) as second:
        for one in (engine, second):
            await build(one, text, {"f": b"1"}, **options)
            digests.append((await one.images.inspect("t")).repo_digests or one.images.record("t").manifest)
            created = (await one.images.inspect("t")).created
    assert digests[0] == digests[1]
    assert created == "2023-11-14T22:13:20Z"
    assert (await run(engine, "t", ["stat", "-c", "%Y", "/w/d/y", "/w/d", "/w"])) == (0, "1700000000\n" * 3)
    plain = await build(engine, text, {"f": b"1"})
    assert "Using cache" not in plain.text, "what has its own times is not what has others"
    with pytest.raises(InvalidArgument, match="SOURCE_DATE_EPOCH"):
        await build(engine, text, {"f": b"1"}, build_args={"SOURCE_DATE_EPOCH": "yesterday"})


async def test_what_steps_are_given(engine: Engine) -> None:
    host = HostConfig(
        extra_hosts=["far:10.1.2.3"], shm_size=1 << 20, ulimits=[Ulimit(name="nofile", soft=64, hard=128)], network_mode="none"
    )
    text = "FROM busybox\nRUN grep far /etc/hosts > /h; df /dev/shm | tail -n1 > /s; ulimit -n > /u; ls /sys/class/net > /n\n"
    await build(engine, text, host=host, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cat /h /u /n; cut -c1-40 /s"])
    assert "10.1.2.3" in out and "\n64\n" in out and "eth0" not in out and " 1024 " in out
    again = await build(engine, text, tags=["t"])
    assert "Using cache" not in again.text, "another network makes another step"


async def test_steps_that_do_not_need_each_other_run_at_the_same_time(engine: Engine) -> None:
    meet = "until [ $(ls /c | wc -l) = 6 ]; do sleep 0.05; done"
    step = "RUN --mount=type=cache,target=/c,id=met touch"
    stages = "".join(f"FROM busybox AS s{number}\n{step} /c/{number}; {meet}\n" for number in range(6))
    copies = "".join(f"COPY --from=s{number} /bin/sh /{number}\n" for number in range(6))
    await build(engine, f"{stages}FROM busybox\n{copies}", {})


async def test_no_more_steps_at_a_time_than_asked_for(engine: Engine) -> None:
    stages = "".join(f"FROM busybox AS s{number}\nRUN echo begin; sleep 0.2; echo end\n" for number in range(4))
    copies = "".join(f"COPY --from=s{number} /bin/sh /{number}\n" for number in range(4))
    running, most = 0, 0
    async for line in Build(engine, f"{stages}FROM busybox\n{copies}", {}, jobs=1, live=True).lines():
        said = (line.stream or "").split()
        running += ("begin" in said) - ("end" in said)
        most = max(most, running)
    assert most == 1


def test_the_command_line(cli: Cli, tmp_path: Path, registry: Registry) -> None:
    name = f"{registry.address}/app:1"
    metadata, ident = tmp_path / "m", tmp_path / "i"
    text = "FROM busybox\nRUN echo said\n"
    done = cli("build", "-t", name, "--push", "--metadata-file", str(metadata), "--iidfile", str(ident), "-", input=text)
    assert "said" in done.stderr and done.stdout == ""
    told = json.loads(metadata.read_text())
    assert told["image.name"] == name
    assert told["containerimage.config.digest"] == ident.read_text()
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    answer = registry.request("GET", f"/v2/app/manifests/{told['containerimage.digest']}", headers=accept)
    assert answer.status == 200
    assert cli("build", "-q", "-", input=text).stdout.strip() == ident.read_text()
    raw = cli("build", "--progress", "rawjson", "-", input=text).stderr.splitlines()
    assert any("vertexes" in json.loads(line) for line in raw)
    cli("build", "--annotation", "a=b", "-t", "annotated", "-", input=text)
    for arguments, message in (
        (["--progress", "loud"], "invalid --progress"),
        (["-o", "type=what"], "unknown type 'what' of an output"),
        (["-o", "type=local"], "needs a folder"),
        (["--cache-to", "type=gha"], "invalid --cache-to"),
        (["--cache-from", "type=s3"], "invalid --cache-from"),
        (["--push"], "a tag is needed"),
        (["--debug"], "needs a terminal"),
        (["--platform", "plan9"], ""),
    ):
        failed = cli("build", *arguments, "-", input=text, check=False)
        assert failed.returncode != 0 and message in failed.stderr, (arguments, failed.stderr)
