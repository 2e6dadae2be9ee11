"""What refusals say: the texts of dockerd 28.5, asked of it in the same words. Its own tests and scripts of users match them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from api.wire import ask
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig
from moby_tui.schema.exec import ExecCreate

JSON = {"Content-Type": "application/json"}
_KEY = "looking for beginning of object key string"
_VALUE = "looking for beginning of value"
MALFORMED = [
    *((text, "unexpected EOF") for text in ("{", '{"a"', '{"a":', '{"a":"b', "[", "nul", '{"a":-', '{"a":"\\u12')),
    ("{invalid", f"invalid character 'i' {_KEY}"),
    ('{"a":1,}', f"invalid character '}}' {_KEY}"),
    ("{\x01", f"invalid character '\\x01' {_KEY}"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
    ('{"a":01}', "invalid character '1' after object key:value pair"),
    ("[1 2]", "invalid character '2' after array element"),
    ("[1,]", f"invalid character ']' {_VALUE}"),
    ('{"a":[}', f"invalid character '}}' {_VALUE}"),
    ("x", f"invalid character 'x' {_VALUE}"),
    ("[']", f"invalid character '\\'' {_VALUE}"),
    ('{"a":\x7f}', f"invalid character '\\x7f' {_VALUE}"),
    ('{"a":é}', f"invalid character 'é' {_VALUE}"),
    ('{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
    ('{"a":-}', "invalid character '}' in numeric literal"),
    ('{"a":1.}', "invalid character '}' in numeric literal"),
    ("1e+x", "invalid character 'x' in numeric literal"),
    ('{"a":"b\nc"}', "invalid character '\\n' in string"),
    ('{"a":"\\x"}', "invalid escape sequence `\\x` in string"),
    ('{"a":"\\u12g4"}', "invalid escape sequence `\\u12g4` in string"),
    ("  ", "got EOF while reading request body"),
]
SIZES = [
    ("h=&w=1", 'height "": invalid syntax'),
    ("w=1", 'height "": invalid syntax'),
    ("h=1", 'width "": invalid syntax'),
    ("h=x&w=1", 'height "x": invalid syntax'),
    ("h=0x1&w=1", 'height "0x1": invalid syntax'),
    ("h=1&w=-100", 'width "-100": value out of range'),
    ("h=4294967296&w=1", 'height "4294967296": value out of range'),
]


async def test_malformed_json(socket_path: Path) -> None:
    async def message(path: str, body: bytes) -> str:
        answer = await ask(socket_path, "POST", path, body, JSON)
        assert answer.status == 400
        return answer.message

    assert [(text, await message("/containers/create", text.encode())) for text, _ in MALFORMED] == [
        (text, f"invalid JSON: {why}") for text, why in MALFORMED
    ]
    assert await message("/containers/create", b"{\xff}") == f"invalid JSON: invalid character '\\xff' {_KEY}"
    # a body is read before what it is about is looked up
    for path in (
        "/commit",
        "/containers/nosuch/update",
        "/containers/nosuch/exec",
        "/exec/nosuch/start",
        "/networks/nosuch/connect",
    ):
        assert await message(path, b"{invalid") == f"invalid JSON: invalid character 'i' {_KEY}", path
    assert await message("/commit", b"{}x") == "unexpected content after JSON"


async def test_sizes_of_a_terminal(runs: Engine, socket_path: Path) -> None:
    ident = await runs.containers.exec_create("runs", ExecCreate(cmd=["true"]))
    for path in ("/containers/runs/resize", f"/exec/{ident}/resize"):
        for size, why in SIZES:
            answer = await ask(socket_path, "POST", f"{path}?{size}")
            assert (answer.status, answer.message) == (400, f"invalid resize {why}"), size


async def test_an_exec_of_an_ended_container_is_not_resized(runs: Engine, socket_path: Path) -> None:
    ident = await runs.containers.exec_create("runs", ExecCreate(cmd=["sleep", "1000"]))
    assert (await ask(socket_path, "POST", f"/exec/{ident}/start", b'{"Detach":true}', JSON)).status == 200
    await runs.containers.kill("runs")
    answer = await ask(socket_path, "POST", f"/exec/{ident}/resize?h=40&w=40")
    assert answer.status == 409 and answer.message.endswith(" is not running")


@pytest.mark.parametrize("signal", ["0", "SIG42", "sig9", "nosuch"])
async def test_signals_that_there_are_not(runs: Engine, socket_path: Path, signal: str) -> None:
    answer = await ask(socket_path, "POST", f"/containers/runs/kill?signal={quote(signal)}")
    assert answer.status == 400 and answer.message.endswith(f"invalid signal: {signal}")
    assert (await runs.containers.inspect("runs")).state.running


async def test_what_older_versions_had_not(busybox: str, engine: Engine, socket_path: Path, tmp_path: Path) -> None:
    async def create(version: str, **values: object) -> tuple[int, str]:
        body = json.dumps({"Image": "busybox", **values}).encode()
        answer = await ask(socket_path, "POST", f"/v{version}/containers/create", body, JSON)
        return answer.status, answer.json()["Id"] if answer.status == 201 else answer.message

    networks: dict[str, object] = {"EndpointsConfig": {"one": {}, "two": {}}}
    refused = "Container cannot be created with multiple network endpoints: one, two"
    assert await create("1.43", NetworkingConfig=networks) == (400, refused)
    assert (await create("1.44", NetworkingConfig=networks))[0] == 201
    forced = {"Type": "bind", "Source": str(tmp_path), "Target": "/m", "ReadOnly": True}
    mounts = {"Mounts": [{**forced, "BindOptions": {"ReadOnlyForceRecursive": True}}]}
    assert await create("1.43", HostConfig=mounts) == (400, "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
    check = {"Test": ["CMD", "true"], "StartInterval": 5_000_000_000}
    for version, interval, alone in (("1.43", 0, True), ("1.44", 5_000_000_000, False)):
        status, ident = await create(version, Healthcheck=check, HostConfig={"Mounts": [forced]})
        assert status == 201
        made = await engine.containers.inspect(ident)
        assert made.config.healthcheck is not None and made.config.healthcheck.start_interval == interval
        [mount] = made.host_config.mounts or []
        assert (mount.bind_options is not None and mount.bind_options.read_only_non_recursive) == alone


async def test_a_network_before_1_47_has_ipv4(socket_path: Path) -> None:
    for version, expected in (("1.46", True), ("1.47", False)):
        body = json.dumps({"Name": "six", "EnableIPv4": False, "EnableIPv6": True}).encode()
        assert (await ask(socket_path, "POST", f"/v{version}/networks/create", body, JSON)).status == 201
        assert (await ask(socket_path, "GET", "/networks/six")).json()["EnableIPv4"] is expected
        await ask(socket_path, "DELETE", "/networks/six")


async def test_disk_usage_of_some_kinds(socket_path: Path) -> None:
    async def lists(version: str, query: str) -> list[str]:
        usage = (await ask(socket_path, "GET", f"/v{version}/system/df{query}")).json()
        return [name for name in ("Images", "Containers", "Volumes", "BuildCache") if usage[name] is not None]

    assert await lists("1.51", "?type=container&type=volume") == ["Containers", "Volumes"]
    assert await lists("1.51", "?type=build-cache") == ["BuildCache"]
    assert len(await lists("1.51", "")) == len(await lists("1.41", "?type=image")) == 4


async def test_aliases_and_directories_are_cleaned(busybox: str, engine: Engine) -> None:
    await engine.containers.create(ContainerCreate(image=busybox), name="one")
    for number, alias in enumerate(("two", "/two", "//two")):
        asked = ContainerCreate(image=busybox, host_config=HostConfig(links=[f"one:{alias}"]))
        await engine.containers.create(asked, name=f"other{number}")
        assert (await engine.containers.inspect(f"other{number}")).host_config.links == [f"/one:/other{number}/two"]
    for given, cleaned in (("/tmp/", "/tmp"), ("/a//b", "/a/b"), ("/a/../b/.", "/b"), ("//", "/"), ("", "")):
        made = await engine.containers.create(ContainerCreate(image=busybox, working_dir=given))
        assert (await engine.containers.inspect(made.id)).config.working_dir == cleaned


async def test_references_that_are_none(socket_path: Path) -> None:
    for name in ("busybox:sha256:" + "0" * 64, "a@sha256:x", "a b", ":x", "a:-"):
        body = json.dumps({"Image": name}).encode()
        answer = await ask(socket_path, "POST", "/containers/create", body, JSON)
        assert (answer.status, answer.message) == (400, "invalid reference format"), name


_SYSTEM = (
    r"OSAndVersion specifier component must match \"^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$\""
)
_PART = 'platform specifier component must match "^[A-Za-z0-9_.-]+$"'
PLATFORMS = [
    ("  ", rf'"  " is an invalid OS component of "  ": {_SYSTEM}'.replace(r"\"", '"')),
    ("/amd64", rf'"" is an invalid OS component of "/amd64": {_SYSTEM}'.replace(r"\"", '"')),
    ("li.nux", rf'"li.nux" is an invalid OS component of "li.nux": {_SYSTEM}'.replace(r"\"", '"')),
    ("linux/a b", f'"a b" is an invalid component of "linux/a b": {_PART}'),
    ("linux/amd64/", f'"" is an invalid component of "linux/amd64/": {_PART}'),
    ("linux/*", '"linux/*": wildcards not yet supported'),
    ("a/b/c/d", '"a/b/c/d": cannot parse platform specifier'),
    ("a/b/c/d/e", f'"d/e" is an invalid component of "a/b/c/d/e": {_PART}'),
    ("nintendo64", '"nintendo64": unknown operating system or architecture'),
]


@pytest.mark.parametrize(("platform", "why"), PLATFORMS)
async def test_what_is_no_platform(socket_path: Path, platform: str, why: str) -> None:
    for path in ("/containers/create?", "/images/create?fromImage=x&", "/images/create?fromSrc=-&"):
        body = json.dumps({"Image": "busybox"}).encode()
        answer = await ask(socket_path, "POST", f"{path}platform={quote(platform)}", body, JSON)
        assert (answer.status, answer.message) == (400, f"{why}: invalid argument"), path


async def test_platforms_of_other_systems(socket_path: Path) -> None:
    for platform, meant in (("macos/arm64", "darwin/arm64"), ("windows", "windows/amd64"), ("linux/s390x", "linux/s390x")):
        body = json.dumps({"Image": "busybox"}).encode()
        answer = await ask(socket_path, "POST", f"/containers/create?platform={platform}", body, JSON)
        assert answer.status == 404
        assert answer.message == (
            "image with reference busybox was found but its platform (linux/amd64) does not match the specified platform "
            f"({meant})"
        )
        if not platform.startswith("linux"):
            answer = await ask(socket_path, "POST", f"/images/create?fromSrc=-&platform={platform}", b"x")
            assert (answer.status, answer.message) == (400, "operating system is not supported")


@pytest.mark.parametrize("path", ["/session", "/grpc"])
async def test_connections_that_are_not_switched(socket_path: Path, path: str) -> None:
    for headers, why in (({}, "no upgrade proto in request"), ({"Upgrade": "Foo"}, "protocol Foo not supported")):
        answer = await ask(socket_path, "POST", path, headers=headers)
        assert (answer.status, answer.message) == (400, why)


@pytest.mark.parametrize("filters", ["{x", "[", "5", '{"a":1}', "x"])
async def test_filters_that_are_none(socket_path: Path, filters: str) -> None:
    for path in ("/images/json", "/containers/json", "/networks", "/volumes"):
        answer = await ask(socket_path, "GET", f"{path}?filters={quote(filters)}")
        assert (answer.status, answer.message) == (400, "invalid filter"), path
