"""Routing, versions, decoding and errors, byte by byte."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from api.wire import ask, head, read_head
from api.world import Served
from moby_tui.version import API_VERSION


async def test_ping_names_version_and_builder(served: Served) -> None:
    for method, body in (("GET", b"OK"), ("HEAD", b"")):
        answer = await ask(served.path, method, "/_ping")
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["api-version"] == API_VERSION
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["builder-version"] == "2"
        assert answer.headers["cache-control"].startswith("no-cache")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("DELETE", "/info"), ("POST", "/v1.40/containers/json")])
async def test_unknown_path_and_wrong_method_are_not_found(served: Served, method: str, path: str) -> None:
    answer = await ask(served.path, method, path)
    assert (answer.status, answer.message) == (404, "page not found")


async def test_versions_outside_what_we_speak_are_refused(served: Served) -> None:
    new = await ask(served.path, "GET", "/v1.99/info")
    assert (new.status, new.message) == (400, f"client version 1.99 is too new. Maximum supported API version is {API_VERSION}")
    old = await ask(served.path, "GET", "/v1.12/info")
    assert old.status == 400 and old.body.startswith(b"client version 1.12 is too old")
    assert (old.headers["content-type"], old.headers["x-content-type-options"]) == ("text/plain; charset=utf-8", "nosniff")
    assert (await ask(served.path, "POST", "/v1.24/volumes/prune")).message.endswith("requires minimum API version 1.25")


async def test_a_bare_path_is_the_newest_version(served: Served) -> None:
    assert "BridgeNfIptables" not in (await ask(served.path, "GET", "/info")).json()
    assert "BridgeNfIptables" in (await ask(served.path, "GET", "/v1.49/info")).json()


async def test_what_is_missing_is_told_by_name(served: Served) -> None:
    answer = await ask(served.path, "GET", "/containers/x/checkpoints")
    assert (answer.status, answer.message) == (501, "GET /containers/{ref}/checkpoints is not implemented yet")
    answer = await ask(served.path, "POST", "/plugins/pull?remote=127.0.0.1:1/x")
    assert answer.status == 501 and answer.message.startswith("plugins are not supported on this platform")
    answer = await ask(served.path, "GET", "/v1.44/swarm")
    assert answer.status == 503 and answer.message.startswith("This node is not a swarm manager.")


async def test_errors_have_a_status_and_not_modified_has_no_body(served: Served) -> None:
    answer = await ask(served.path, "GET", "/containers/x/json")
    assert (answer.status, answer.message, answer.headers["content-type"]) == (404, "No such container: x", "application/json")
    answer = await ask(served.path, "POST", "/containers/running/start")
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"{}", "text/plain", "unsupported Content-Type header (text/plain)"),
        (b"{", "application/json", "invalid JSON: "),
        (b"{} {}", "application/json", "unexpected content after JSON"),
        (b'{"Tty":"yes"}', "application/json", "invalid JSON: "),
        (b"\xff\xfe", "application/json", "invalid JSON: "),
        (b"[" * 100_000, "application/json", "invalid JSON: "),
    ],
)
async def test_bad_bodies_are_the_clients_fault(served: Served, body: bytes, content_type: str, message: str) -> None:
    answer = await ask(served.path, "POST", "/containers/create", body, {"Content-Type": content_type})
    assert answer.status == 400 and answer.message.startswith(message)
    assert not served.engine.containers.created


async def test_json_is_read_as_go_reads_it(served: Served) -> None:
    body = json.dumps(
        {"image": "a", "CMD": ["x"], "Unknown": 1, "hostconfig": {"binds": None, "AutoRemove": True, "LogConfig": None}}
    )
    answer = await ask(
        served.path, "POST", "/containers/create?name=n", body.encode(), {"Content-Type": "application/json; charset=utf-8"}
    )
    assert answer.status == 201 and answer.json()["Warnings"] == []
    [(config, name)] = served.engine.containers.created
    assert (config.image, config.cmd, config.host_config.auto_remove, name) == ("a", ["x"], True, "n")


async def test_a_body_over_the_limit_is_refused_unread(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", "/containers/create", {"Content-Type": "application/json", "Content-Length": str(2**40)}))
    assert (await read_head(reader))[0] == 400
    writer.close()


async def test_filters_come_as_lists_or_maps(served: Served) -> None:
    for text in ('{"label":["a"]}', '{"label":{"a":true,"b":false}}'):
        assert (await ask(served.path, "GET", f"/containers/json?filters={text}")).status == 200
    assert served.engine.containers.filters == [{"label": ["a"]}] * 2
    answer = await ask(served.path, "GET", '/containers/json?filters={"x":["1"]}')
    assert (answer.status, answer.message) == (400, "invalid filter 'x'")


async def test_unknown_filters_of_events_have_no_effect(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("GET", '/v1.51/events?filters={"x":["1"],"type":["container"]}'.replace('"', "%22")))
    assert (await read_head(reader))[0] == 200
    assert served.engine.events.filters == {"type": ["container"]}
    writer.close()


@pytest.mark.parametrize("size", ["-1", "%2B5", "4294967296", "", "x"])
async def test_terminal_sizes_are_unsigned_32_bit(served: Served, size: str) -> None:
    assert (await ask(served.path, "POST", f"/containers/c/resize?h={size}&w=80")).status == 400


async def test_pull_errors_have_a_status_before_the_first_line_only(served: Served) -> None:
    answer = await ask(served.path, "POST", "/images/create?fromImage=missing&tag=latest")
    assert (answer.status, answer.message) == (404, "pull access denied for missing")
    answer = await ask(served.path, "POST", "/images/create?fromImage=reg:5000/a/b&tag=sha256:00")
    assert served.engine.images.pulled[-1] == "reg:5000/a/b@sha256:00"
    first, last, rest = answer.body.split(b"\r\n")
    assert answer.status == 200 and rest == b""
    assert json.loads(first) == {"status": "Pulling", "id": "latest"}
    assert json.loads(last) == {"error": "manifest unknown", "errorDetail": {"message": "manifest unknown", "code": 404}}


async def test_wait_sends_its_head_at_once(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", "/containers/c/wait?condition=next-exit", {"Content-Length": "0"}))
    assert (await read_head(reader))[0] == 200
    served.engine.containers.exited.set()
    assert b'"StatusCode":7' in await asyncio.wait_for(reader.readuntil(b"}\n"), 5)
    writer.close()


async def test_events_send_their_head_at_once_and_end_with_the_client(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("GET", "/v1.51/events"))
    _, headers, _ = await read_head(reader)
    assert headers["content-type"] == "application/json"
    line = json.loads((await reader.readuntil(b"}\n")).partition(b"\r\n")[2])
    assert (line["status"], line["from"], line["Action"]) == ("start", "i", "start")
    assert served.engine.events.open == 1
    writer.close()
    for _ in range(100):
        if not served.engine.events.open:
            break
        await asyncio.sleep(0.05)
    assert served.engine.events.open == 0


async def test_a_change_goes_on_when_its_client_leaves(served: Served) -> None:
    _, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("POST", "/containers/c/stop", {"Content-Length": "0"}))
    await asyncio.wait_for(served.engine.containers.stopping.wait(), 5)
    writer.close()
    await asyncio.wait_for(served.engine.containers.stopped.wait(), 5)


async def test_logs_are_framed_unless_there_is_a_terminal(served: Served) -> None:
    answer = await ask(served.path, "GET", "/containers/c/logs?stdout=1&stderr=1")
    assert answer.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert answer.body == b"\x01\0\0\0\0\0\0\x04one\n\x02\0\0\0\0\0\0\x04two\n"
    assert (await ask(served.path, "GET", "/containers/c/logs")).status == 400


async def test_expect_continue_is_answered(served: Served) -> None:
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(head("PUT", "/containers/c/archive?path=/", {"Content-Length": "3", "Expect": "100-continue"}))
    assert (await read_head(reader))[0] == 100
    writer.write(b"tar")
    assert (await read_head(reader))[0] == 200
    assert served.engine.containers.uploaded == b"tar"
    writer.close()


async def test_an_unreadable_registry_login_counts_as_none(served: Served) -> None:
    for value in ("%%%", base64.b64encode(b"{").decode(), ""):
        answer = await ask(served.path, "POST", "/images/create?fromImage=a&tag=b", headers={"X-Registry-Auth": value})
        assert answer.status == 200
