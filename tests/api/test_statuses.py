"""What the API answers to names that nothing has, wrong states and wrong values: the status is dockerd 28.5's, asked of it in the same words.

Where it answers 500 for a mistake of the client's, ours is 400.
"""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from api.wire import Answer, ask
from api.world import Docker
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, ExecCreate, HostConfig

JSON = {"Content-Type": "application/json"}
NO_NETWORK = HostConfig(network_mode="none")

NOWHERE = """
404 GET /containers/nosuch/json
404 GET /containers/nosuch/top
404 GET /containers/nosuch/logs?stdout=1
404 GET /containers/nosuch/changes
404 GET /containers/nosuch/export
404 GET /containers/nosuch/stats?stream=0
404 GET /containers/nosuch/archive?path=/
404 HEAD /containers/nosuch/archive?path=/
404 PUT /containers/nosuch/archive?path=/
400 GET /containers/nosuch/archive
404 POST /containers/nosuch/start
404 POST /containers/nosuch/stop
404 POST /containers/nosuch/restart
404 POST /containers/nosuch/kill
404 POST /containers/nosuch/pause
404 POST /containers/nosuch/unpause
404 POST /containers/nosuch/attach?stream=1&stdout=1
404 POST /containers/nosuch/wait
400 POST /containers/nosuch/wait?condition=foo
404 POST /containers/nosuch/rename?name=other
400 POST /containers/nosuch/rename
404 POST /containers/nosuch/resize?h=1&w=1
404 DELETE /containers/nosuch
404 GET /exec/nosuch/json
404 POST /exec/nosuch/start
404 GET /images/nosuch/json
404 GET /images/nosuch/history
404 GET /images/nosuch/get
404 POST /images/nosuch/tag?repo=a&tag=b
404 DELETE /images/nosuch
404 GET /volumes/nosuch
404 DELETE /volumes/nosuch
204 DELETE /volumes/nosuch?force=1
404 GET /networks/nosuch
200 GET /plugins
404 GET /plugins/nosuch/json
404 GET /plugins/a/b:c/json
404 DELETE /plugins/nosuch
404 POST /plugins/nosuch/disable
404 POST /plugins/nosuch/push
404 POST /plugins/nosuch/set
503 GET /swarm
503 GET /nodes
503 GET /services/x
503 GET /secrets/x
400 POST /commit
404 POST /commit?container=nosuch
400 POST /images/busybox/tag?repo=UPPER
400 POST /images/busybox/tag?repo=a&tag=$$
400 DELETE /images/UPPER
400 GET /containers/json?filters={"nosuch":["a"]}
400 GET /containers/json?filters={"status":["x"]}
400 GET /containers/json?filters={"is-task":["x"]}
400 GET /containers/json?filters={"publish":["x"]}
404 GET /containers/json?filters={"since":["nosuch"]}
404 GET /containers/json?filters={"before":["nosuch"]}
400 GET /volumes?filters={"nosuch":["a"]}
400 GET /images/json?filters={"nosuch":["a"]}
400 GET /events?since=2&until=1
404 GET /nosuch
404 PUT /info
400 GET /v1.99/info
"""
IN_STATES = {
    "runs": "304 start|409 unpause|201 exec|400 kill?signal=NOSUCH|409 DELETE|400 wait?condition=foo|409 rename?name=created",
    "created": "409 kill|409 pause|409 exec|304 stop|409 resize?h=1&w=1|409 GET top",
    "paused": "409 start|409 pause|409 exec|409 attach?stream=1&stdout=1|409 attach?logs=1&stdout=1|409 DELETE",
    "ended": "409 kill|304 stop|409 pause|409 exec|409 GET top",
}
CREATED: list[tuple[int, dict[str, Any]]] = [
    (400, {"VolumesFrom": ["nosuch"]}),
    (400, {"VolumesFrom": ["ended:foo"]}),
    (201, {"VolumesFrom": ["ended:ro"]}),
    (201, {"VolumeDriver": "nosuch"}),
    (404, {"VolumeDriver": "nosuch", "Binds": ["named:/x"]}),
    (
        404,
        {"Mounts": [{"Type": "volume", "Source": "vol", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "nosuch"}}}]},
    ),
    (400, {"Runtime": "nosuch"}),
    (201, {"Isolation": "default"}),
    (400, {"RestartPolicy": {"Name": "foo"}}),
    (400, {"Memory": 1}),
    (400, {"CapAdd": ["FOO"]}),
    (400, {"LogConfig": {"Type": "nosuch"}}),
    (400, {"Binds": ["/nosuch:/x", "/tmp:/x"]}),
]
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
]


@pytest.fixture
async def containers(busybox: str, engine: Engine) -> Engine:
    """One in each state, by its name."""
    for name, command in (("runs", "sleep"), ("paused", "sleep"), ("created", "sleep"), ("ended", "true")):
        asked = ContainerCreate(image="busybox", cmd=[command, "1000"], host_config=NO_NETWORK)
        await engine.containers.create(asked, name=name)
        if name != "created":
            await engine.containers.start(name)
    await engine.containers.pause("paused")
    waiting = await engine.containers.wait("ended")
    await waiting.result()
    await waiting.close()
    return engine


def _differing(expected: list[tuple[int, str]], answers: list[Answer]) -> list[str]:
    return [
        f"{what}: {answer.status} rather than {status}: {answer.body[:200]!r}"
        for (status, what), answer in zip(expected, answers, strict=True)
        if answer.status != status
    ]


async def test_what_is_nowhere(socket_path: Path) -> None:
    rows = [line.split(maxsplit=2) for line in NOWHERE.split("\n") if line]
    answers = [await ask(socket_path, method, path) for _, method, path in rows]
    assert _differing([(int(status), f"{method} {path}") for status, method, path in rows], answers) == []
    for answer, (_, method, path) in zip(answers, rows, strict=True):
        if answer.status >= 400 and method != "HEAD":
            assert answer.message, path
    assert (await ask(socket_path, "GET", "/plugins/nosuch/json")).message == 'plugin "nosuch" not found'


async def test_wrong_states(containers: Engine, socket_path: Path) -> None:
    expected, answers = [], []
    for name, rows in IN_STATES.items():
        for row in rows.split("|"):
            status, _, what = row.partition(" ")
            method, what = ("GET", what[4:]) if what.startswith("GET ") else ("POST", what)
            if what == "DELETE":
                method, what = "DELETE", ""
            body = json.dumps({"Cmd": ["true"]}).encode() if what == "exec" else b""
            answers.append(await ask(socket_path, method, f"/containers/{name}/{what}".rstrip("/"), body, JSON))
            expected.append((int(status), f"{name}: {method} {what}"))
    await containers.containers.unpause("paused")
    assert _differing(expected, answers) == []


async def test_creates(containers: Engine, socket_path: Path) -> None:
    answers = []
    for _, host in CREATED:
        body = json.dumps({"Image": "busybox", "HostConfig": {"NetworkMode": "none", **host}}).encode()
        answers.append(await ask(socket_path, "POST", "/containers/create", body, JSON))
    await containers.containers.unpause("paused")
    assert _differing([(status, str(host)) for status, host in CREATED], answers) == []


async def test_a_container_that_is_missing_does_not_have_docker_pull_the_image(docker: Docker) -> None:
    done = await docker("run", "--rm", "--network", "none", "--volumes-from", "nosuch", "busybox", "true", check=False)
    assert done.status == 125 and "No such container: nosuch" in done.err
    assert "Unable to find image" not in done.err and "Pulling" not in done.err


async def test_build_parameters(socket_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as context:
        member = tarfile.TarInfo("Dockerfile")
        text = b"FROM busybox\nLABEL a=b\n"
        member.size = len(text)
        context.addfile(member, io.BytesIO(text))
    answers = [
        await ask(socket_path, "POST", f"/build?{parameter}", buffer.getvalue(), {"Content-Type": "application/x-tar"})
        for _, parameter in BUILDS
    ]
    assert _differing(BUILDS, answers) == []
    assert all(b'"error"' not in answer.body for answer in answers)


@pytest.mark.parametrize(
    "archive", [b"garbage" * 1000, b"", b"\0" * 10240, b"\x1f\x8b\x08\0garbage"], ids=["text", "empty", "end", "gzip"]
)
async def test_load_tells_of_garbage_in_its_stream(socket_path: Path, archive: bytes) -> None:
    answer = await ask(socket_path, "POST", "/images/load", archive, {"Content-Type": "application/x-tar"})
    assert answer.status == 200
    last = json.loads(answer.body.strip().split(b"\r\n")[-1])
    assert last["error"] and last["errorDetail"]["message"] == last["error"]


@pytest.mark.parametrize("of_start", [False, True], ids=["framed", "raw"])
@pytest.mark.parametrize("of_create", [False, True], ids=["pipes", "terminal"])
async def test_frames_of_an_exec_follow_its_start(containers: Engine, socket_path: Path, of_create: bool, of_start: bool) -> None:
    asked = ExecCreate(cmd=["sh", "-c", "echo out; exec nosuch"], tty=of_create, attach_stdout=True)
    end = b"\r\n" if of_create else b"\n"
    for command in (["echo", "out"], ["nosuch"]):
        asked.cmd = command
        execution = await containers.containers.exec_create("runs", asked)
        body = json.dumps({"Tty": of_start}).encode()
        upgrade = {**JSON, "Upgrade": "tcp", "Connection": "Upgrade"}
        answer = await ask(socket_path, "POST", f"/v1.44/exec/{execution}/start", body, upgrade)
        kind = "application/vnd.docker.raw-stream" if of_start else "application/vnd.docker.multiplexed-stream"
        assert (answer.status, answer.headers["content-type"]) == (101, kind)
        said = answer.body if of_start else answer.body[8:]
        assert said == b"out" + end if command[0] == "echo" else b"executable file not found" in said
        if not of_start:
            assert answer.body[:8] == b"\1\0\0\0" + len(said).to_bytes(4, "big")


async def test_a_list_quotes_arguments_with_spaces(socket_path: Path, docker: Docker) -> None:
    commands = {
        ("sh", "-c", "exit 7"): "sh -c 'exit 7'",
        ("sh",): "sh",
        ("echo", "it's two"): "echo 'it's two'",
        ("echo", "a\tb", ""): "echo a\tb ",
    }
    for words in commands:
        await docker("create", "--network", "none", "busybox", *words)
    rows = (await ask(socket_path, "GET", "/containers/json?all=1")).json()
    assert sorted(row["Command"] for row in rows) == sorted(commands.values())
    assert "\"sh -c 'exit 7'\"" in (await docker("ps", "-a", "--no-trunc", "--format", "{{.Command}}")).out


@pytest.mark.parametrize("policy", ["no", "always"])
async def test_the_end_of_a_renamed_container_is_told_under_its_new_name(
    containers: Engine, socket_path: Path, policy: str
) -> None:
    host = json.dumps({"NetworkMode": "none", "RestartPolicy": {"Name": policy}})
    body = f'{{"Image":"busybox","Cmd":["sleep","1000"],"HostConfig":{host}}}'.encode()
    await ask(socket_path, "POST", "/containers/create?name=former", body, JSON)
    await ask(socket_path, "POST", "/containers/former/start")
    events = containers.events.stream(filters={"container": ["latter"], "event": ["die", "oom", "stop"]})
    assert (await ask(socket_path, "POST", "/containers/former/rename?name=latter")).status == 204
    assert (await ask(socket_path, "POST", "/containers/latter/stop?t=0")).status == 204
    seen = [(await asyncio.wait_for(anext(events), 30)) for _ in range(2)]
    assert [(event.action, event.actor.attributes["name"]) for event in seen] == [("die", "latter"), ("stop", "latter")]
    await events.aclose()  # type: ignore[attr-defined]


async def test_null_is_an_empty_body(containers: Engine, socket_path: Path) -> None:
    assert (await ask(socket_path, "POST", "/containers/runs/update", b"null", JSON)).status == 200
    assert (await ask(socket_path, "POST", "/exec/nosuch/start", b"null", JSON)).status == 404
    assert (await ask(socket_path, "POST", "/containers/create", b"null", JSON)).status == 400
