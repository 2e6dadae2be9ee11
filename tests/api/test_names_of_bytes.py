"""File names, arguments and labels that are not UTF-8, through the API: Docker's server works with the bytes and writes U+FFFD for each."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path

import pytest

from api.wire import Answer, ask
from api.world import Docker
from moby_tui.api.client import lenient
from moby_tui.schema import base

JSON = {"Content-Type": "application/json"}
#: Makes ``/f<ff><fe>``, ``/d<e9>/ok`` and the link ``/l<ff>``, says a line and shows such a word in its arguments.
_SCRIPT = (
    r"""F=$(printf '\377'); printf x >"/f$F$(printf '\376')"; D=/$(printf 'd\351'); mkdir "$D"; echo a >"$D/ok"; """
    r"""ln -s "t$F" "/l$F"; printf 'out\377\n'; exec sh -c ": $F; while sleep 1000; do :; done" """
)
_NAMES = {"f%ff%fe": "f��", "d%e9": "d�", "d%e9/ok": "ok", "l%ff": "l�"}


@pytest.fixture
async def container(docker: Docker, socket_path: Path) -> Path:
    """The socket of an engine with a running container ``bytes``."""
    await docker("run", "-d", "--name", "bytes", "--network", "none", "busybox", "sh", "-c", _SCRIPT)
    while "out" not in (await ask(socket_path, "GET", "/containers/bytes/logs?stdout=1")).body.decode(errors="replace"):
        pass
    return socket_path


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as archive:
        return archive.getnames()


def stat(answer: Answer) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))
    return found


async def test_files(container: Path) -> None:
    changes = (await ask(container, "GET", "/containers/bytes/changes")).json()
    assert sorted(change["Path"] for change in changes) == ["/d�", "/d�/ok", "/f��", "/l�"]
    for path, shown in _NAMES.items():
        for method in ("HEAD", "GET"):
            answer = await ask(container, method, f"/containers/bytes/archive?path=/{path}")
            assert (answer.status, stat(answer)["name"]) == (200, shown)
    assert names(answer.body) == ["l\udcff"] and stat(answer)["linkTarget"] in ("t�", "/t�")
    folder = await ask(container, "GET", "/containers/bytes/archive?path=/d%e9")
    assert names(folder.body) == ["d\udce9", "d\udce9/ok"]
    exported = names((await ask(container, "GET", "/containers/bytes/export")).body)
    assert {"f\udcff\udcfe", "d\udce9/ok", "l\udcff"} <= set(exported)
    missing = await ask(container, "GET", "/containers/bytes/archive?path=/no%ff")
    assert missing.status == 404 and "/no�" in missing.message


async def test_files_put_in(container: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", encoding="utf-8", errors="surrogateescape") as archive:
        member = tarfile.TarInfo("up\udcff")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"y"))
    assert (await ask(container, "PUT", "/containers/bytes/archive?path=/d%e9", buffer.getvalue())).status == 200
    back = await ask(container, "GET", "/containers/bytes/archive?path=/d%e9/up%ff")
    assert names(back.body) == ["up\udcff"]


async def test_what_runs_and_what_it_says(container: Path) -> None:
    # ps writes a question mark for such a byte, or as it is
    assert (await ask(container, "GET", "/containers/bytes/top")).json()["Processes"]
    assert (await ask(container, "GET", "/containers/bytes/logs?stdout=1&details=1")).body.endswith(" out�\n".encode())
    body = b'{"Cmd":["sh","-c","printf %s $0","\xff"],"AttachStdout":true}'
    created = await ask(container, "POST", "/containers/bytes/exec", body, JSON)
    assert created.status == 201
    shown = await ask(container, "GET", f"/exec/{created.json()['Id']}/json")
    assert shown.json()["ProcessConfig"]["arguments"] == ["-c", "printf %s $0", "�"]
    said = await ask(container, "POST", f"/exec/{created.json()['Id']}/start", b"{}", JSON)
    assert said.body[8:] == "�".encode()


async def test_a_configuration(container: Path) -> None:
    body = b'{"Image":"busybox","Cmd":["\xff\xfe","\\udc80"],"Labels":{"k\xff":"v\xff"},"Env":["A=\xff"],"HostConfig":{"NetworkMode":"none"}}'
    created = await ask(container, "POST", "/containers/create?name=made", body, JSON)
    assert created.status == 201
    config = (await ask(container, "GET", "/containers/made/json")).json()["Config"]
    assert (config["Cmd"], config["Labels"], config["Env"][0]) == (["��", "�"], {"k�": "v�"}, "A=�")
    listed = (await ask(container, "GET", '/containers/json?all=1&filters={"label":["k%ff"]}')).json()
    assert [row["Names"] for row in listed] == [["/made"]]


@pytest.mark.parametrize(
    "path",
    [
        "GET /containers/x%ff/json",
        "POST /containers/create?name=x%ff",
        "POST /containers/bytes/rename?name=x%ff",
        "POST /containers/bytes/kill?signal=%ff",
        "GET /containers/bytes/top?ps_args=%ff",
        "GET /images/x%ff/json",
        "POST /images/busybox/tag?repo=x%ff",
        "GET /volumes/x%ff",
        "GET /networks/x%ff",
        "POST /build?t=x%ff",
    ],
)
async def test_names_that_nothing_has(container: Path, path: str) -> None:
    method, _, target = path.partition(" ")
    body = b'{"Image":"busybox"}' if "create" in target else b""
    answer = await ask(container, method, target, body, JSON)
    assert answer.status in (400, 404) and answer.message


def test_text_is_read_as_go_reads_it() -> None:
    read = {
        b'["\xff\xfe"]': ["��"],
        b'["\xe2\x82"]': ["��"],
        rb'["\udcff"]': ["�"],
        rb'["\ud83d\ude00"]': ["\N{GRINNING FACE}"],
        rb'["\ud83dx\ude00"]': ["�x�"],
        rb'["\\udcff", "\ud800"]': [r"\udcff", "�"],
    }
    for data, expected in read.items():
        assert lenient.decode(data, list[str]) == expected


def test_text_is_written_as_go_writes_it() -> None:
    assert base.decode(base.encode({"a\udcff": ["b\udcfe\udcff", {"c": 1}]}), object) == {"a�": ["b��", {"c": 1}]}
