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
