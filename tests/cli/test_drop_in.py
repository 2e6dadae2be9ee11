"""What scripts written for docker meet: exit codes, texts and flags as docker 28.5 has them; many command lines in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.api.client.failure import error_of
from moby_tui.cli import app, session
from moby_tui.errors import InvalidArgument
from moby_tui.version import API_VERSION, MIN_API_VERSION

Line = Callable[..., tuple[int, str, str]]


@pytest.fixture
def line(
    roots: tuple[Path, Path], busybox: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Line:
    """``line("create", "x")``: exit code, standard output and standard error of a command line in this process."""
    monkeypatch.setenv("MOBY_DATA_ROOT", str(roots[0]))
    monkeypatch.setenv("MOBY_EXEC_ROOT", str(roots[1]))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "configuration"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = app.run(words)
        return status, *capfd.readouterr()

    return run


def test_what_create_and_run_refuse(line: Line, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a=1\nbare\nempty=\n")
    assert line("create", "--name", "one", "--label-file", "labels", "-l", "c", "busybox")[0] == 0
    assert line("inspect", "-f", "{{json .Config.Labels}}", "one")[1] == '{"a":"1","c":"","empty":""}\n'
    for words, status, text in (
        # docker: 125 says that the options cannot be read, 1 that the engine refuses
        (("create", "--name", "a b", "busybox"), 1, "Invalid container name (a b)"),
        (("create", "--name", "one", "busybox"), 1, 'The container name "/one" is already in use'),
        (("create", "--pull", "odd", "busybox"), 125, "invalid value for --pull"),
        (("create", "--memory", "odd", "busybox"), 125, "invalid size"),
        (("create", "--network", "", "busybox"), 125, "no name set for network"),
        (("create", "--network", "host", "--network", "bridge", "busybox"), 1, "joins no other network"),
        (("create", "--network", "none", "--network", "bridge", "busybox"), 1, "joins no other network"),
        (("create", "--dns-search", "a b", "busybox"), 1, "invalid DNS search domain or option 'a b'"),
        (("create", "--dns-option", "a\nnameserver 1.1.1.1", "busybox"), 1, "invalid DNS search domain or option"),
        (("create", "--disable-content-trust=false", "busybox"), 125, "--disable-content-trust=false is not implemented"),
        (("run", "--disable-content-trust=false", "busybox"), 125, "--disable-content-trust=false is not implemented"),
        (("pull", "--disable-content-trust=false", "busybox"), 1, "--disable-content-trust=false is not implemented"),
        (("build", "--squash", "."), 1, "option --squash is not implemented"),
        (("build", "--isolation", "odd", "."), 1, 'invalid isolation "odd"'),
        (("build", "--security-opt", "odd", "."), 1, "option --security-opt of a build is not implemented"),
    ):
        assert (line(*words)[0], text in line(*words)[2]) == (status, True), (words, line(*words))
    status, _, error = line("update", "one")
    assert (status, "you must provide one or more flags" in error) == (1, True)
    assert line("create", "--disable-content-trust", "--disable-content-trust=true", "busybox")[0] == 0


def test_flags_of_the_first_builder(line: Line, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nLABEL a=b\n")
    flags = ("--rm", "--rm=false", "--force-rm", "--compress", "--isolation=default", "--disable-content-trust")
    assert line("build", "-q", *flags, ".")[0] == 0


def test_a_copy_to_links_in_a_circle_is_refused(line: Line, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "dead").symlink_to("made")
    (tmp_path / "file").write_text("x")
    line("create", "--name", "circles", "busybox")
    for link in ("circle", "dead"):
        assert line("cp", link, f"circles:/{link}")[0] == 0
    assert line("cp", "file", "circles:/circle") == (1, "", "moby: too many symbolic links in /circle\n")
    assert line("cp", "file", "circles:/dead")[0] == 0
    assert line("cp", "circles:/made", "copy")[0] == 0
    assert (tmp_path / "copy").read_text() == "x"


@pytest.mark.parametrize("mount", [("-v", "/etc"), ("--tmpfs", "/etc")])
def test_a_mount_of_etc_hides_none_of_the_three_files(line: Line, mount: tuple[str, str]) -> None:
    look = (
        "cd /etc; for file in hosts hostname resolv.conf; do [ -s $file ] || echo $file is missing; done; hostname; cat hostname"
    )
    assert line("run", "--rm", "--network", "none", "-h", "web", *mount, "busybox", "sh", "-c", look)[1] == "web\nweb\n"


def test_lists_prunes_and_their_filters(line: Line) -> None:
    for name in ("zz:2", "a.example/x/y:1"):
        assert line("tag", "busybox", name)[0] == 0
    names = ["a.example/x/y:1", "busybox:latest", "zz:2"]
    assert line("image", "inspect", "-f", "{{json .RepoTags}}", "zz:2")[1].strip() == str(names).replace("'", '"').replace(
        " ", ""
    )
    assert line("images", "--format", "{{.Repository}}:{{.Tag}}")[1].split() == names
    assert len(line("images", "-q")[1].split()) == 3, "a line for each tag, as with docker"
    status, output, error = line("rmi", "-f", "nosuch")
    assert (status, output, "No such image" in error) == (0, "", True)
    for noun in ("container", "image", "volume", "network", "builder", "system"):
        status, _, error = line(noun, "prune", "-f", "--filter", "until=yesterday")
        assert (status, "until" in error or "failed to parse value as time or duration" in error) == (1, True), (noun, error)
    for noun in ("network", "image"):
        assert line(noun, "ls", "--filter", "until=yesterday")[0] == 1
        assert line(noun, "prune", "-f", "--filter", "nosuch=x")[0] == 1
    assert line("network", "prune", "-f", "--filter", "name=x")[0] == 1, "not one of a prune"


def test_a_listing_of_containers(line: Line) -> None:
    made = line("create", "--name", "web", "busybox")[1].strip()
    for malformed in ("[", "*", "a{99999999999}", "(?P<"):
        assert line("ps", "-a", "--filter", f"name={malformed}", "-q") == (0, "", "")
        assert line("ps", "-a", "--filter", f"id={malformed}", "-q") == (0, "", "")
    status, output, error = line("ps", "-a", "-q", "--format", "{{.Names}}", "--filter", "name=^/w")
    assert (status, output) == (0, made[:12] + "\n")
    assert error == "WARNING: Ignoring custom format, because both --format and --quiet are set.\n"


def test_what_version_info_and_df_show(line: Line) -> None:
    shown = "{{.Client.DefaultAPIVersion}} {{.Server.APIVersion}} {{range .Server.Components}}{{.Name}} {{.Details.MinAPIVersion}}{{end}}"
    assert line("version", "--format", shown)[1] == f"{API_VERSION} {API_VERSION} Engine {MIN_API_VERSION}\n"
    text = line("version")[1]
    assert f"  API version:      {API_VERSION} (minimum version {MIN_API_VERSION})\n" in text.partition("Server:\n Engine:\n")[2]
    assert f" API version:       {API_VERSION}\n" in text.partition("Server:")[0]
    shown = line("info")[1]
    assert " Swarm: inactive\n" in shown
    assert " Plugins: \n  Volume: local\n" in shown
    assert line("system", "df", "-v", "--format", "{{len .Images}} {{len .Volumes}}") == (0, "1 0\n", "")
    assert line("system", "df", "-v", "--format", "table {{len .Images}}") == (0, "1\n", "")


def test_under_the_name_docker_what_a_daemon_refuses_is_its_response(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/docker"])
    for error in (error_of(400, "invalid IPC mode: x"), InvalidArgument("invalid IPC mode: x")):
        session.tell(error)
    assert capsys.readouterr().err.splitlines() == [
        "Error response from daemon: invalid IPC mode: x",
        "invalid IPC mode: x",
    ]


def test_under_the_name_docker_errors_are_dockers(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/docker"])
    for words, status, expected in (
        ("run", 1, "docker: 'docker run' requires at least 1 argument"),
        ("rename one", 1, "docker: 'docker rename' requires 2 arguments"),
        ("ps web", 1, "docker: 'docker ps' accepts no arguments"),
        ("volume create a b", 1, "docker: 'docker volume create' requires at most 1 argument"),
        ("port", 1, "docker: 'docker port' requires at least 1 and at most 2 arguments"),
        ("run --nosuch busybox", 125, "unknown flag: --nosuch"),
        ("ps -aZ", 125, "unknown shorthand flag: 'Z' in -Z"),
        ("logs --tail", 125, "flag needs an argument: --tail"),
        ("nosuch", 1, "docker: unknown command: docker nosuch"),
        ("container nosuch", 1, "docker: unknown command: docker container nosuch"),
        ("inspect nosuch", 1, "Error: No such object: nosuch"),
        ("rm nosuch", 1, "Error response from daemon: No such container: nosuch"),
        ("run --pull odd busybox", 125, "docker: invalid pull option: 'odd'"),
    ):
        found = line(*words.split())
        assert (found[0], found[2].startswith(expected)) == (status, True), found
    assert line("ps", "--help")[1].startswith("Usage:  docker ps [OPTIONS]\n\nList containers\n")
