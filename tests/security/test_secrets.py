"""Secrets of containers: what a container sees of them, and that nobody else does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from moby_tui.api.client.address import Address
from moby_tui.api.client.http import HttpClient
from moby_tui.api.server.serve import serving
from moby_tui.cli.values import secrets as option
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound, NotImplementedYet
from moby_tui.schema.base import encode
from moby_tui.schema.container import ContainerCreate, HostConfig, LogOptions, RestartPolicy, SecretReference
from moby_tui.schema.secret import SecretCreate

if TYPE_CHECKING:
    from moby_tui.engine.engine import Engine

PAYLOAD = b"correct-horse-battery\x00staple\n"
MARK = b"correct-horse-battery"


def _holding(folders: tuple[Path, ...], mark: bytes = MARK) -> list[str]:
    """The files in which the mark is found."""
    found = []
    for top in folders:
        for folder, _, names in os.walk(top):
            for path in (Path(folder, name) for name in names):
                if path.is_file() and not path.is_symlink() and mark in path.read_bytes():
                    found.append(str(path))
    return found


def _asking(command: str, *secrets: SecretReference, **host: object) -> ContainerCreate:
    config = HostConfig(network_mode="none", secrets=list(secrets), **host)  # type: ignore[arg-type]
    return ContainerCreate(image="busybox", cmd=["sh", "-c", command], host_config=config)


async def test_a_container_s_secrets_are_seen_there_and_nowhere_else(
    engine: Engine, busybox: str, roots: tuple[Path, Path]
) -> None:
    made = await engine.secrets.create(SecretCreate(name="token", labels={"team": "web"}, data=PAYLOAD))
    await engine.secrets.create(SecretCreate(name="other", data=MARK))
    look = (
        "cat /run/secrets/token | sha256sum; cat /run/secrets/deep/x | wc -c; cat /etc/own/key | wc -c; "
        "ls -ln /run/secrets/token /run/secrets/deep/x /etc/own/key; grep ' /run/secrets \\| /etc/own/key ' /proc/mounts; "
        "echo x > /run/secrets/token; env"
    )
    asked = _asking(
        f"{look}; read line",
        SecretReference(source="token"),
        SecretReference(source=made.id[:9], target="deep/x", uid=1000, gid=1001, mode=0o440),
        SecretReference(source="other", target="/etc/own/key", mode=0o400),
        readonly_rootfs=False,
    )
    asked.open_stdin = True
    ident = (await engine.containers.create(asked, name="holder")).id
    await engine.containers.start(ident)
    lines = []
    async for _, line in engine.containers.logs(ident, LogOptions(follow=True)):
        lines.append(line.decode())
        if line.startswith(b"HOME="):
            break
    text = "".join(lines)
    assert hashlib.sha256(PAYLOAD).hexdigest() in text and str(len(PAYLOAD)) in text and str(len(MARK)) in text
    assert re.search(r"^-r--r--r-- +1 +0 +0 .*/run/secrets/token$", text, re.M), text
    assert re.search(r"^-r--r----- +1 +1000 +1001 .*/run/secrets/deep/x$", text, re.M), text
    assert re.search(r"^-r-------- +1 +0 +0 .*/etc/own/key$", text, re.M), text
    assert re.search(r"^tmpfs /run/secrets tmpfs ro,nosuid,nodev,noexec", text, re.M), text
    assert re.search(r"^tmpfs /etc/own/key tmpfs ro,nosuid,nodev,noexec", text, re.M), text
    inspected = await engine.containers.inspect(ident)
    assert MARK not in encode(inspected) and MARK not in encode(await engine.secrets.inspect("token"))
    assert _holding(roots) == []
    pid = inspected.state.pid
    assert MARK not in Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
    # an image of it has the place, and not the file
    image = await engine.containers.commit(ident)
    assert MARK not in encode(await engine.images.history(image)) + encode(await engine.images.inspect(image))
    assert _holding(roots) == []
    with pytest.raises(Conflict, match="secret token is in use by container holder"):
        await engine.secrets.remove("token")
    await engine.containers.remove(ident, force=True)
    await engine.secrets.remove("token")
    with pytest.raises(NotFound, match="no such secret: token"):
        await engine.secrets.inspect("token")
    events = [event async for event in engine.events.stream(since=1, until=time.time())]
    assert [(event.action, event.actor.id) for event in events if event.type == "secret" and event.actor.id == made.id] == [
        ("create", made.id),
        ("remove", made.id),
    ]
    assert MARK not in encode(events)


async def test_a_restart_by_the_monitor_has_them_too(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    await engine.secrets.create(SecretCreate(name="token", data=PAYLOAD))
    asked = _asking(
        "wc -c < /run/secrets/token; wc -c < /a; exit 3",
        SecretReference(source="token"),
        SecretReference(source="token", target="/a"),
        restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=2),
        readonly_rootfs=True,
        userns_mode="auto:size=1000",
    )
    with pytest.raises(InvalidArgument, match="5000 is not mapped"):
        refused = _asking("true", SecretReference(source="token", uid=5000), userns_mode="auto:size=1000")
        await engine.containers.start((await engine.containers.create(refused)).id)
    ident = (await engine.containers.create(asked)).id
    exited = await engine.containers.wait(ident, condition="next-exit")
    await engine.containers.start(ident)
    await exited.result()
    # that of the last run: the container has then ended for good
    ended = await engine.containers.wait(ident)
    await ended.result()
    seen = b"".join([line async for _, line in engine.containers.logs(ident, LogOptions(follow=True))])
    assert seen.split() == [b"%d" % len(PAYLOAD)] * 6
    assert _holding(roots) == []


async def test_another_runtime_is_given_them_too(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    await engine.secrets.create(SecretCreate(name="token", data=PAYLOAD))
    asked = _asking(
        "wc -c < /run/secrets/token; wc -c < /a; exit 3",
        SecretReference(source="token"),
        SecretReference(source="token", target="/a"),
        restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=1),
        runtime=shutil.which("runc") or "runc is not installed",
    )
    ident = (await engine.containers.create(asked)).id
    ended = await engine.containers.wait(ident, condition="next-exit")
    await engine.containers.start(ident)
    await ended.result()
    seen = b"".join([line async for _, line in engine.containers.logs(ident, LogOptions(follow=True))])
    assert seen.split() == [b"%d" % len(PAYLOAD)] * 4
    assert _holding(roots) == []


async def test_requests_that_cannot_be(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    for name in ("", "-a", "a/b", "..", "a" * 65, "a\n"):
        with pytest.raises(InvalidArgument, match="invalid secret name"):
            await engine.secrets.create(SecretCreate(name=name, data=PAYLOAD))
    for data in (b"", b"x" * (500 * 1024 + 1)):
        with pytest.raises(InvalidArgument, match="must be larger than 0 and at most 512000"):
            await engine.secrets.create(SecretCreate(name="a", data=data))
    assert MARK.decode() not in repr(SecretCreate(name="a", data=PAYLOAD))
    await engine.secrets.create(SecretCreate(name="a", labels={"x": "1"}, data=b"x" * (500 * 1024)))
    await engine.secrets.create(SecretCreate(name="ab", labels={"x": "2"}, data=PAYLOAD))
    with pytest.raises(Conflict, match="exists already"):
        await engine.secrets.create(SecretCreate(name="a", data=PAYLOAD))
    assert [secret.spec.name for secret in await engine.secrets.list(filters={"label": ["x=2"]})] == ["ab"]
    assert [secret.spec.name for secret in await engine.secrets.list(filters={"name": ["a"]})] == ["a", "ab"]
    with pytest.raises(InvalidArgument, match="invalid filter 'driver'"):
        await engine.secrets.list(filters={"driver": ["x"]})
    refused = [
        (NotFound, "no such secret: nobody", [SecretReference(source="nobody")], {}),
        (InvalidArgument, "two secrets are to be at /run/secrets/a", [SecretReference(source="a")] * 2, {}),
        (InvalidArgument, "invalid target", [SecretReference(source="a", target="../x")], {}),
        (InvalidArgument, "invalid target", [SecretReference(source="a", target="/proc/x")], {}),
        (InvalidArgument, "invalid mode", [SecretReference(source="a", mode=0o4755)], {}),
        (InvalidArgument, "invalid uid", [SecretReference(source="a", uid=-1)], {}),
        (InvalidArgument, "another mount", [SecretReference(source="a")], {"tmpfs": {"/run/secrets": ""}}),
    ]
    for kind, text, references, host in refused:
        with pytest.raises(kind, match=text):
            await engine.containers.create(_asking("true", *references, **host))
    assert await engine.containers.list(all=True) == []


async def test_files_that_were_changed_or_lost(engine: Engine, busybox: str, roots: tuple[Path, Path]) -> None:
    folder = roots[0] / "secrets"
    first = await engine.secrets.create(SecretCreate(name="first", data=PAYLOAD))
    second = await engine.secrets.create(SecretCreate(name="second", data=b"other"))
    key = folder / "key"
    assert (folder.stat().st_mode & 0o777, key.stat().st_mode & 0o777, key.stat().st_size) == (0o700, 0o600, 32)
    ident = (await engine.containers.create(_asking("true", SecretReference(source="first")))).id
    files = [folder / f"{made.id}.json" for made in (first, second)]
    whole = files[0].read_bytes()
    swapped = json.loads(whole) | {name: json.loads(files[1].read_bytes())[name] for name in ("nonce", "data")}
    files[0].write_text(json.dumps(swapped))
    with pytest.raises(MobyError, match="secret first cannot be decrypted"):
        await engine.containers.start(ident)
    files[0].write_bytes(whole)
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(MobyError, match="is gone: restore it"):
        await engine.containers.start(ident)
    with pytest.raises(MobyError, match="is gone: restore it"):
        await engine.secrets.create(SecretCreate(name="third", data=b"x"))
    key.write_bytes(kept)
    await engine.containers.start(ident)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Token", SecretReference(source="Token")),
        (
            "source=t,type=mount,target=/x,uid=7,gid=8,mode=0440",
            SecretReference(source="t", target="/x", uid=7, gid=8, mode=0o440),
        ),
        ("t,target=y,mode=400", SecretReference(source="t", target="y", mode=0o400)),
    ],
)
def test_the_option(text: str, expected: SecretReference) -> None:
    assert option.reference(text) == expected


@pytest.mark.parametrize("text", ["", "target=x", "t,u", "t,mode=999", "t,uid=a", "t,type=file", "t,color=red", "t,target="])
def test_options_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidArgument, match="--secret"):
        option.reference(text)


def test_an_environment_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedYet, match="type=env"):
        option.reference("t,type=env,target=TOKEN")


def test_the_commands(
    cli: Callable[..., subprocess.CompletedProcess[str]], busybox: str, tmp_path: Path, roots: tuple[Path, Path]
) -> None:
    made = cli("secret", "create", "--label", "team=web", "token", "-", input=PAYLOAD.decode()).stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{25}", made)
    shown = json.loads(cli("secret", "inspect", "token").stdout)[0]
    assert (shown["ID"], shown["Spec"]) == (made, {"Name": "token", "Labels": {"team": "web"}})
    assert cli("secret", "ls", "--format", '{{.ID}} {{.Name}} {{.Label "team"}}').stdout == f"{made} token web\n"
    command = ("run", "--rm", "--network", "none", "--secret", "token,target=/t,mode=0400", "busybox", "cat", "/t")
    assert cli(*command).stdout == PAYLOAD.decode()
    gone = cli("create", "--secret", "nobody", "busybox", check=False)
    assert (gone.returncode, gone.stderr) == (1, "moby: no such secret: nobody\n")
    assert _holding(roots) == []
    assert cli("secret", "rm", "token").stdout == "token\n"


async def test_through_the_api(engine: Engine, busybox: str, tmp_path: Path, roots: tuple[Path, Path]) -> None:
    async with serving(engine, [f"unix://{tmp_path}/s"]), HttpClient(Address(path=f"{tmp_path}/s")) as remote:
        made = await remote.secrets.create(SecretCreate(name="token", labels={"a": "b"}, data=PAYLOAD))
        assert [secret.id for secret in await remote.secrets.list(filters={"label": ["a=b"]})] == [made.id]
        assert await remote.secrets.inspect(made.id) == await engine.secrets.inspect("token")
        asked = _asking("cat /run/secrets/token", SecretReference(source="token"))
        assert await remote.containers.run(asked, name="holder") == PAYLOAD
        with pytest.raises(Conflict, match="in use by container holder"):
            await remote.secrets.remove("token")
        with pytest.raises(NotFound, match="no such secret: nobody"):
            await remote.containers.create(_asking("true", SecretReference(source="nobody")))
        await remote.containers.remove("holder")
        await remote.secrets.remove(made.id)
        with pytest.raises(InvalidArgument) as refused:
            await cast(Any, remote.secrets)._session.send(
                "POST", "/moby/secrets/create", None, {"Name": "a", "Data": MARK.decode()}
            )
        assert MARK.decode() not in str(refused.value)
    assert _holding(roots) == []


async def test_an_engine_without_secrets_is_not_asked_for_a_container(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        known = b"/_ping" in asked[-1]
        body = b"OK" if known else b'{"message":"page not found"}'
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (b"200 OK" if known else b"404 Not Found", len(body)) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "s"), HttpClient(Address(path=f"{tmp_path}/s")) as remote:
        with pytest.raises(MobyError, match="option --secret needs moby at the other end"):
            await remote.containers.create(_asking("true", SecretReference(source="token")))
    assert not any(b"/containers/create" in line for line in asked)
