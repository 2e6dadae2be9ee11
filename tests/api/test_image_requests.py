"""Requests that make images: builds, loads, pulls, pushes and imports. The statuses are dockerd 28.5's, asked of it in the same words."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

import images_data
from api.wire import Answer, ask, differing, head, read_head
from moby_tui.api.server import shims
from moby_tui.engine.archive import limits
from moby_tui.engine.engine import Engine
from moby_tui.engine.resources.images.registry import connection
from servers.registry import HTPASSWD, running
from servers.web_server import serving_files

BUILDS = [
    *((200, f"{name}={value}") for name in ("rm", "forcerm", "compress") for value in ("0", "1", "true", "False", "True", "")),
    *((200, f"squash={value}") for value in ("0", "False", "")),
    *((200, f"isolation={value}") for value in ("default", "")),
    *((200, one) for one in ("version=1", "version=", "buildid=x", "session=x", "q=False", "nocache=False", "pull=False")),
    (400, "squash=1"),
    (400, "isolation=hyperv"),
    (400, "version=3"),
    (400, "securityopt=foo"),
    (400, "t=UPPER"),
    (400, "buildargs=x"),
    (400, "platform=foobar"),
    (200, "nosuch=1&outputs=[]"),
]


def _context(dockerfile: str) -> bytes:
    return images_data.Tar().add("Dockerfile", data=dockerfile.encode()).bytes()


async def test_build_parameters(socket_path: Path) -> None:
    context = _context("FROM busybox\nLABEL a=b\n")
    answers = [
        await ask(socket_path, "POST", f"/build?{parameter}", context, {"Content-Type": "application/x-tar"})
        for _, parameter in BUILDS
    ]
    assert differing(BUILDS, answers) == []
    assert all(b'"error"' not in answer.body for answer in answers)


@pytest.mark.parametrize(
    "archive", [b"garbage" * 1000, b"", b"\0" * 10240, b"\x1f\x8b\x08\0garbage"], ids=["text", "empty", "end", "gzip"]
)
async def test_load_tells_of_garbage_in_its_stream(socket_path: Path, archive: bytes) -> None:
    answer = await ask(socket_path, "POST", "/images/load", archive, {"Content-Type": "application/x-tar"})
    assert answer.status == 200
    last = json.loads(answer.body.strip().split(b"\r\n")[-1])
    assert last["error"] and last["errorDetail"]["message"] == last["error"]


async def test_a_load_is_done_when_its_headers_come(socket_path: Path) -> None:
    """As with dockerd: its own tests' clients read no more of the answer, and go."""
    archive = images_data.busybox_archive("loaded:1")
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    length = {"Content-Type": "application/x-tar", "Content-Length": str(len(archive))}
    writer.write(head("POST", "/images/load?quiet=1", length) + archive)
    assert (await read_head(reader))[0] == 200
    writer.close()
    assert (await ask(socket_path, "GET", "/images/loaded:1/json")).status == 200


async def test_pulls_are_refused_before_they_begin(
    busybox: str, socket_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.001)
    wrong = {"X-Registry-Auth": base64.urlsafe_b64encode(b'{"username":"user","password":"wrong"}').decode()}
    with running(tmp_path / "plain") as plain, running(tmp_path / "guarded", htpasswd=HTPASSWD) as guarded:
        for status, name, headers in (
            (404, f"{plain.address}/nosuch&tag=x", None),
            (404, f"{plain.address}/nosuch", None),
            (401, f"{guarded.address}/nosuch&tag=x", wrong),
            (500, "127.0.0.1:1/nosuch&tag=x", None),
        ):
            answer = await ask(socket_path, "POST", f"/images/create?fromImage={name}", headers=headers)
            assert (answer.status, bool(answer.message)) == (status, True), name
    for path in ("/distribution/127.0.0.1:1/a/json", "/images/search?term=127.0.0.1:1/a"):
        assert (await ask(socket_path, "GET", path)).status == 500
    for name in ("nosuch", "127.0.0.1:1/nosuch"):
        answer = await ask(socket_path, "POST", f"/images/{name}/push?tag=x")
        first, last = (json.loads(line) for line in answer.body.splitlines())
        assert first["status"].endswith(f"/{name.rpartition('/')[2]}]")
        assert last["error"] == f"An image does not exist locally with the tag: {name}"


async def test_imports_from_a_web_server(socket_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "web"
    with serving_files(folder) as web:
        (folder / "root.tar").write_bytes(images_data.Tar().add("file", data=b"far").bytes())
        (folder / "garbage").write_bytes(b"garbage" * 1000)
        for source in (f"{web}/root.tar", f"{web}/root.tar".removeprefix("http://")):
            answer = await ask(socket_path, "POST", f"/images/create?fromSrc={source}&repo=far&tag=1&changes=CMD+x")
            first, *_, last = (json.loads(line) for line in answer.body.splitlines())
            assert (answer.status, first["status"]) == (200, f"Downloading from {web}/root.tar")
            image = (await ask(socket_path, "GET", "/images/far:1/json")).json()
            assert (image["Id"], image["Config"]["Cmd"]) == (last["status"], ["/bin/sh", "-c", "x"])
        assert (await ask(socket_path, "POST", f"/images/create?fromSrc={web}/none&repo=unmade")).status == 404
        assert b'"error"' in (await ask(socket_path, "POST", f"/images/create?fromSrc={web}/garbage&repo=unmade")).body
        monkeypatch.setenv(limits.MOST_UNPACKED[0], "4000")
        refused = await ask(socket_path, "POST", f"/images/create?fromSrc={web}/garbage&repo=unmade")
        assert f"has more than 4000 bytes; set {limits.MOST_UNPACKED[0]} to more" in refused.body.decode()
        assert (await ask(socket_path, "GET", "/images/unmade/json")).status == 404


async def test_what_a_failed_build_is_told_with(socket_path: Path) -> None:
    async def built(text: str) -> Answer:
        return await ask(socket_path, "POST", "/build?networkmode=none", _context(text), {"Content-Type": "application/x-tar"})

    for code in (1, 3):
        last = json.loads((await built(f"FROM busybox\nRUN exit {code}\n")).body.splitlines()[-1])
        assert last["errorDetail"]["code"] == code
    last = json.loads((await built("FROM busybox\nCOPY nosuch /\n")).body.splitlines()[-1])
    assert "code" not in last["errorDetail"]
    unread = await built("FROM busybox\nFOO bar\n")
    assert (unread.status, unread.message) == (
        400,
        "dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)",
    )


@pytest.mark.parametrize(
    ("steps", "command"),
    [
        (
            'ARG version\nARG other="two words"\nRUN echo $version\n',
            ["|2", "other=two words", "version=1", "/bin/sh", "-c", "echo $version"],
        ),
        ("RUN echo a b\n", ["/bin/sh", "-c", "echo a b"]),
        ('SHELL ["/bin/sh", "-ec"]\nRUN echo a b\n', ["/bin/sh", "-ec", "echo a b"]),
        ("ARG version\nENV A=b\nVOLUME /data\n", ["/bin/sh", "-c", "#(nop) ", "VOLUME [/data]"]),
        ('CMD ["a", "b c"]\n', ["/bin/sh", "-c", "#(nop) ", 'CMD ["a" "b c"]']),
    ],
)
async def test_the_last_step_s_command_is_in_container_config_below_1_45(
    socket_path: Path, steps: str, command: list[str]
) -> None:
    query = 'networkmode=none&t=stepped&buildargs={"version":"1"}'.replace('"', "%22")
    built = await ask(
        socket_path,
        "POST",
        f"/build?{query}",
        _context(f"FROM busybox\n{steps}"),
        {"Content-Type": "application/x-tar"},
    )
    assert b"Successfully tagged stepped:latest" in built.body
    old = (await ask(socket_path, "GET", "/v1.44/images/stepped/json")).json()
    assert old["ContainerConfig"]["Cmd"] == command
    assert old["ContainerConfig"]["Volumes"] == old["Config"]["Volumes"] and old["Config"]["Cmd"] != command
    assert "ContainerConfig" not in (await ask(socket_path, "GET", "/v1.45/images/stepped/json")).json()


async def test_a_committed_image_says_of_which_container_it_is_to_clients_below_1_45(socket_path: Path) -> None:
    body = json.dumps({"Image": "busybox", "Cmd": ["true"]}).encode()
    kind = {"Content-Type": "application/json"}
    container = (await ask(socket_path, "POST", "/containers/create", body, kind)).json()["Id"]
    await ask(socket_path, "POST", f"/commit?container={container}&repo=committed")
    version = (await ask(socket_path, "GET", "/version")).json()["Version"]

    async def shown(api: str, name: str = "committed") -> tuple[str | None, str | None]:
        image = (await ask(socket_path, "GET", f"/v{api}/images/{name}/json")).json()
        return image.get("Container"), image.get("DockerVersion")

    assert [await shown(api) for api in ("1.24", "1.44", "1.45", "1.51", "1.52")] == [
        (container, version),
        (container, version),
        (None, version),
        (None, version),
        (None, None),
    ]
    # what is built on it was not committed
    built = await ask(
        socket_path, "POST", "/build?t=upon", _context("FROM committed\nENV A=b\n"), {"Content-Type": "application/x-tar"}
    )
    assert b"Successfully tagged upon:latest" in built.body
    assert await shown("1.44", "upon") == ("", "")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", []),
        ("RUN /bin/sh -c make # buildkit", []),
        ("sleep 1", []),
        ("|1 x=1 /bin/true", ["|1", "x=1", "/bin/true"]),
        ("|x /bin/sh -c a", []),
        ("|0 a=1 /bin/sh -c a", []),
        ("|3 a=1 /bin/sh -c a", []),
        (f"|{'9' * 5000} a=1 /bin/sh -c a", []),
    ],
)
def test_a_history_s_text_that_may_be_no_step_of_the_classic_builder(text: str, command: list[str]) -> None:
    assert shims.step_command(text, None) == command


async def test_a_build_is_cancelled_by_its_id(socket_path: Path, engine: Engine) -> None:
    begun = engine.events.stream(filters={"type": ["container"], "event": ["start"]})
    text = _context("FROM busybox\nRUN sleep 1000\n")
    building = asyncio.ensure_future(
        ask(socket_path, "POST", "/build?networkmode=none&buildid=mine", text, {"Content-Type": "application/x-tar"})
    )
    await asyncio.wait_for(anext(begun), 30)
    await begun.aclose()
    assert (await ask(socket_path, "POST", "/build/cancel?id=other")).status == 200
    assert (await ask(socket_path, "POST", "/build/cancel?id=mine")).status == 200
    assert json.loads((await building).body.splitlines()[-1])["error"] == "the build was cancelled"
    assert await engine.containers.list(all=True) == []
