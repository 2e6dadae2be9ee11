"""Execs: the statuses and exit codes of dockerd 28.5, asked of it in the same words, and how their output is framed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.wire import Answer, ask
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate
from moby_tui.schema.exec import ExecCreate

JSON = {"Content-Type": "application/json"}
#: An exec, and the exit code that dockerd 28.5 keeps for it where it cannot begin. A variable without = is left out of its environment.
EXECS: list[tuple[dict[str, Any], int]] = [
    ({"WorkingDir": "/nosuch"}, 127),
    ({"WorkingDir": "/file"}, 127),
    ({"WorkingDir": "/locked", "User": "1000"}, 0),
    ({"Cmd": ["/file/x"]}, 127),
    ({"Cmd": ["/locked"]}, 126),
    ({"Cmd": ["/file"]}, 126),
    ({"Cmd": ["sh", "-c", "test $A = 1 && ! env | grep x"], "Env": ["", "x", "A=1"]}, 0),
]


async def test_exit_codes_of_execs(runs: Engine, socket_path: Path) -> None:
    async def run(**values: Any) -> int:
        body = json.dumps({"Cmd": ["true"], "AttachStdout": True, **values}).encode()
        made = (await ask(socket_path, "POST", "/containers/runs/exec", body, JSON)).json()["Id"]
        assert (await ask(socket_path, "POST", f"/exec/{made}/start", b"{}", JSON)).status == 200
        return int((await ask(socket_path, "GET", f"/exec/{made}/json")).json()["ExitCode"])

    assert await run(Cmd=["sh", "-c", "mkdir -m 700 /locked; touch /file"]) == 0
    assert [(values, await run(**values)) for values, _ in EXECS] == EXECS
    body = json.dumps({"Cmd": ["env"], "Env": ["=x"]}).encode()
    refused = await ask(socket_path, "POST", "/containers/runs/exec", body, JSON)
    assert (refused.status, refused.message) == (400, "invalid environment variable: =x: its name cannot be empty")


async def test_execs_of_a_run(runs: Engine, socket_path: Path) -> None:
    async def asked(**values: Any) -> Answer:
        return await ask(
            socket_path, "POST", "/containers/runs/exec", json.dumps({"Cmd": ["sleep", "1000"], **values}).encode(), JSON
        )

    async def shown() -> list[str] | None:
        return (await ask(socket_path, "GET", "/containers/runs/json")).json()["ExecIDs"]  # type: ignore[no-any-return]

    for user, message in (
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("0:nosuch", "unable to find group nosuch: no matching entries in group file"),
    ):
        refused = await asked(User=user)
        assert (refused.status, refused.message) == (400, message)
    assert await shown() is None
    never, running = (await asked()).json()["Id"], (await asked(User="0:0")).json()["Id"]
    assert (await ask(socket_path, "POST", f"/exec/{running}/start", b'{"Detach":true}', JSON)).status == 200
    assert sorted(await shown() or []) == sorted([never, running])
    seen = (await ask(socket_path, "GET", f"/exec/{running}/json")).json()
    assert (seen["Running"], seen["OpenStdout"], seen["ProcessConfig"]["user"]) == (True, False, "0:0")
    assert "user" not in (await ask(socket_path, "GET", f"/exec/{never}/json")).json()["ProcessConfig"]
    for step in ("stop?t=0", "start"):
        assert (await ask(socket_path, "POST", f"/containers/runs/{step}")).status == 204
        assert await shown() is None
        assert [(await ask(socket_path, "GET", f"/exec/{ident}/json")).status for ident in (never, running)] == [404, 200]
        assert (await ask(socket_path, "POST", f"/exec/{never}/start", b'{"Detach":true}', JSON)).status == 404
    assert (await ask(socket_path, "GET", f"/exec/{running}/json")).json()["ExitCode"] == 137
    assert (await ask(socket_path, "POST", "/containers/runs/restart?t=0")).status == 204
    state = (await ask(socket_path, "GET", "/containers/runs/json")).json()["State"]
    assert state["Running"] and "0001" < state["FinishedAt"] < state["StartedAt"]


async def test_term_follows_the_terminal_of_the_exec(engine: Engine, containers: Engine, socket_path: Path) -> None:
    async def term(container: str, tty: bool) -> bytes:
        ident = await engine.containers.exec_create(
            container, ExecCreate(cmd=["sh", "-c", "echo $TERM."], tty=tty, attach_stdout=True)
        )
        body = json.dumps({"Tty": True}).encode()
        return (await ask(socket_path, "POST", f"/exec/{ident}/start", body, JSON)).body.strip()

    idle = ["sleep", "1000"]
    for name, tty, env in (("plain", False, []), ("terminal", True, []), ("named", False, ["TERM=linux"])):
        await engine.containers.create(ContainerCreate(image="busybox", cmd=idle, tty=tty, env=env), name=name)
        await engine.containers.start(name)
    for name in ("plain", "terminal"):
        assert [await term(name, tty) for tty in (False, True)] == [b".", b"xterm."]
    assert [await term("named", tty) for tty in (False, True)] == [b"linux.", b"linux."]


async def test_a_paused_container_is_named_as_the_client_did(runs: Engine, socket_path: Path) -> None:
    await runs.containers.pause("runs")
    ident = (await ask(socket_path, "GET", "/containers/runs/json")).json()["Id"]
    for ref in ("runs", ident, ident[:8]):
        answer = await ask(socket_path, "POST", f"/containers/{ref}/exec", b'{"Cmd":["true"]}', JSON)
        assert (answer.status, answer.message) == (409, f"Container {ref} is paused, unpause the container before exec")
        answer = await ask(socket_path, "POST", f"/containers/{ref}/attach?stream=1")
        assert answer.headers["content-type"] == "application/vnd.docker.raw-stream"
        assert (answer.status, answer.body.decode()) == (
            409,
            f"container {ref} is paused, unpause the container before attach\r\n",
        )
    await runs.containers.unpause("runs")


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
