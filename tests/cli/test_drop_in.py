"""What scripts written for docker meet: exit codes, texts and flags as docker 28.5 has them; many command lines in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from moby_tui.cli import app

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
