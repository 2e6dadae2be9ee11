"""COPY and ADD: modes and owners, layers of their own, folders that are kept, repositories, archives that are fetched."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from build.building import build, run
from build.sources.repository import repository, served
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.dockerfile import modes
from moby_tui.engine.resources.images.unpack.unpack import unpack
from moby_tui.errors import InvalidArgument, MobyError

ACCOUNTS = {"etc/passwd": b"root:x:0:0::/:/bin/sh\nuser:x:1000:10::/:/bin/sh\n", "etc/group": b"root:x:0:\nwheel:x:10:user\n"}


@pytest.fixture(autouse=True)
def _image(busybox: str) -> None:
    """Every one builds upon it."""


_WHO = st.sampled_from(["", "u", "g", "o", "a", "ug", "go", "uo"])
_WHAT = st.sampled_from(["", "r", "w", "x", "X", "rw", "rX", "rwx", "s", "t", "u", "g", "o", "xs", "wt"])
_CLAUSE = st.builds("".join, st.tuples(_WHO, st.sampled_from("+-="), _WHAT, st.sampled_from(["", "", "+x", "-w"])))


@given(st.lists(_CLAUSE, min_size=1, max_size=3).map(",".join), st.integers(0, 0o7777), st.booleans())
def test_modes_are_changed_as_chmod_does(
    tmp_path_factory: pytest.TempPathFactory, text: str, before: int, directory: bool
) -> None:
    path = tmp_path_factory.mktemp("modes") / "x"
    path.mkdir() if directory else path.touch()
    path.chmod(before)
    # without whom it goes by the umask
    subprocess.run(["chmod", "--", text, path], check=True, umask=0, env={"PATH": os.environ["PATH"]})
    assert oct(modes.read(text).of(before, directory=directory)) == oct(path.stat().st_mode & 0o7777)


@pytest.mark.parametrize("text", ["", "8", "77777", "u", "u*x", "u+y", "z+x", "u+x,", ",", "+xg", "0o755"])
def test_modes_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid chmod parameter"):
        modes.read(text)


@pytest.mark.parametrize(
    ("owner", "found"),
    [
        ("nobody:here", "0:0"),
        ("nobody", "0:0"),
        ("user:here", "1000:10"),
        ("7:here", "7:7"),
        (":here", "0:0"),
        ("user:wheel", "1000:10"),
    ],
)
@pytest.mark.parametrize("link", ["", "--link "])
async def test_owners_that_the_image_does_not_have(engine: Engine, owner: str, found: str, link: str) -> None:
    """As with BuildKit, an unknown user is root and an unknown group that of the user."""
    text = f"FROM busybox\nCOPY etc /etc\nCOPY {link}--chown={owner} f /x\n"
    image = (await build(engine, text, {"f": b"", **ACCOUNTS})).id
    assert await run(engine, image, ["stat", "-c", "%u:%g", "/x"]) == (0, f"{found}\n")


async def test_modes_and_owners(engine: Engine) -> None:
    text = """
    FROM busybox
    ARG MODE=go= WHO=user
    COPY etc /etc/
    COPY --chmod=u=rwX,go=rX d /one
    COPY --chmod=$MODE --chown=$WHO d/f /two
    COPY --chown=user:wheel d/f /three
    COPY --chown=7 --chmod=4755 <<E /four
    x
    E
    ADD --chmod=+x --chown=:wheel d/f /five
    """.replace("\n    ", "\n")
    await build(engine, text, {"d/f": b"x", **ACCOUNTS}, tags=["t"])
    _, out = await run(engine, "t", ["stat", "-c", "%n %a %u:%g", "/one", "/one/f", "/two", "/three", "/four", "/five"])
    assert out.splitlines() == [
        *("/one 755 0:0", "/one/f 644 0:0", "/two 600 1000:10", "/three 644 1000:10", "/four 4755 7:7", "/five 755 0:10"),
    ]
    with pytest.raises(InvalidArgument, match=r"invalid chmod parameter: 'u\+y'.*line 2"):
        await build(engine, "FROM busybox\nCOPY --chmod=u+y d /x\n", {"d/f": b""})


LINKED = """
FROM busybox
ARG N
COPY etc /etc/
RUN echo $N > /n && mkdir -m 700 /data && ln -s /data /link
COPY --link --chown=user:wheel --chmod=640 f /data/f
COPY --link f g /link/
"""


async def test_a_layer_of_its_own_does_not_depend_on_what_is_below(engine: Engine) -> None:
    files = {"f": b"f", "g": b"g", **ACCOUNTS}
    first = await build(engine, LINKED, files, build_args={"N": "1"}, tags=["one"])
    again = await build(engine, LINKED, files, build_args={"N": "2"}, tags=["two"])
    layers = [(await engine.images.inspect(name)).root_fs.layers or [] for name in ("one", "two")]
    assert first.id != again.id
    assert layers[0][-2:] == layers[1][-2:] and layers[0][-3] != layers[1][-3]
    assert again.text.partition("COPY --link")[2].count("Using cache") == 2, "made once, used on top of another"
    _, out = await run(engine, "two", ["sh", "-c", "stat -c '%a %u:%g' /data/f; test -L /link || ls /link; cat /n"])
    assert out == "640 1000:10\nf\ng\n2\n"
    other = await build(engine, LINKED, {**files, "f": b"other"}, build_args={"N": "2"})
    assert other.text.partition("COPY --link")[2].count("Using cache") == 0
    await build(engine, "FROM scratch\nCOPY --link --chown=5:6 f /\n", files)


async def test_wildcards(engine: Engine) -> None:
    names = ["package.json", "a/package.json", "a/b/package.json", "a/b/c.txt", "node/x/package.json", "q1", "q2", "[x]"]
    text = """
    FROM busybox
    COPY package.json yarn.lock* none? /one/
    COPY --parents **/package.json /two/
    COPY --parents --exclude=node ./a/**/*.txt */** /three/
    COPY --parents a/./**/package.json /four/
    COPY q[12] /five/
    COPY [[]x] /six
    COPY *none* /seven/
    """
    await build(engine, text, {name: name.encode() for name in names}, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cd /; find one two three four five six -type f | sort"])
    assert out.split() == [
        *("five/q1", "five/q2", "four/b/package.json", "four/package.json", "one/package.json", "six"),
        *("three/a/b/c.txt", "three/a/b/package.json", "three/a/package.json"),
        *("two/a/b/package.json", "two/a/package.json", "two/node/x/package.json", "two/package.json"),
    ]
    first = await build(engine, "FROM busybox\nCOPY --parents a/./b/c.txt /x/\n", {"a/b/c.txt": b""})
    second = await build(engine, "FROM busybox\nCOPY --parents a/b/./c.txt /x/\n", {"a/b/c.txt": b""})
    assert first.id != second.id, "the same file at another place"


async def test_files_of_repositories(engine: Engine, tmp_path: Path) -> None:
    repository(tmp_path / "p", {"a": b"one\n", "src/b": b"b\n", "src/skip.md": b""}, "v1")
    commit = repository(tmp_path / "p", {"a": b"two\n", "run.sh": b"#!/bin/sh\n"})
    with served(tmp_path) as address:
        at = f"{address}/p/.git"
        text = f"""
        FROM busybox
        ADD {at} /now
        ADD --chown=5:6 {at}#v1:src /v1
        ADD --keep-git-dir=true --checksum={commit} --link {at}#main /kept/
        """
        await build(engine, text, tags=["t"])
        script = "cat /now/a /kept/a /v1/b; stat -c %u:%g /v1/b; ls -A /now /v1; ls -d /kept/.git"
        _, out = await run(engine, "t", ["sh", "-c", script])
        assert out.split() == [
            *("two", "two", "b", "5:6", "/now:", "a", "run.sh", "src", "/v1:", "b", "skip.md", "/kept/.git"),
        ]
        assert (await build(engine, text)).text.count("Using cache") >= 2
        for line, kind, said in (
            (f"--checksum={'0' * 40} {at} /x", MobyError, f"expected checksum to match {'0' * 40}, got {commit}"),
            (f"--checksum=sha256:1 {at} /x", InvalidArgument, "it is a commit id"),
            (f"{at}#gone /x", MobyError, "has no ref 'gone'"),
            (f"{at}#--upload-pack=x /x", InvalidArgument, "invalid ref"),
            (f"{at}#main:none /x", InvalidArgument, "no folder"),
        ):
            with pytest.raises(kind, match=said):
                await build(engine, f"FROM busybox\nADD {line}\n")


@asynccontextmanager
async def site(files: dict[str, bytes]) -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=files[request.path])

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_is_unpacked_is_a_matter_of_choice(engine: Engine) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("inner")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"i"))
    data = packed.getvalue()
    async with site({"/x.tar.gz": data, "/plain": b"plain"}) as address:
        text = f"""
        FROM busybox
        ADD x.tar.gz /one/
        ADD --unpack=false x.tar.gz /two/
        ADD {address}/x.tar.gz /three/
        ADD --unpack {address}/x.tar.gz {address}/plain /four/
        ADD --exclude=*.gz x.tar.gz other /five/
        """
        await build(engine, text, {"x.tar.gz": data, "other": b""}, tags=["t"])
    _, out = await run(engine, "t", ["sh", "-c", "cd /; find one two three four five -type f | sort"])
    assert out.split() == ["five/other", "four/inner", "four/plain", "one/inner", "three/x.tar.gz", "two/x.tar.gz"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("COPY f", "requires at least two arguments"),
        ("COPY f <<E\nE", "here-document as its destination"),
        ("COPY [1, 2]", "arrays must be comprised of strings only"),
        ('COPY ["f", "a\\u0000b"]', "a NUL character"),
        ("COPY --from=0 f /x", "invalid from value 0"),
        ("RUN --mount=from=7,target=/x true", "invalid from value 7"),
        ("COPY --link=maybe f /x", "expecting boolean value for flag --link"),
        ("COPY ../f /x", "forbidden path outside the build context"),
        ("ADD --checksum=sha256:0 f /x", "one HTTP or Git source"),
    ],
)
async def test_copies_that_cannot_be(engine: Engine, line: str, said: str) -> None:
    with pytest.raises(MobyError, match=rf"{said}") as caught:
        await build(engine, f"FROM busybox\n{line}\n", {"f": b"", "g": b""})
    assert caught.value.line == 2


async def test_a_stage_s_name_is_suggested(engine: Engine) -> None:
    with pytest.raises(MobyError, match=r"did you mean builder\?") as caught:
        await build(engine, "FROM busybox AS builder\nFROM busybox\nCOPY --from=biulder /x /y\n")
    assert caught.value.line == 3
    with pytest.raises(MobyError, match='cannot mount from stage "later" to "/x", stage needs to be defined before'):
        await build(engine, "FROM busybox\nRUN --mount=from=later,target=/x true\nFROM busybox AS later\n", target="0")


async def test_the_folder_that_took_the_copies_is_the_layer(engine: Engine, tmp_path: Path) -> None:
    """It has what the layer's blob has, to the time of each file: another engine unpacks the same from the registry."""
    files = {"d/a": b"a" * 5000, "d/deep/b": b"", "d/deep/c": b"c", "bin/new": b"beside what is there"}
    text = "FROM busybox\nCOPY --chown=7:8 d /d/\nCOPY --chmod=6711 d/a bin/new /bin/\nADD --link d /etc/linked\nWORKDIR /made/here\n"
    done = await build(engine, text, files)
    manifest, *_ = [
        document
        for blob in (engine.paths.blobs / "sha256").iterdir()
        if (data := blob.read_bytes())[:1] == b"{" and (document := json.loads(data)).get("config", {}).get("digest") == done.id
    ]
    config = json.loads((engine.paths.blobs / done.id.replace(":", "/")).read_bytes())
    made = [*zip(config["rootfs"]["diff_ids"], manifest["layers"], strict=True)][1:]
    assert len(made) == 4
    for number, (diff_id, blob) in enumerate(made):
        layer, anew = engine.paths.layers / diff_id.removeprefix("sha256:"), tmp_path / f"anew{number}"
        unpack([(engine.paths.blobs / blob["digest"].replace(":", "/")).read_bytes()], diff_id, str(anew))
        assert _seen(layer) == _seen(anew)


def _seen(layer: Path) -> dict[str, object]:
    seen: dict[str, object] = {"size": (layer / "size").read_text()}
    for place in sorted((layer / "diff").rglob("*")):
        status = place.lstat()
        data = place.read_bytes() if place.is_file() else b""
        seen[str(place.relative_to(layer))] = (oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, data)
    return seen


def _archive(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


async def test_several_sources_and_one_name(engine: Engine) -> None:
    """As BuildKit: each takes the place of the one before; archives are unpacked into a folder of that name."""
    text = "FROM busybox\nCOPY f g /one\nADD *.tar /two\nADD --chown=7:8 a.tar /three/\n"
    files = {"f": b"f", "g": b"g", "a.tar": _archive("a", b"A"), "b.tar": _archive("b", b"B")}
    await build(engine, text, files, tags=["t"])
    listed = ["sh", "-c", "cat /one /two/a /two/b /three/a; stat -c %u:%g /three /three/a /two/a"]
    assert await run(engine, "t", listed) == (0, "gABA7:8\n7:8\n0:0\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ARG O=a\nFROM busybox\nCOPY --from=$O /x /y\n", "variable expansion is not supported for --from"),
        ("FROM busybox\nRUN --mount=from=$O,target=/x true\n", "'from' doesn't support variable expansion"),
        (
            "FROM busybox AS a\nCOPY --from=b /x /y\nFROM busybox AS b\nFROM a\n",
            'cannot copy from stage "b", it needs to be defined before',
        ),
    ],
)
async def test_stages_that_cannot_be_copied_from(engine: Engine, text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        await build(engine, text)
