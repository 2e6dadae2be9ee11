"""The parameter ``platform`` of save, push, inspect and history: statuses and texts are dockerd 28.5's, asked of it in the same words."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from api.wire import Answer, ask
from moby_tui.api.server import platforms
from moby_tui.engine.engine import Engine
from moby_tui.errors import InvalidArgument

AMD, ARM = '{"os":"linux","architecture":"amd64"}', '{"os":"linux","architecture":"arm64"}'
#: What is refused, whatever is asked, in JSON of an OCI platform.
REFUSED = {
    "linux/amd64": "failed to parse platform: invalid character 'l' looking for beginning of value",
    '{"os":"linux"}': "both OS and Architecture must be provided",
    '{"architecture":"amd64"}': "both OS and Architecture must be provided",
    "{}": "both OS and Architecture must be provided",
    "null": "both OS and Architecture must be provided",
    "[]": "failed to parse platform: json: cannot unmarshal array into Go value of type v1.Platform",
    '{"os":1}': "failed to parse platform: json: cannot unmarshal number into Go struct field Platform.os of type string",
    "{": "failed to parse platform: unexpected end of JSON input",
    AMD + "x": "failed to parse platform: invalid character 'x' after top-level value",
}
TAKEN = {
    AMD: "linux/amd64",
    '{"OS":"linux","Architecture":"amd64"}': "linux/amd64",
    '{"os":"linux","architecture":"arm","variant":"v7"}': "linux/arm/v7",
    '{"os":"linux","architecture":"amd64","x":1,"variant":null}': "linux/amd64",
    '{"os":"linux","architecture":"amd64","os.version":"1","os.features":["a"]}': "linux/amd64",
}
WHAT = ("GET /images/busybox/json", "GET /images/busybox/history", "GET /images/busybox/get", "GET /images/get?names=busybox")
MISMATCH = "image with reference {} was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)"
NO_TARGET = "no suitable export target found for platform linux/arm64"


async def request(path: Path, what: str, *texts: str, version: str = "1.51") -> Answer:
    method, target = what.split()
    query = "&".join(f"platform={quote(text)}" for text in texts)
    return await ask(path, method, f"/v{version}{target}{'&' if '?' in target else '?'}{query}")


@pytest.mark.parametrize("text", REFUSED)
async def test_what_is_no_platform(socket_path: Path, text: str) -> None:
    for what in (*WHAT, "POST /images/127.0.0.1:1/x/push?tag=1", "GET /images/missing/json", "POST /images/load"):
        answer = await request(socket_path, what, text)
        assert (answer.status, answer.message) == (400, REFUSED[text]), what


@pytest.mark.parametrize("text", TAKEN)
def test_how_it_is_read(text: str) -> None:
    assert platforms.decode(text) == TAKEN[text]


@pytest.mark.parametrize(
    "text", ["{1}", '{"a"', '{"a":', '{"a":1', '{"os":"linux",}', '"', "tru", "[" * 100_000, '{"os":"\ud800"}', "-", "NaN"]
)
def test_all_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        platforms.decode(text)
    assert "\n" not in refused.value.message


async def test_another_platform_than_the_image_has(socket_path: Path, engine: Engine) -> None:
    expected = [(404, MISMATCH.format("busybox"))] * 2 + [(500, NO_TARGET)] * 2
    answers = [await request(socket_path, what, ARM) for what in WHAT]
    assert [(answer.status, answer.message) for answer in answers] == expected
    ident = (await engine.images.inspect("busybox")).id
    answer = await request(socket_path, f"GET /images/{ident}/json", ARM)
    assert (answer.status, answer.message) == (404, MISMATCH.format(ident))


async def test_versions_that_have_no_platform_do_not_read_it(socket_path: Path) -> None:
    for what, since in zip(WHAT, ("1.49", "1.48", "1.48", "1.48"), strict=True):
        before = f"1.{int(since.partition('.')[2]) - 1}"
        assert (await request(socket_path, what, ARM, version=before)).status == 200
        assert (await request(socket_path, what, ARM, version=since)).status >= 400


async def test_several_platforms(socket_path: Path) -> None:
    for what in WHAT[2:]:
        answer = await request(socket_path, what, AMD, AMD)
        assert (answer.status, answer.message) == (400, "multiple platform parameters not supported")
        assert (await request(socket_path, what, AMD, AMD, version="1.52")).status == 200
    assert (await request(socket_path, WHAT[0], AMD, ARM)).status == 200  # the first counts
    answer = await request(socket_path, "GET /images/busybox/json?manifests=1", AMD)
    assert (answer.status, answer.message) == (400, "conflicting options: manifests and platform options cannot both be set")
    assert (await request(socket_path, "GET /images/busybox/json?manifests=1", AMD, version="1.48")).status == 200


async def test_a_push_is_refused_before_it_begins(socket_path: Path, engine: Engine) -> None:
    await engine.images.tag("busybox", "127.0.0.1:1/x:1")
    answer = await request(socket_path, "POST /images/127.0.0.1:1/x/push?tag=1", ARM)
    assert (answer.status, answer.message) == (404, MISMATCH.format("127.0.0.1:1/x:1"))


async def test_what_is_missing(socket_path: Path) -> None:
    for query in ("names=missing", "names=busybox&names=missing"):
        answer = await request(socket_path, f"GET /images/get?{query}", AMD)
        assert (answer.status, answer.message) == (404, "No such image: missing")
    answer = await request(socket_path, "GET /images/missing/json", ARM)
    assert (answer.status, answer.message) == (404, "No such image: missing:latest")


async def test_an_image_without_history(socket_path: Path) -> None:
    assert (await request(socket_path, "GET /images/busybox/history", AMD)).json() == []
