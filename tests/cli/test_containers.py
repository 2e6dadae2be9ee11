"""The commands around a container: ps, logs, inspect, events, cp and the rest, each a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
Begin = Callable[..., "subprocess.Popen[bytes]"]
ALONE = ("--network", "none")


@pytest.fixture
def web(box: Cli) -> Cli:
    """The command line, with a container ``web`` that runs."""
    box("run", "-d", "--name", "web", "-l", "role=server", *ALONE, "box", "sh", "-c", "echo started; exec sleep 1000")
    return box


def test_ps(web: Cli) -> None:
    lines = web("ps").stdout.splitlines()
    assert lines[0].split("   ")[0] == "CONTAINER ID"
    assert lines[1].split()[-1] == "web"
    assert '"sh -c ' in lines[1]
    assert " Up " in lines[1]
    assert web("ps", "--format", "{{.Names}} {{.Image}} {{.State}} {{.Labels}}").stdout == "web box running role=server\n"
    assert json.loads(web("ps", "--format", "json").stdout)["Names"] == "web"
    assert web("ps", "-f", "label=role=client").stdout.count("\n") == 1
    web("kill", "web")
    web("wait", "web")
    assert web("ps", "-q").stdout == ""
    assert "Exited (137)" in web("ps", "-a").stdout
    assert "Exited (137)" in web("container", "ls", "--latest").stdout


def test_inspect(web: Cli) -> None:
    [container] = json.loads(web("inspect", "web").stdout)
    assert container["Name"] == "/web"
    assert container["State"]["Running"] is True
    assert web("inspect", "-f", "{{.State.Status}} {{json .Config.Labels}}", "web").stdout == 'running {"role":"server"}\n'
    assert json.loads(web("inspect", "--type", "image", "box").stdout)[0]["RepoTags"] == ["box:latest"]
    done = web("inspect", "none-such", check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 1)
    assert done.stderr == "moby: No such object: none-such\n"


def test_logs_follow_until_the_end(box: Cli, begin: Begin) -> None:
    box(
        "run",
        "-d",
        "--name",
        "talks",
        *ALONE,
        "box",
        "sh",
        "-c",
        "for i in 1 2 3; do echo line $i; sleep 0.3; done; echo bad >&2",
    )
    process = begin("logs", "-f", "talks")
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == (b"line 1\nline 2\nline 3\n", b"bad\n", 0)
    assert box("logs", "-n", "1", "talks").stdout + box("logs", "--tail", "1", "talks").stderr == "bad\n"
    assert box("logs", "-n", "0", "talks").stdout == ""
    stamped = box("logs", "-t", "talks").stdout.splitlines()
    assert stamped[0].endswith("Z line 1")


def test_lifecycle(web: Cli) -> None:
    assert web("pause", "web").stdout == "web\n"
    assert "(Paused)" in web("ps").stdout
    web("unpause", "web")
    web("rename", "web", "site")
    assert web("restart", "-t", "0", "site").stdout == "site\n"
    done = web("rm", "site", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("moby: ")
    assert web("rm", "-f", "site", "none-such").stdout == "site\n"
    assert web("ps", "-aq").stdout == ""


def test_each_of_several_is_tried(web: Cli) -> None:
    done = web("stop", "-t", "0", "none-such", "web", check=False)
    assert (done.stdout, done.returncode) == ("web\n", 1)
    assert done.stderr.lower().startswith("moby: no such container")


def test_events(web: Cli) -> None:
    web("kill", "web")
    web("wait", "web")
    lines = web("events", "--since", "10m", "--until", "0s", "--format", "{{.Type}} {{.Action}}").stdout.splitlines()
    wanted = iter(lines)
    assert all(event in wanted for event in ("container create", "container start", "container die")), lines
    line = next(line for line in web("events", "--since", "10m", "--until", "0s", "-f", "event=die").stdout.splitlines())
    assert "container die" in line
    assert "exitCode=137" in line


def test_copy(web: Cli, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_text("content\n")
    web("cp", str(tree), "web:/tmp")
    assert web("exec", "web", "cat", "/tmp/tree/sub/file").stdout == "content\n"
    web("cp", f"{tree}/.", "web:/root")
    assert web("exec", "web", "cat", "/root/sub/file").stdout == "content\n"
    web("cp", str(tree / "sub" / "file"), "web:/tmp/renamed")
    assert web("exec", "web", "cat", "/tmp/renamed").stdout == "content\n"
    web("cp", "web:/tmp/tree", str(tmp_path / "back"))
    assert (tmp_path / "back" / "sub" / "file").read_text() == "content\n"
    web("cp", "web:/tmp/renamed", str(tmp_path))
    assert (tmp_path / "renamed").read_text() == "content\n"
    done = web("cp", "web:/no/such", str(tmp_path), check=False)
    assert done.returncode == 1
    assert "web" in done.stderr or "/no/such" in done.stderr


def test_top_diff_port_stats(web: Cli) -> None:
    assert "sleep 1000" in web("top", "web").stdout
    web("exec", "web", "touch", "/tmp/new")
    assert "A /tmp/new" in web("diff", "web").stdout.splitlines()
    assert web("port", "web").stdout == ""
    row = json.loads(web("stats", "--no-stream", "--format", "json", "web").stdout)
    assert row["Name"] == "web"
    assert row["MemUsage"].count("B") == 2


def test_images(box: Cli) -> None:
    assert box("images", "--format", "{{.Repository}}:{{.Tag}}").stdout == "box:latest\n"
    box("tag", "box", "other:v1")
    assert box("images").stdout.splitlines()[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert "Untagged: " in box("rmi", "other:v1").stdout
    assert box("history", "-q", "box").returncode == 0
    assert box("rmi", "none-such", check=False).returncode == 1


def test_volumes_and_networks(box: Cli) -> None:
    assert box("volume", "create", "data").stdout == "data\n"
    assert box("volume", "ls", "-q").stdout == "data\n"
    assert json.loads(box("volume", "inspect", "data").stdout)[0]["Driver"] == "local"
    assert box("volume", "rm", "data").stdout == "data\n"
    assert "bridge" in box("network", "ls", "--format", "{{.Name}}").stdout.split()


def test_system(web: Cli) -> None:
    assert json.loads(web("info", "-f", "json").stdout)["ContainersRunning"] == 1
    assert "Containers: 1" in web("info").stdout
    assert web("system", "df").stdout.split()[:3] == ["TYPE", "TOTAL", "ACTIVE"]
    web("kill", "web")
    web("wait", "web")
    assert "Are you sure" in web("container", "prune", input="n\n").stdout
    assert len(web("ps", "-aq").stdout.split()) == 1
    assert "Total reclaimed space" in web("container", "prune", "-f").stdout
    assert web("ps", "-aq").stdout == ""


def test_ports_as_filters_mean_the_hosts_and_the_containers(box: Cli) -> None:
    for filter in ("publish=x", "publish=70000", "expose=80-65536"):
        key, _, text = filter.partition("=")
        assert f"error while looking up for {key} {text}: " in box("ps", "--filter", filter, "-a", check=False).stderr
    box("create", "--name", "web", "-p", "127.0.0.1:8787:80", "--expose", "53/udp", "box", "true")

    def found(filter: str) -> str:
        return box("ps", "-a", "--filter", filter, "--format", "{{.Names}}").stdout

    for filter in ("publish=8787", "publish=8780-8790/tcp", "expose=80", "expose=53/udp", "expose=70-80"):
        assert found(filter) == "web\n", filter
    for filter in ("publish=80", "publish=8787/udp", "expose=8787", "expose=53"):
        assert found(filter) == "", filter
    assert "error while looking up for publish x" in box("ps", "--filter", "publish=x", "-a", check=False).stderr
    assert (found("name=^/?w.b$"), found("name=("), found("name=(.+)+x")) == ("web\n", "", "")


def test_templates_of_dockers_documentation(box: Cli) -> None:
    box("create", "--name", "web", "-l", "role=server", "-e", "A=b", "-p", "127.0.0.1:8787:80", "box", "true")
    for template, text in {
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}|{{.NetworkSettings.IPAddress}}": "|",
        '{{(index (index .HostConfig.PortBindings "80/tcp") 0).HostPort}}': "8787",
        "{{range $p, $conf := .HostConfig.PortBindings}} {{$p}} -> {{(index $conf 0).HostPort}} {{end}}": " 80/tcp -> 8787 ",
        '{{index .Config.Labels "role"}}[{{index .Config.Labels "no"}}] {{.Config.Labels.no}}': "server[] <no value>",
        "{{.State.Health}} {{if .State.Health}}yes{{end}} {{.HostConfig.Binds}} {{json .HostConfig.Binds}}": "<nil>  [] null",
        "{{.HostConfig.CPUShares}} {{slice .ID 0 0}} {{eq .State.ExitCode 0}}": "0  true",
        "{{join .Config.Cmd `-`}} {{.Config.Cmd}}": "true [true]",
    }.items():
        assert box("inspect", "-f", template, "web").stdout == text + "\n", template
    wrong = box("inspect", "-f", "{{.State.Health.Status}}", "web", check=False).stderr
    assert wrong == (
        'moby: template parsing error: template: :1:8: executing "" at <.State.Health.Status>: map has no entry for key "Health"\n'
    )
    assert box("ps", "-a", "--format", 'table {{.Names}}\t{{.Label "role"}}').stdout == "NAMES     role\nweb       server\n"
