"""What builds come to that BuildKit takes: the right values are those of dockerd 28.5 with buildx 0.29 for the same Dockerfiles."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from bench.image import archive as write_archive
from build.building import build, context, run
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument, MobyError

pytestmark = pytest.mark.usefixtures("busybox")
Cli = Callable[..., CompletedProcess[str]]

BASE = """FROM busybox
RUN mkdir -p /etc /home/bob; printf 'root:x:0:0::/root:/bin/sh\\nbob:x:1000:1001::/home/bob:/bin/sh\\n' >/etc/passwd; \\
    printf 'root:x:0:\\nbob:x:1001:\\nstaff:x:50:bob\\n' >/etc/group
"""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def shown(engine: Engine, image: str, script: str) -> list[str]:
    """The lines of a shell's output in an image, as root, whatever its own user and place."""
    done = await build(engine, f"FROM {image}\nUSER 0\nWORKDIR /\n")
    status, out = await run(engine, done.id, ["sh", "-c", script])
    assert status == 0
    return out.splitlines()


async def without_path(engine: Engine, config: dict[str, Any], tmp_path: Path) -> None:
    """Loads ``bare``: busybox with another configuration."""
    write_archive(tmp_path / "busybox.tar")
    await load(engine, rewritten(tmp_path / "busybox.tar", "bare:latest", config))


def rewritten(archive: Path, name: str, config: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=buffer, mode="w") as new:
        manifest = json.loads(old.extractfile("manifest.json").read())  # type: ignore[union-attr]
        document = json.loads(old.extractfile(manifest[0]["Config"]).read())  # type: ignore[union-attr]
        manifest[0]["RepoTags"] = [name]
        files = {manifest[0]["Config"]: {**document, "config": config}, "manifest.json": manifest}
        for member in old.getmembers():
            data = json.dumps(files[member.name]).encode() if member.name in files else None
            read = io.BytesIO(data) if data is not None else old.extractfile(member)
            member.size = len(data) if data is not None else member.size
            new.addfile(member, read)
    return buffer.getvalue()


async def load(engine: Engine, archive: bytes) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield archive

    async for _ in engine.images.load(content()):
        pass


async def test_working_directories_belong_to_the_user(engine: Engine) -> None:
    users = ["bob", "bob:staff", "1000", "5000", "5000:6000", ":staff", "nosuch", "root", "bob:nosuch", "nosuch:staff"]
    text = "".join(f"USER {user}\nWORKDIR /w{number}/below\n" for number, user in enumerate(users))
    done = await build(engine, f"{BASE}{text}USER 0\nRUN mkdir /there\nUSER bob\nWORKDIR /there/x\nWORKDIR rel\n")
    script = "stat -c '%n %u:%g %a' /w? /w0/below /there /there/x /there/x/rel"
    assert await shown(engine, done.id, script) == [
        "/w0 1000:1001 755",
        "/w1 1000:50 755",
        "/w2 1000:1000 755",
        "/w3 5000:5000 755",
        "/w4 5000:6000 755",
        "/w5 0:50 755",
        "/w6 0:0 755",
        "/w7 0:0 755",
        "/w8 1000:1001 755",
        "/w9 0:50 755",
        "/w0/below 1000:1001 755",
        "/there 0:0 755",
        "/there/x 1000:1001 755",
        "/there/x/rel 1000:1001 755",
    ]


async def test_owners_of_copies(engine: Engine) -> None:
    owners = ["bob", "bob:", "bob:staff", "1000", "1000:", "2000", ":staff", ":50", "bob:77", "root"]
    text = "".join(f"COPY --chown={owner} f /f{number}\n" for number, owner in enumerate(owners))
    text += (
        "COPY --link --chown=bob f /link\nADD --chown=bob f /add\nCOPY --chown=bob <<E /here\nx\nE\nCOPY --chown=bob f /new/f\n"
    )
    done = await build(engine, BASE + text, {"f": b"x"})
    owned = ["1000:1001", "1000:0", "1000:50", "1000:1000", "1000:0", "2000:2000", "0:50", "0:50", "1000:77", "0:0"]
    out = await shown(engine, done.id, "stat -c %u:%g /f? /link /add /here /new /new/f")
    assert out == [*owned, *["1000:1001"] * 5]


@pytest.mark.parametrize(
    ("text", "environment", "labels"),
    [
        ("ENV PATH=/opt/bin:$PATH", [f"PATH=/opt/bin:{DEFAULT_PATH}"], None),
        ('CMD ["sh"]', [f"PATH={DEFAULT_PATH}"], None),
        ("ENV A=b", [f"PATH={DEFAULT_PATH}", "A=b"], None),
        ("LABEL x=$PATH\nARG P=$PATH\nENV Q=$P\nENV PATH=", ["PATH=", f"Q={DEFAULT_PATH}"], {"x": DEFAULT_PATH}),
        ("FROM bare AS below\nENV PATH=$PATH:/x\nFROM below\nENV PATH=$PATH:/y", [f"PATH={DEFAULT_PATH}:/x:/y"], None),
    ],
)
async def test_a_base_without_a_path(
    engine: Engine, tmp_path: Path, text: str, environment: list[str], labels: dict[str, str] | None
) -> None:
    await without_path(engine, {}, tmp_path)
    done = await build(engine, f"FROM bare\n{text}\n")
    config = (await engine.images.inspect(done.id)).config
    assert (config.env, config.labels) == (environment, labels)


async def test_copies_go_through_a_link_that_their_destination_is(engine: Engine) -> None:
    text = f"{BASE}RUN mkdir /t; echo old >/t/x; ln -s /t/x /l; ln -s /t /d\nCOPY f /l\nADD f /d/q\n"
    done = await build(engine, text, {"f": b"new\n"})
    assert await shown(engine, done.id, "readlink /l; cat /t/x /t/q") == ["/t/x", "new", "new"]


async def test_a_trigger_s_path_and_an_environment_without_one(engine: Engine, tmp_path: Path) -> None:
    await without_path(engine, {"Env": ["A=b"], "OnBuild": ["ENV PATH=/ob:$PATH"]}, tmp_path)
    done = await build(engine, "FROM bare\nRUN echo run $PATH\n")
    config = (await engine.images.inspect(done.id)).config
    assert f"run /ob:{DEFAULT_PATH}\n" in done.text
    assert config.env == ["A=b", f"PATH=/ob:{DEFAULT_PATH}"]


async def test_links_that_lead_nowhere_are_followed(engine: Engine) -> None:
    links = {"/wl": "/no/where", "/wr": "nowhere", "/cl": "/deep/er/x", "/up": "/../../top", "/fl": "nofile", "/dl": "nodir"}
    made = "; ".join(f"ln -s {target} {link}" for link, target in links.items())
    text = f"{BASE}RUN {made}\nWORKDIR /wl\nWORKDIR /wr/sub\nRUN touch in\nWORKDIR /up\nCOPY d /cl\nCOPY f /fl\nCOPY f /dl/\n"
    done = await build(engine, text, {"d/g": b"g", "f": b"f"})
    files = "/no/where /nowhere/sub/in /top /deep/er/x/g /nofile /nodir/f"
    assert await shown(engine, done.id, f"ls -d {files}") == sorted(files.split())
    assert await shown(engine, done.id, "; ".join(f"readlink {link}" for link in links)) == [*links.values()]


@pytest.mark.parametrize("line", ["WORKDIR /a", "WORKDIR /a/b", "COPY d /a", "COPY f /a", "COPY f /a/", "ADD d /a/x"])
async def test_links_that_lead_to_each_other_are_refused(engine: Engine, line: str) -> None:
    with pytest.raises(InvalidArgument, match=r"too many links|symbolic links"):
        await build(engine, f"{BASE}RUN ln -s /b /a; ln -s /a /b\n{line}\n", {"d/g": b"g", "f": b"f"})


async def test_pipes_and_devices_are_copied(engine: Engine) -> None:
    text = f"""{BASE}RUN mkdir /sp && mknod /sp/fifo p && mknod /sp/null c 1 3 && mknod /sp/disk b 7 0
RUN chmod 640 /sp/fifo; chown 5:6 /sp/fifo; chmod 4755 /sp; nc -l -p 1 -U /sp/none 2>/dev/null; true
FROM busybox
COPY --from=0 /sp /all/
COPY --from=0 /sp/fifo /sp/null /
COPY --from=0 --chown=7:8 --chmod=600 /sp/fifo /renamed
COPY --link --from=0 /sp/fifo /link
ADD p /added/
COPY --from=0 / /whole/
"""
    done = await build(engine, text, raw=_with_pipe(text))
    told = await shown(
        engine, done.id, "stat -c '%n %F %u:%g %a %t:%T' /all/* /fifo /null /renamed /link /added/p /whole/sp/fifo"
    )
    assert told == [
        "/all/disk block special file 0:0 644 7:0",
        "/all/fifo fifo 0:0 640 0:0",
        "/all/null character special file 0:0 644 1:3",
        "/fifo fifo 0:0 640 0:0",
        "/null character special file 0:0 644 1:3",
        "/renamed fifo 7:8 600 0:0",
        "/link fifo 0:0 640 0:0",
        "/added/p fifo 0:0 644 0:0",
        "/whole/sp/fifo fifo 0:0 640 0:0",
    ]


def _with_pipe(dockerfile: str) -> bytes:
    buffer = io.BytesIO(context(dockerfile, {}))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        pipe = tarfile.TarInfo("p")
        pipe.type, pipe.mode = tarfile.FIFOTYPE, 0o644
        archive.addfile(pipe)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        b"# caf\xe9\nFROM busybox\n# \xff\xfe\0 not text\nENV A=1\n",
        b"FROM busybox\nENV A=\\\n# caf\xe9\n1\n",
        b"\xef\xbb\xbfFROM busybox\r\nENV \\\r\n A=1\r\n",
        b"\xef\xbb\xbf# escape=`\r\nFROM busybox\r\nENV `\r\n A=1\r\n",
    ],
)
async def test_encodings_that_are_taken(engine: Engine, text: bytes) -> None:
    done = await build(engine, "", {"Dockerfile": text})
    assert (await engine.images.inspect(done.id)).config.env == ["PATH=/bin", "A=1"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"FROM busybox\nENV A=\xe9\n", 2),
        (b"FROM busybox\n\nRUN <<E\ncaf\xe9\nE\n", 3),
        (b"FROM busybox\nENV A=a\0b\n", 2),
        ("FROM busybox\n".encode("utf-16"), 1),
        ("FROM busybox\n".encode("utf-16-le"), 1),
    ],
)
async def test_encodings_that_are_refused(engine: Engine, text: bytes, line: int) -> None:
    with pytest.raises(InvalidArgument, match="UTF-8") as caught:
        await build(engine, "", {"Dockerfile": text})
    assert caught.value.line == line


async def test_relative_volumes_are_mounted_below_the_root(engine: Engine) -> None:
    done = await build(engine, f'{BASE}WORKDIR /w\nVOLUME data\nVOLUME ["a/b", "/c/../d/", "./e"]\n')
    assert set((await engine.images.inspect(done.id)).config.volumes or ()) == {"data", "a/b", "/c/../d/", "./e"}
    status, out = await run(engine, done.id, ["sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo"])
    assert status == 0
    assert {"/data", "/a/b", "/d", "/e"} <= set(out.split())


async def test_what_a_run_writes_below_a_volume_is_kept(engine: Engine) -> None:
    text = "FROM busybox\nRUN mkdir /v; echo 1 >/v/first\nVOLUME /v\nRUN echo 2 >/v/second; mkdir /v/sub\n"
    done = await build(engine, text)
    assert await run(engine, done.id, ["sh", "-c", "cat /v/first /v/second; ls -d /v/sub"]) == (0, "1\n2\n/v/sub\n")
    assert (await engine.images.inspect(done.id)).config.volumes == {"/v": {}}


@pytest.mark.parametrize("line", ["COPY l* /w/", "COPY d/l* /w/", "COPY link /w", "ADD l?nk /w"])
async def test_a_dead_link_among_the_sources(engine: Engine, line: str) -> None:
    text = f"FROM busybox\n{line}\n"
    buffer = io.BytesIO(context(text, {"long": b"x"}))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        for name in ("link", "d/link"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "nowhere"
            archive.addfile(link)
    with pytest.raises(InvalidArgument, match=r"file not found in build context.*link: file does not exist"):
        await build(engine, text, raw=buffer.getvalue())


def test_capabilities_of_a_context_s_file_are_kept(cli: Cli, tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    program = tmp_path / "program"
    program.write_bytes(b"x")
    os.setxattr(program, "security.capability", capability)
    os.setxattr(program, "user.name", b"\xff\x00x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "below").hardlink_to(program)
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY program d /\nCOPY --link program /link/\n")
    cli("build", "-t", "capable", str(tmp_path))
    saved = tmp_path / "saved.tar"
    cli("save", "-o", str(saved), "capable")
    found = {}
    with tarfile.open(saved) as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())  # type: ignore[union-attr]
        for layer in manifest[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as members:
                for member in members:
                    value = member.pax_headers.get("SCHILY.xattr.security.capability")
                    if value is not None:
                        found[member.name] = value.encode("utf-8", "surrogateescape")
    assert found == dict.fromkeys(["program", "below", "link/program"], capability)


def test_a_change_of_the_health_check(cli: Cli) -> None:
    container = cli("create", "busybox", "sh").stdout.strip()

    def check(change: str) -> Any:
        image = cli("commit", "--change", change, container).stdout.strip()
        found = json.loads(cli("inspect", image).stdout)[0]["Config"]["Healthcheck"]
        return {name: value for name, value in found.items() if value}

    assert check("HEALTHCHECK CMD true") == {"Test": ["CMD-SHELL", "true"]}
    flags = "--interval=5s --timeout=1m --start-period=2s --start-interval=1s --retries=3"
    assert check(f'healthcheck {flags} CMD ["a", "b"]') == {
        "Test": ["CMD", "a", "b"],
        "Interval": 5 * 10**9,
        "Timeout": 60 * 10**9,
        "StartPeriod": 2 * 10**9,
        "StartInterval": 10**9,
        "Retries": 3,
    }
    assert check("HEALTHCHECK NONE") == {"Test": ["NONE"]}
    for wrong in ("HEALTHCHECK true", "HEALTHCHECK", "HEALTHCHECK --often=1s CMD x", "HEALTHCHECK --interval=x CMD x"):
        assert cli("commit", "--change", wrong, container, check=False).returncode == 1


@pytest.mark.parametrize(
    ("config", "entrypoint", "command"),
    [
        ({"Cmd": "true"}, None, ["true"]),
        ({"Cmd": "echo a b"}, None, ["echo a b"]),
        ({"Cmd": ["a", None]}, None, ["a", ""]),
        ({"Entrypoint": "", "Cmd": "true"}, [""], ["true"]),
        ({"Entrypoint": "echo", "Cmd": ["hi"]}, ["echo"], ["hi"]),
        ({"Cmd": ["true"], "Shell": "/bin/sh"}, None, ["true"]),
        ({"Cmd": ["true"], "Volumes": {"/d": None}, "ExposedPorts": {"80/tcp": {"x": 1}}}, None, ["true"]),
    ],
)
async def test_odd_configurations_are_read(
    engine: Engine, tmp_path: Path, config: dict[str, Any], entrypoint: list[str] | None, command: list[str]
) -> None:
    await without_path(engine, config, tmp_path)
    found = (await engine.images.inspect("bare")).config
    assert (found.entrypoint, found.cmd) == (entrypoint, command)
    assert set(found.volumes or ()) == set(config.get("Volumes", ()))
    assert (await build(engine, "FROM bare\nENV A=1\n")).id


@pytest.mark.parametrize(
    "config", [{"Env": "PATH=/bin"}, {"Cmd": [1]}, {"User": 1000}, {"Volumes": ["/d"]}, {"Labels": {"a": 1}}]
)
async def test_configurations_that_cannot_be_read(engine: Engine, tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(MobyError, match="configuration of"):
        await without_path(engine, config, tmp_path)
