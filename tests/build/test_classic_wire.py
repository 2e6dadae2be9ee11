"""``POST /build`` without a session, as the classic builder of dockerd 28.5.2 answers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from api.wire import Answer, ask
from build.building import context, pieces, run
from moby_tui.api.server.serve import serving
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate

#: What a step writes comes in pieces of its own, so that no two pieces of one stream are told in one line.
FAILING = 'FROM busybox\nRUN echo a >&2; sleep 1; echo b; sleep 1; printf "c\\nd" >&2; exit 3\n'
STEPS = "FROM busybox\nENV FOO=bar\nRUN touch baz\nCOPY a /a\nRUN touch bax\n"


@pytest.fixture
async def socket_path(engine: Engine, busybox: str, tmp_path: Path) -> Any:
    async with serving(engine, [f"unix://{tmp_path}/s"]):
        yield tmp_path / "s"


async def built(path: Path, text: str, *parameters: str) -> Answer:
    query = "&".join(("networkmode=none", *parameters))
    body = context(text, {"a": b"a"})
    return await ask(path, "POST", f"/build?{query}", body, {"Content-Type": "application/x-tar"})


def streams(answer: Answer) -> list[str]:
    return [line.get("stream", "") for line in map(json.loads, answer.body.splitlines())]


async def test_standard_error_is_red(socket_path: Path) -> None:
    answer = await built(socket_path, FAILING)
    *told, last = streams(answer)
    assert [line for line in told if not line.startswith(("Step ", " --->")) and line != "\n"] == [
        "\x1b[91ma\n\x1b[0m",
        "b\n",
        "\x1b[91mc\nd\x1b[0m",
    ]
    assert last == "" and json.loads(answer.body.splitlines()[-1])["errorDetail"]["code"] == 3


async def test_a_quiet_build_that_fails_tells_all(socket_path: Path) -> None:
    answer = await built(socket_path, FAILING, "q=1")
    assert answer.status == 200
    assert "\x1b[91ma\n\x1b[0m" in streams(answer) and b'"code":3' in answer.body
    assert (await built(socket_path, "FROM busybox\nFOO bar\n", "q=1")).status == 400
    *told, ident = streams(await built(socket_path, STEPS, "q=1"))
    assert told == [""] and ident.startswith("sha256:")


async def count_cached(path: Path, *names: str, text: str = STEPS) -> int:
    parameter = (f"cachefrom={quote(json.dumps(names))}",) if names else ()
    answer = await built(path, text, *parameter, "t=again")
    assert (answer.status, b'"error"' in answer.body) == (200, False)
    return sum("Using cache" in line for line in streams(answer))


async def test_only_steps_of_the_named_images_count_as_cached(socket_path: Path) -> None:
    await built(socket_path, STEPS, "t=first")
    await built(socket_path, "FROM busybox\nENV FOO=bar\nRUN touch baz\n", "t=below")
    assert await count_cached(socket_path) == 4
    assert await count_cached(socket_path, "first") == 4
    assert await count_cached(socket_path, "below") == 2
    assert await count_cached(socket_path, "busybox") == 0
    assert await count_cached(socket_path, "nosuch", "UPPER") == 0
    assert await count_cached(socket_path, "nosuch", "first") == 4
    changed = STEPS.replace("touch baz", "touch other")
    assert await count_cached(socket_path, "first", text=changed) == 1


async def test_an_image_from_elsewhere_is_a_cache_by_its_history(socket_path: Path, engine: Engine) -> None:
    await built(socket_path, STEPS, "t=first")
    saved = b"".join([piece async for piece in engine.images.save(["first"])])
    await engine.images.remove("first")
    await engine.builder.prune(all=True)
    async for _ in engine.images.load(pieces(saved)):
        pass
    assert await count_cached(socket_path, "first") == 4
    assert await run(engine, "again", ["sh", "-c", "ls /ba? /a; echo $FOO"]) == (0, "/a\n/bax\n/baz\nbar\n")
    changed = STEPS.replace("touch baz", "touch other")
    assert await count_cached(socket_path, "first", text=changed) == 1


async def test_triggers_run_before_the_id_of_their_base(socket_path: Path, engine: Engine) -> None:
    """As dockerd 28.5.2 does: no step and no id of their own. The name of an instruction is shown as it is written."""
    await built(socket_path, "FROM busybox\nONBUILD RUN   echo ran\nONBUILD ENV A=b\n", "t=base")
    text = "from   base\nrun   echo own\n"
    for between in (["ran\n"], []):
        lines = [line for line in streams(await built(socket_path, text)) if not line.startswith((" ---> R", " ---> Using"))]
        first, executing, *told = [f"{line.strip()}\n" for line in lines if line.strip()]
        assert [first, executing] == ["Step 1/2 : from   base\n", "# Executing 2 build triggers\n"]
        assert told[: len(between)] == between
        base, second, *_ = told[len(between) :]
        assert base.startswith("---> ") and second == "Step 2/2 : run   echo own\n"


async def test_the_cache_does_not_outlive_the_images_that_it_has_made(socket_path: Path, engine: Engine) -> None:
    await built(socket_path, STEPS, "t=first")
    await built(socket_path, "FROM busybox\nENV FOO=bar\nRUN touch baz\n", "t=below")
    await engine.images.remove("first")
    assert await count_cached(socket_path) == 2
    await engine.images.remove("below")
    assert await count_cached(socket_path) == 4
    await engine.images.remove("again")
    assert await count_cached(socket_path) == 0


@pytest.mark.parametrize(
    ("parameter", "kept"),
    [("rm=1", ["failed"]), ("rm=0", ["failed", "well"]), ("forcerm=1", []), ("rm=0&forcerm=1", []), ("", ["failed"])],
)
async def test_the_containers_of_steps_that_stay(socket_path: Path, engine: Engine, parameter: str, kept: list[str]) -> None:
    answer = await built(
        socket_path, "FROM busybox\nENV A=b\nRUN echo well > /file\nRUN echo failed > /file; exit 7\n", parameter
    )
    assert json.loads(answer.body.splitlines()[-1])["errorDetail"]["code"] == 7
    stayed = await engine.containers.list(all=True)
    assert sorted(row.command.split()[3] for row in stayed) == kept
    assert sum(" ---> Removed" in line for line in streams(answer)) == (0 if "well" in kept else 1)
    for row in stayed:
        # its files are there to be looked at, and its image to be started again
        await engine.containers.start(row.id)
        ended = await (await engine.containers.wait(row.id)).result()
        assert ended.status_code == (7 if "failed" in row.command else 0)
        assert await engine.containers.commit(row.id)
        await engine.containers.remove(row.id)


async def test_a_volume_on_a_file_is_refused(socket_path: Path) -> None:
    answer = await built(socket_path, "FROM busybox\nRUN echo a > /file\nVOLUME /dir /file\n")
    assert "cannot mount volume over existing file, file exists /file" in json.loads(answer.body.splitlines()[-1])["error"]
    answer = await built(socket_path, "FROM busybox\nVOLUME /etc /nosuch\n")
    assert b'"error"' not in answer.body


async def test_an_unknown_target_is_named(socket_path: Path) -> None:
    for target in ("nosuch", "1"):
        answer = await built(socket_path, "FROM busybox AS base", f"target={target}")
        assert (answer.status, answer.message) == (400, f'target stage "{target}" could not be found')


async def test_the_order_of_ports_makes_no_other_image(socket_path: Path) -> None:
    first, second = [
        streams(await built(socket_path, f"FROM busybox\nEXPOSE {ports}\n", "q=1"))[-1] for ports in ("80 9/udp", "9/udp 80")
    ]
    assert first == second and first.startswith("sha256:")


async def test_run_of_an_empty_list_is_what_the_image_runs(socket_path: Path, engine: Engine) -> None:
    await built(socket_path, 'FROM busybox\nENTRYPOINT ["sh", "-c"]\nCMD ["echo ran > /file"]\nRUN []\n', "t=ran")
    assert await run(engine, "ran", ["cat /file"]) == (0, "ran\n")
    answer = await built(socket_path, "FROM busybox\nENTRYPOINT []\nCMD []\nRUN []\n")
    assert "no command specified" in json.loads(answer.body.splitlines()[-1])["error"]


async def test_containers_by_the_image_below_theirs(socket_path: Path, engine: Engine) -> None:
    await built(socket_path, "FROM busybox\nENV A=b\n", "t=below")
    await built(socket_path, "FROM below\nRUN touch a\n", "t=above")
    await built(socket_path, "FROM busybox\nENV A=c\n", "t=beside")
    for name in ("busybox", "below", "above", "beside"):
        await engine.containers.create(ContainerCreate(image=name, cmd=["true"]), name=name)
    for image, names in {
        "busybox": {"busybox", "below", "above", "beside"},
        "below": {"below", "above"},
        "above": {"above"},
        "beside": {"beside"},
        "nosuch": set(),
    }.items():
        found = await engine.containers.list(all=True, filters={"ancestor": [image]})
        assert {row.names[0].lstrip("/") for row in found} == names, image
