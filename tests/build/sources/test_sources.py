"""What a build is made from: repositories, the net, standard input, folders elsewhere, named contexts."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from build.building import Build, build, context, pieces, run
from build.sources.repository import repository, served
from moby_tui import sync
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError, NotFound
from moby_tui.schema.build import BuildOptions

pytestmark = pytest.mark.usefixtures("busybox")
Cli = Callable[..., subprocess.CompletedProcess[str]]
PRINT = "FROM busybox\nCOPY said /\nCMD cat /said\n"


async def fetched(engine: Engine, remote: str, **options: object) -> None:
    async for _ in engine.builder.build(None, BuildOptions(remote=remote, tags=["t"], **options)):  # type: ignore[arg-type]
        pass


async def test_a_repository(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "repositories"
    files = {"Dockerfile": b"FROM nothing", "sub/Dockerfile": PRINT.encode(), "sub/said": b"one\n", "sub/.dockerignore": b"no\n"}
    repository(folder / "p", {**files, "sub/no": b""}, tag="v1")
    repository(folder / "p", {"sub/said": b"two\n"})
    with served(folder) as address:
        await fetched(engine, f"{address}/p/.git#v1:sub")
        assert await run(engine, "t") == (0, "one\n")
        await fetched(engine, f"{address}/p/.git#:sub")
        assert await run(engine, "t") == (0, "two\n")
        with pytest.raises(InvalidArgument, match="has no ref"):
            await fetched(engine, f"{address}/p/.git#v9")
    assert os.listdir(engine.paths.staging) == []


async def test_a_tar_and_a_dockerfile_behind_http(engine: Engine, web: tuple[str, Path]) -> None:
    address, folder = web
    (folder / "c.tar.gz").write_bytes(gzip.compress(context(PRINT, {"said": b"sent\n"})))
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo alone > /said\nCMD cat /said\n")
    await fetched(engine, f"{address}/c.tar.gz")
    assert await run(engine, "t") == (0, "sent\n")
    await fetched(engine, f"{address}/Dockerfile")
    assert await run(engine, "t") == (0, "alone\n")
    with pytest.raises(NotFound, match="404"):
        await fetched(engine, f"{address}/none")
    for wrong in ("file:///etc/passwd", "/etc", "ext::sh", "ftp://x/y"):
        with pytest.raises(InvalidArgument, match="neither a repository nor an http"):
            await fetched(engine, wrong)


async def test_named_contexts(engine: Engine, web: tuple[str, Path]) -> None:
    address, folder = web
    (folder / "n.tar").write_bytes(context("", {"f": b"net\n"}))
    await build(engine, "FROM busybox\nRUN echo replaced > /which\n", tags=["other:1"])
    text = """
    FROM alpine:3 AS base
    FROM nowhere.invalid/image AS never
    FROM base
    COPY --from=folder f /folder
    COPY --from=net f /net
    COPY --from=never /which /stage
    RUN --mount=type=bind,from=folder,target=/m cat /m/f > /mounted
    """
    ignored = context("", {"f": b"local\n", ".dockerignore": b"hidden\n", "hidden": b""})
    options = {
        "contexts": {
            "folder": "upload",
            "net": f"{address}/n.tar",
            "docker.io/library/alpine:3": "docker-image://other:1",
            "never": "docker-image://other:1",
        },
        "tags": ["t"],
    }
    await build(engine, text, uploads={"folder": pieces(ignored)}, **options)
    assert await run(engine, "t", ["cat", "/which", "/folder", "/net", "/stage", "/mounted"]) == (
        0,
        "replaced\nlocal\nnet\nreplaced\nlocal\n",
    )
    with pytest.raises(InvalidArgument, match=r"file not found.*hidden"):
        await build(
            engine,
            "FROM busybox\nCOPY --from=folder hidden /\n",
            uploads={"folder": pieces(ignored)},
            contexts={"folder": "upload"},
        )
    with pytest.raises(InvalidArgument, match="is files and no image"):
        await build(engine, "FROM folder\n", uploads={"folder": pieces(ignored)}, contexts={"folder": "upload"})
    with pytest.raises(InvalidArgument, match="was not sent"):
        await build(engine, "FROM busybox\n", contexts={"folder": "upload"})
    assert os.listdir(engine.paths.staging) == []


async def test_a_stage_and_an_oci_layout_as_contexts(engine: Engine) -> None:
    await build(engine, "FROM busybox\nRUN echo layout > /l\n", tags=["laid:v1"])
    layout = b"".join([piece async for piece in engine.images.save(["laid:v1"])])
    text = "FROM busybox AS real\nRUN echo stage > /s\nFROM x\nCOPY --from=alias /s /s\nCMD cat /l /s\n"
    contexts = {"x": "oci-layout:v1", "alias": "target:real"}
    await build(engine, text, tags=["t"], contexts=contexts, uploads={"x": pieces(layout)})
    assert await run(engine, "t") == (0, "layout\nstage\n")
    with pytest.raises(InvalidArgument, match="has no image 'v2'"):
        await build(engine, text, contexts={**contexts, "x": "oci-layout:v2"}, uploads={"x": pieces(layout)})


async def test_a_hostile_named_context_reaches_nothing(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("host's\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        archive.addfile(link)
    for line in ("COPY --from=n link/secret /", "RUN --mount=type=bind,from=n,source=link/secret,target=/x cat /x"):
        with pytest.raises(InvalidArgument, match=r"not found|failed to find"):
            await build(engine, f"FROM busybox\n{line}\n", contexts={"n": "upload"}, uploads={"n": pieces(buffer.getvalue())})


async def test_a_context_that_is_only_a_dockerfile(engine: Engine) -> None:
    done = await Build(engine, "", {}, raw=b"FROM busybox\nRUN echo x > /x\n", tags=["t"]).done()
    assert done.id
    with pytest.raises(MobyError):
        await Build(engine, "", {}, raw=bytes([0x7F, 0, 1]) * 5000).done()


def test_the_command_line(cli: Cli, tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "p", tmp_path / "e"
    for folder in (project, elsewhere):
        folder.mkdir()
    (project / "said").write_text("said\n")
    (project / "skip").write_text("")
    (elsewhere / "D").write_text("FROM busybox\nCOPY . /c\nCMD cd /c; ls\n")
    (elsewhere / "D.dockerignore").write_text("skip\n")
    (elsewhere / "more").write_text("more\n")

    def built(*arguments: str, **options: object) -> str:
        cli("build", "-q", "-t", "t", *arguments, **options)
        return cli("run", "--rm", "--network", "none", "t").stdout

    assert built("-f", str(elsewhere / "D"), str(project)) == "said\n"
    assert built("-f", "-", str(project), input=PRINT) == "said\n"
    assert built("-", input="FROM busybox\nCMD echo stdin\n") == "stdin\n"
    packed = tmp_path / "c.tar"
    packed.write_bytes(context(PRINT, {"said": b"packed\n"}))
    assert built(str(packed)) == "packed\n"
    named = "FROM busybox\nCOPY --from=n more /said\nCMD cat /said\n"
    assert built("-f", "-", "--build-context", f"n={elsewhere}", str(project), input=named) == "more\n"
    for arguments, message in (
        (["-f", "-", "-"], "standard input cannot be both"),
        (["nowhere"], "is neither a directory, a tar file nor an address"),
        ([str(project)], "no such Dockerfile"),
        (["--build-context", "n=nowhere", str(elsewhere), "-f", str(elsewhere / "D")], "nowhere is no directory"),
    ):
        failed = cli("build", *arguments, check=False, input="")
        assert failed.returncode == 1 and message in failed.stderr, failed.stderr


def test_a_build_that_is_interrupted_leaves_nothing(cli: Cli, roots: tuple[Path, Path]) -> None:
    async def interrupted() -> int:
        env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1])}
        command = [os.sys.executable, "-m", "moby_tui", "build", "-t", "t", "-"]  # type: ignore[attr-defined]
        process = await asyncio.create_subprocess_exec(
            *command, env=env, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdin and process.stderr
        process.stdin.write(b"FROM busybox\nRUN touch /half; echo started; sleep 1000\n")
        process.stdin.close()
        while line := await process.stderr.readline():
            if line.endswith(b" started\n") and b"RUN" not in line:
                break
        process.send_signal(2)
        await process.stderr.read()
        return await process.wait()

    assert asyncio.run(interrupted()) != 0
    assert os.listdir(roots[0] / "staging") == []
    assert os.listdir(roots[0] / "containers") == []
    assert cli("images", "-q").stdout.count("\n") == 1


def test_without_asyncio(roots: tuple[Path, Path]) -> None:
    with sync.Engine.open(*roots) as client:
        lines = list(client.builder.build(pieces(context(PRINT, {"said": b"blocking\n"})), BuildOptions(tags=["t"])))
        assert lines[-1].stream == "Successfully tagged t:latest\n"
        assert client.images.inspect("t").config.cmd == ["/bin/sh", "-c", "cat /said"]
        assert [row.in_use for row in client.system.disk_usage().build_cache] == [True, True]
        assert client.builder.prune(all=True).space_reclaimed > 0


async def test_a_folder_where_a_file_belongs_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidArgument, match="of the build context is not a file"):
        await build(engine, "FROM scratch\nCOPY f /\n", {".dockerignore/below": b"", "f": b""})


async def test_the_same_archive_is_unpacked_once(engine: Engine) -> None:
    """The file of the kept folder is changed by hand: what a build copies tells where it has it from."""
    text, sent = "FROM busybox\nCOPY said /\nCMD cat /said\n", {"said": b"sent\n", "padding": bytes(1 << 16)}

    async def said(files: dict[str, bytes], **options: object) -> str:
        await build(engine, text, files, tags=["t"], no_cache=True, **options)
        return (await run(engine, "t"))[1]

    assert await said(sent) == "sent\n"
    [place] = engine.paths.build_mounts.iterdir()
    (place / "content/said").write_text("kept\n")
    assert await said(sent) == "kept\n"
    # one that is small is not kept
    assert await said({"said": b"small\n"}) == "small\n"
    # the digests are known too: a step whose files are the same is found without a look at them
    assert "Using cache" in (await build(engine, text, sent, tags=["t"])).text
    assert await said(sent | {"said": b"other\n"}) == "other\n"
    assert await said(sent) == "sent\n"
    # what was ignored was deleted, and the next build needs it
    ignoring = sent | {".dockerignore": b"Dockerfile\n"}
    assert await said(ignoring) == await said(ignoring) == "sent\n"
    assert [found.name for found in engine.paths.build_mounts.iterdir()] == [place.name]
    # a power cut may have taken contents
    assert await said(sent) == "sent\n"
    note = place / "note"
    note.write_bytes(note.read_bytes().replace(note.read_bytes()[:8], b"00000000", 1))
    (place / "content/said").write_text("kept\n")
    assert await said(sent) == "sent\n"
    assert (await engine.builder.prune(all=True)).caches_deleted
    assert await said(sent) == "sent\n"
