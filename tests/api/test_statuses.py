"""What the API answers to names that nothing has, wrong states and wrong values: the status is dockerd 28.5's, asked of it in the same words.

Where it answers 500 for a mistake of the client's, ours is 400.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api.wire import ask, differing
from api.world import Docker
from moby_tui.engine.engine import Engine
from moby_tui.schema.container import ContainerCreate, HostConfig

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
200 POST /images/nosuch/push?tag=x
200 POST /images/nosuch/push
400 POST /images/UPPER/push
400 POST /images/create?fromImage=127.0.0.1:1/a&tag=b&platform=foobar
400 POST /images/create?fromImage=127.0.0.1:1/a&tag=b&platform=linux/amd64/a/b
400 POST /images/create?fromSrc=-&repo=a&platform=foobar
500 POST /images/create?fromSrc=http://127.0.0.1:1/x.tar&repo=a
400 POST /images/create?fromSrc=ftp://127.0.0.1:1/x.tar&repo=a
400 POST /build/cancel
200 POST /build/cancel?id=nosuch
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
200 GET /v1.51.0/_ping
400 GET /v1.52.1/_ping
400 GET /v1/_ping
301 GET //info
301 GET /v1.51/containers//nosuch/json
301 GET /containers/%2Fnosuch/json?size=1
301 GET /volumes/..%2f..%2fetc
200 GET /containers/json?filters={"name":["("]}
200 GET /containers/json?filters={"id":["[a-"]}
200 GET /containers/json?filters={"status":null}
200 GET /containers/json?filters={"isolation":["x"]}
200 POST /build/prune?filters={"unused-for":["24h"]}&reserved-space=1000000000000
400 POST /build/prune?reserved-space=x
400 GET /plugins?filters=x
400 GET /plugins?filters={"nosuch":["a"]}
501 DELETE /containers/nosuch/checkpoints/x
400 POST /networks/bridge/disconnect
200 GET /images/busybox/json?platform=
403 POST /images/create?fromImage=scratch
400 POST /images/create?fromSrc=-&repo=a&platform=windows/amd64
201 POST /images/busybox/tag?repo=a:b&tag=c
200 GET /images/a:c/json
404 GET /images/a:b/json
"""
IN_STATES = {
    "runs": "304 start|409 unpause|201 exec|400 kill?signal=NOSUCH|409 DELETE|400 wait?condition=foo|409 rename?name=created|"
    "400 attach?detachKeys=foo|400 attach?stream=1&stdout=1&detachKeys=ctrl-|"
    "404 GET archive?path=/nosuch/|400 GET archive?path=/bin/sh%2F|400 GET archive?path=/bin/sh/x",
    "created": "409 kill|409 kill?signal=SIGRTMAX-1|400 kill?signal=RTMAX-31|409 pause|409 exec|304 stop|409 resize?h=1&w=1|409 GET top|"
    "400 restart?t=99999999999999999999|409 resize?h=70000&w=1",
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
    (400, {"RestartPolicy": {"MaximumRetryCount": 1}}),
    (400, {"IpcMode": "container:nosuch"}),
    (400, {"PidMode": "container:nosuch"}),
    (201, {"NetworkMode": "container:nosuch"}),
    (400, {"PortBindings": {"80-90/tcp": [{}]}}),
    (400, {"ConsoleSize": [-1, 2]}),
    (400, {"Annotations": {"": "x"}}),
    (400, {"Memory": 1}),
    (400, {"CapAdd": ["FOO"]}),
    (400, {"LogConfig": {"Type": "nosuch"}}),
    (400, {"Binds": ["/nosuch:/x", "/tmp:/x"]}),
    (201, {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "BindOptions": {}}]}),
    (400, {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "VolumeOptions": {}}]}),
    (400, {"Mounts": [{"Type": "volume", "Target": "/x", "TmpfsOptions": {}}]}),
    (400, {"Mounts": [{"Target": "/x"}]}),
]
#: What a container may be asked to run, and to be asked how it is: what it then shows.
SHOWN: list[tuple[dict[str, Any], str, Any]] = [
    ({"Healthcheck": {"Test": ["true"]}}, "Config.Healthcheck.Test", ["true"]),
    ({"Healthcheck": {"Test": ["CMD"]}}, "Config.Healthcheck.Test", ["CMD"]),
    ({"Healthcheck": {"Test": ["CMD-SHELL"]}}, "Config.Healthcheck.Test", ["CMD-SHELL"]),
    ({"Healthcheck": {"Test": [""]}}, "Config.Healthcheck.Test", [""]),
    ({"Cmd": [""], "HostConfig": {"NetworkMode": "none"}}, "Path", ""),
    ({"Cmd": ""}, "Config.Cmd", [""]),
    ({"HostConfig": {"PidsLimit": -1}}, "HostConfig.PidsLimit", None),
    ({"HostConfig": {"PidsLimit": 0}}, "HostConfig.PidsLimit", None),
    ({"HostConfig": {"PidsLimit": 5}}, "HostConfig.PidsLimit", 5),
    ({"HostConfig": {"ConsoleSize": [24]}}, "HostConfig.ConsoleSize", [24, 0]),
]


async def test_what_is_nowhere(socket_path: Path) -> None:
    rows = [line.split(maxsplit=2) for line in NOWHERE.split("\n") if line]
    answers = [await ask(socket_path, method, path) for _, method, path in rows]
    assert differing([(int(status), f"{method} {path}") for status, method, path in rows], answers) == []
    for answer, (_, method, path) in zip(answers, rows, strict=True):
        if answer.status >= 400 and method != "HEAD":
            # to a version that is too old dockerd answers in plain text
            plain = answer.headers["content-type"].startswith("text/plain")
            raw = answer.headers["content-type"] == "application/vnd.docker.raw-stream"
            assert b"too old" in answer.body if plain else answer.body if raw else answer.message, path
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
    assert differing(expected, answers) == []


async def test_creates(containers: Engine, socket_path: Path) -> None:
    answers = []
    for _, host in CREATED:
        body = json.dumps({"Image": "busybox", "HostConfig": {"NetworkMode": "none", **host}}).encode()
        answers.append(await ask(socket_path, "POST", "/containers/create", body, JSON))
    await containers.containers.unpause("paused")
    assert differing([(status, str(host)) for status, host in CREATED], answers) == []


async def test_what_is_accepted_and_shown(runs: Engine, socket_path: Path) -> None:
    for asked, place, expected in SHOWN:
        body = json.dumps({"Image": "busybox", "Cmd": ["sleep", "9"], **asked}).encode()
        made = await ask(socket_path, "POST", "/containers/create", body, JSON)
        assert made.status == 201, (asked, made.body)
        seen = (await ask(socket_path, "GET", f"/containers/{made.json()['Id']}/json")).json()
        for name in place.split("."):
            seen = seen[name]
        assert seen == expected, asked
        if place == "Path":
            started = await ask(socket_path, "POST", f"/containers/{made.json()['Id']}/start")
            assert (started.status, started.message) == (400, 'exec: "": executable file not found in $PATH')
            state = (await ask(socket_path, "GET", f"/containers/{made.json()['Id']}/json")).json()["State"]
            assert (state["Status"], state["ExitCode"]) == ("created", 127)
    for limit, shown in ((-1, 0), (7, 7), (0, 0)):
        await ask(socket_path, "POST", "/containers/runs/update", json.dumps({"PidsLimit": limit}).encode(), JSON)
        assert (await ask(socket_path, "GET", "/containers/runs/json")).json()["HostConfig"]["PidsLimit"] == shown


async def test_tests_of_health_that_cannot_be(busybox: str, engine: Engine, socket_path: Path) -> None:
    for test, checked in ((["true"], False), (["NONE", "x"], False), ([""], False), (["CMD"], True)):
        body = json.dumps(
            {
                "Image": "busybox",
                "Cmd": ["sleep", "1000"],
                "Healthcheck": {"Test": test, "Interval": 10**7},
                "HostConfig": {"NetworkMode": "none"},
            }
        )
        made = (await ask(socket_path, "POST", "/containers/create", body.encode(), JSON)).json()["Id"]
        told = engine.events.stream(filters={"container": [made], "event": ["health_status: unhealthy"]})
        assert (await ask(socket_path, "POST", f"/containers/{made}/start")).status == 204
        if checked:
            await asyncio.wait_for(anext(told), 30)
            [last, *_] = (await ask(socket_path, "GET", f"/containers/{made}/json")).json()["State"]["Health"]["Log"]
            assert 'exec: "": executable file not found in $PATH' in last["Output"]
        else:
            assert "Health" not in (await ask(socket_path, "GET", f"/containers/{made}/json")).json()["State"]
        await told.aclose()


@pytest.mark.parametrize("seconds", [0, 30], ids=["killed", "ends"])
async def test_what_goes_with_its_end_is_restarted_all_the_same(
    busybox: str, engine: Engine, socket_path: Path, seconds: int
) -> None:
    # the first process of a pid namespace takes no SIGTERM before it says so; in the host's it ends by it at any time
    host = HostConfig(network_mode="none", auto_remove=True, pid_mode="host" if seconds else "")
    await engine.containers.create(ContainerCreate(image="busybox", cmd=["sleep", "1000"], host_config=host), name="goes")
    assert (await ask(socket_path, "POST", "/containers/goes/start")).status == 204
    first = (await ask(socket_path, "GET", "/containers/goes/json")).json()["State"]
    events = engine.events.stream(filters={"container": ["goes"], "event": ["die", "start", "restart", "destroy"]})
    for _ in range(2):
        assert (await ask(socket_path, "POST", f"/containers/goes/restart?t={seconds}")).status == 204
        seen = (await ask(socket_path, "GET", "/containers/goes/json")).json()
        assert seen["State"]["Running"] and seen["State"]["Pid"] != first["Pid"] and seen["RestartCount"] == 0
        assert [(await asyncio.wait_for(anext(events), 30)).action for _ in range(3)] == ["die", "start", "restart"]
    assert (await ask(socket_path, "POST", "/containers/goes/kill")).status == 204
    assert [(await asyncio.wait_for(anext(events), 30)).action for _ in range(2)] == ["die", "destroy"]
    await events.aclose()


async def test_lists_by_network_and_past_events(runs: Engine, socket_path: Path) -> None:
    ident = (await ask(socket_path, "GET", "/networks/none")).json()["Id"]
    for wanted in ("none", ident, ident[:12]):
        rows = (await ask(socket_path, "GET", f'/containers/json?all=1&filters={{"network":["{wanted}"]}}')).json()
        assert len(rows) == 1, wanted
    until = (await ask(socket_path, "GET", "/info")).json()["SystemTime"]
    for query in (f"since=0&until={until}", f"until={until}"):
        events = (await ask(socket_path, "GET", f"/events?{query}".replace("+", "%2B"))).body.splitlines()
        assert sum(json.loads(event)["Action"] == "create" for event in events) == 1, query


async def test_a_container_that_is_missing_does_not_have_docker_pull_the_image(docker: Docker) -> None:
    done = await docker("run", "--rm", "--network", "none", "--volumes-from", "nosuch", "busybox", "true", check=False)
    assert done.status == 125 and "No such container: nosuch" in done.err
    assert "Unable to find image" not in done.err and "Pulling" not in done.err


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
    await events.aclose()


async def test_what_a_body_says_that_it_is(socket_path: Path) -> None:
    """Checked of an empty body too; a login is read whatever it says. A path with too many parts is answered with a redirect."""
    text = {"Content-Type": "text/plain"}
    for path in ("/volumes/create", "/networks/create", "/exec/nosuch/start"):
        for body, headers in ((b"", {"Content-Length": "0", **text}), (b"{}", text), (b"{}", {"Content-Type": "x/y/z"})):
            answer = await ask(socket_path, "POST", path, body, headers)
            told = f"unsupported Content-Type header ({headers['Content-Type']}): must be 'application/json'"
            assert (answer.status, answer.message) == (400, told)
    answer = await ask(socket_path, "POST", "/auth", b'{"serveraddress":"127.0.0.1:1","username":"a","password":"b"}', text)
    assert answer.status == 500 and "127.0.0.1:1" in answer.message
    answer = await ask(socket_path, "GET", "/v1.51/containers//a%20b/./json?size=1")
    assert (answer.status, answer.headers["location"]) == (301, "/v1.51/containers/a%20b/json?size=1")


async def test_what_objects_show_at_versions_of_the_api(busybox: str, socket_path: Path) -> None:
    """As dockerd 28.5 shows the same ones."""

    async def seen(path: str) -> Any:
        return (await ask(socket_path, "GET", path)).json()

    async def made(kind: str, body: dict[str, Any]) -> str:
        answer = await ask(socket_path, "POST", f"/{kind}", json.dumps(body).encode(), JSON)
        assert answer.status == 201, answer.body
        return str(answer.json()["Id"])

    network = await made("networks/create", {"Name": "net"})
    place = {"MacAddress": "02:42:ac:1f:00:09"}
    asked = {"Image": "busybox", "Cmd": ["sleep", "1000"], "User": "0:0", "ExposedPorts": {"80/tcp": {}}}
    host = {"NetworkMode": "net", "Annotations": {"a": "b"}}
    await made(
        "containers/create?name=in", {**asked, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": {"net": place}}}
    )
    for name, mode in (("joined", "container:in"), ("alone", "none")):
        await made(f"containers/create?name={name}", {**asked, "ExposedPorts": {}, "HostConfig": {"NetworkMode": mode}})
    for name in ("in", "joined", "alone"):
        assert (await ask(socket_path, "POST", f"/containers/{name}/start")).status == 204
    execution = await made("containers/in/exec", {"Cmd": ["true"], "DetachKeys": "ctrl-a,x"})

    rows = {row["Names"][0]: row for row in await seen("/v1.45/containers/json")}
    assert [rows[name]["Ports"] for name in ("/in", "/joined", "/alone")] == [[{"PrivatePort": 80, "Type": "tcp"}], [], []]
    assert "Annotations" not in rows["/in"]["HostConfig"]
    assert {row["Names"][0]: row for row in await seen("/v1.46/containers/json")}["/in"]["HostConfig"]["Annotations"] == {
        "a": "b"
    }
    container, joined = await seen("/v1.51/containers/in/json"), await seen("/v1.51/containers/joined/json")
    assert container["Config"]["MacAddress"] == place["MacAddress"] and container["HostConfig"]["LogConfig"]["Config"] == {}
    assert "MacAddress" not in (await seen("/v1.52/containers/in/json"))["Config"]
    assert "KernelMemory" not in (await seen("/v1.41/containers/in/json"))["HostConfig"]
    assert joined["NetworkSettings"]["SandboxID"] == joined["NetworkSettings"]["SandboxKey"] == ""
    shown = await seen(f"/exec/{execution}/json")
    assert (shown["ProcessConfig"]["user"], shown["DetachKeys"]) == ("0:0", "AXg=")
    assert (await ask(socket_path, "POST", "/containers/in/attach?detachKeys=%E2%82%AC")).status == 400
    [listed] = [row for row in await seen("/v1.24/networks") if row["Name"] == "net"]
    assert [member["Name"] for member in listed["Containers"].values()] == ["in"]
    assert all(not row["Containers"] for row in await seen("/v1.28/networks"))

    await ask(socket_path, "POST", "/containers/in/kill")
    await ask(socket_path, "POST", "/containers/in/wait")
    [row] = [row for row in await seen("/containers/json?all=1") if row["Names"] == ["/in"]]
    assert row["NetworkSettings"]["Networks"]["net"]["NetworkID"] == network
    assert (await seen("/containers/in/json"))["NetworkSettings"]["Networks"]["net"]["NetworkID"] == network

    image = (await seen("/v1.51/images/busybox/json"))["Config"]
    assert image.keys().isdisjoint({"Healthcheck", "Shell", "StopSignal", "ArgsEscaped", "Hostname"})
    old = await seen("/v1.44/images/busybox/json")
    assert old["ContainerConfig"] == old["Config"] and old["Config"]["Hostname"] == ""
    assert [image["Containers"] for image in (await seen("/v1.44/system/df"))["Images"]] == [3]
    assert (await seen("/v1.51/system/df?type=container"))["LayersSize"] == 0
    newest, former, oldest = await seen("/v1.51/info"), await seen("/v1.48/info"), await seen("/v1.24/info")
    assert newest["Swarm"] | {"NodeID": ""} == {
        **{"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False, "Error": ""},
        "RemoteManagers": None,
    }
    assert newest["FirewallBackend"] == {"Driver": "nftables"} and "FirewallBackend" not in former
    assert (newest["RuncCommit"], former["RuncCommit"]) == ({"ID": ""}, {"ID": "", "Expected": ""})
    assert newest["CDISpecDirs"] == ["/etc/cdi", "/var/run/cdi"] and oldest["SecurityOptions"] == ["seccomp", "cgroupns"]
    for name in ("in", "joined", "alone"):
        await ask(socket_path, "DELETE", f"/containers/{name}?force=1")
    assert (await ask(socket_path, "DELETE", "/networks/net")).status == 204


async def test_null_is_an_empty_body(containers: Engine, socket_path: Path) -> None:
    assert (await ask(socket_path, "POST", "/containers/runs/update", b"null", JSON)).status == 200
    assert (await ask(socket_path, "POST", "/exec/nosuch/start", b"null", JSON)).status == 404
    assert (await ask(socket_path, "POST", "/containers/create", b"null", JSON)).status == 400


async def test_what_a_network_and_a_place_in_it_show(busybox: str, socket_path: Path) -> None:
    pool = {"Subnet": "2001:db8:7::/64", "Gateway": "2001:db8:7::1"}
    body = json.dumps({"Name": "six", "IPAM": {"Config": [pool]}}).encode()
    assert (await ask(socket_path, "POST", "/networks/create", body, JSON)).status == 201
    network = (await ask(socket_path, "GET", "/networks/six")).json()
    assert not network["EnableIPv6"] and [pool, *network["IPAM"]["Config"][1:]] == network["IPAM"]["Config"]
    place = {"MacAddress": "02:42:ac:11:00:02"}
    asked = {
        "Image": "busybox",
        "Cmd": ["true"],
        "NetworkingConfig": {"EndpointsConfig": {"six": place}},
        "HostConfig": {"NetworkMode": "six"},
    }
    await ask(socket_path, "POST", "/containers/create?name=in", json.dumps(asked).encode(), JSON)
    for shown in ("02:42:ac:11:00:02", ""):
        places = (await ask(socket_path, "GET", "/containers/in/json")).json()["NetworkSettings"]["Networks"]
        assert (places["six"]["MacAddress"], places["six"]["GlobalIPv6Address"]) == (shown, "")
        assert (await ask(socket_path, "POST", "/containers/in/start")).status == 204
        assert (await ask(socket_path, "POST", "/containers/in/wait")).json()["StatusCode"] == 0
    await ask(socket_path, "DELETE", "/containers/in")
    assert (await ask(socket_path, "DELETE", "/networks/six")).status == 204


async def test_what_was_and_what_comes_of_a_container_that_does_not_run(busybox: str, engine: Engine, socket_path: Path) -> None:
    asked = ContainerCreate(image="busybox", cmd=["echo", "said"], host_config=NO_NETWORK)
    await engine.containers.create(asked, name="later")
    attached = engine.events.stream(filters={"event": ["attach"]})
    said = b"\1\0\0\0\0\0\0\5said\n"
    for times in (1, 2):
        path = "/containers/later/attach?logs=1&stream=1&stdout=1"
        attach = asyncio.ensure_future(ask(socket_path, "POST", path, headers={"Upgrade": "tcp", "Connection": "Upgrade"}))
        await asyncio.wait_for(anext(attached), 30)
        assert not attach.done()
        assert (await ask(socket_path, "POST", "/containers/later/start")).status == 204
        assert (await attach).body.count(said) >= times
    await attached.aclose()
