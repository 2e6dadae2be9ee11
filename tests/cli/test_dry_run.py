"""``--dry-run``: what would go and what comes back, of every command that destroys; and nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Cli
from cli.test_table import PATHS
from moby_tui.cli import session
from moby_tui.cli.app import run

Moby = Callable[[str], tuple[int, str, str]]
DESTROYING = {path for path, command in PATHS.items() if command.destroys}


@pytest.fixture
def moby(roots: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Moby:
    """``moby("ps -a")`` in this process: exit code, standard output, standard error."""
    for name in ("MOBY_HOST", "DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))

    def call(line: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = run(["--data-root", str(roots[0]), "--exec-root", str(roots[1]), *line.split()])
        session.use(session.Session())
        return (status, *capsys.readouterr())

    return call


def test_every_command_that_destroys_has_it() -> None:
    assert {path for path, command in PATHS.items() if "dry_run" in command.options.declared} == DESTROYING
    assert {path for path in PATHS if path[-1] in ("rm", "rmi", "prune")} == DESTROYING


def test_what_would_go_is_told_and_stays(box: Cli, moby: Moby) -> None:
    box("network", "create", "back")
    box("run", "-d", "--name", "web", "--network", "back", "-v", "used:/used", "box", "sleep", "1000")
    box(
        "run",
        "--name",
        "old",
        "--network",
        "none",
        "-v",
        "/anonymous",
        "box",
        "dd",
        "if=/dev/zero",
        "of=/anonymous/x",
        "bs=1k",
        "count=300",
    )
    box("tag", "box", "box:2")
    for line in ("network create lone", "volume create data", "context create far --docker host=unix:///x"):
        assert moby(line)[0] == 0, line

    def held() -> list[str]:
        lists = (
            "ps -aq --no-trunc",
            "images -q",
            "images --format {{.Repository}}:{{.Tag}}",
            "volume ls -q",
            "network ls -q",
            "context ls -q",
            "secret ls",
        )
        return [moby(line)[1] for line in lists]

    before = held()
    anonymous = next(name for name in before[3].split() if name not in ("data", "used"))
    image = before[1].split()[0]
    expected = {
        "rm --dry-run old": (0, ["Would remove container old: SIZE"]),
        "rm --dry-run -v old": (0, ["Would remove container old: SIZE", f"Would remove volume {anonymous}: 3[0-9.]+kB"]),
        "rm --dry-run web": (1, []),
        "rm --dry-run -f web nosuch": (0, ["Would remove container web: SIZE"]),
        "container rm --dry-run nosuch old": (1, ["Would remove container old: SIZE"]),
        "rmi --dry-run box:2": (0, ["Would remove name box:2"]),
        "rmi --dry-run box": (0, ["Would remove name box:latest"]),
        "rmi --dry-run box box:2": (1, ["Would remove name box:latest"]),
        "image rm --dry-run -f box box:2": (0, ["Would remove name box:latest", "Would remove name box:2"]),
        f"rmi --dry-run {image}": (1, []),
        "volume rm --dry-run data": (0, ["Would remove volume data: SIZE"]),
        "volume rm --dry-run used": (1, []),
        "volume rm --dry-run -f nosuch": (0, []),
        "network rm --dry-run lone": (0, ["Would remove network lone"]),
        "network rm --dry-run back bridge": (1, []),
        "context rm --dry-run far": (0, ["Would remove context far"]),
        "context rm --dry-run default nosuch": (1, []),
        "container prune --dry-run": (0, ["Would delete containers:", "[0-9a-f]{64}", "", "Total reclaimable space: SIZE"]),
        "volume prune --dry-run": (0, ["Total reclaimable space: 0B"]),
        "network prune --dry-run": (0, ["Would delete networks:", "lone", ""]),
        "image prune --dry-run": (0, ["Total reclaimable space: SIZE"]),
        "builder prune --dry-run": (0, ["Total reclaimable space: 0B"]),
    }
    for line, (status, lines) in expected.items():
        code, out, error = moby(line)
        assert code == status, (line, out, error)
        assert bool(error) == bool(status), line
        text = "".join(f"{one}\n" for one in lines).replace("SIZE", r"[0-9.]+[kM]?B")
        assert re.fullmatch(text, out), (line, out)
    assert held() == before

    # the removal itself refuses and removes the same
    for line, (status, lines) in expected.items():
        if " rm " in f" {line}" and status == 1 and not lines:
            assert moby(line.replace(" --dry-run", ""))[2] == moby(line)[2], line
    assert held() == before
    assert moby("rm -f web old")[0] == 0
    code, out, _ = moby("rmi --dry-run box box:2")
    assert code == 0
    assert re.fullmatch(rf"Would remove name box:latest\nWould remove name box:2\nWould remove image {image}: [0-9.]+MB\n", out)
    assert moby("rmi box box:2")[1].splitlines()[:2] == ["Untagged: box:latest", "Untagged: box:2"]


def test_secrets_and_lists_of_manifests(box: Cli, moby: Moby, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    for name in ("kept", "free"):
        assert moby(f"secret create {name} {tmp_path}/token")[0] == 0
    assert moby("create --name with --network none --secret kept box true")[0] == 0
    assert moby("secret rm --dry-run free") == (0, "Would remove secret free\n", "")
    status, out, refusal = moby("secret rm --dry-run kept")
    assert (status, out) == (1, "")
    assert moby("secret rm kept")[2] == refusal
    assert moby("secret rm free")[1] == "free\n"
    status, out, error = moby("manifest rm --dry-run reg.example/none:1")
    assert (status, out) == (1, "")
    assert "No such manifest" in error
