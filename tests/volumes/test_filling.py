"""When and from what volumes are filled: at create, from the image, before anybody can use the container (beside dockerd 28.5)."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

DOCKERFILE = """FROM busybox
RUN mkdir -p /d/sub /empty && echo image > /d/file && chmod 700 /d/sub && chown 5:6 /d/sub && chmod 2750 /d && chown 7:8 /d
RUN chown 3:4 /empty && chmod 711 /empty && echo file > /plain && ln -s d /link && ln -s /d /absolute && ln -s absent/x /dangling
RUN ln -s loop /loop && ln -s /plain /to-plain
"""
FILLED = "2750 7:8 file sub\n"


@pytest.fixture
def image(cli: Cli, busybox: str, tmp_path: Path) -> str:
    """An image with folders of their own owners and modes, and links to them."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text(DOCKERFILE)
    cli("build", "-q", "--network", "none", "-t", "full", str(tmp_path / "context"))
    return "full"


def create(cli: Cli, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return cli("create", "--name", "giver", "--network", "none", *arguments, "true", check=check)


def look(cli: Cli, *arguments: str, at: str = "/look") -> str:
    """Mode, owner and content of a folder, in a container of another image."""
    script = f"stat -c '%a %u:%g' {at}; ls {at}"
    return " ".join(cli("run", "--rm", "--network", "none", *arguments, "busybox", "sh", "-c", script).stdout.split()) + "\n"


@pytest.mark.parametrize("option", [["-v", "/d"], ["-v", "named:/d"], ["-v", "named:/d:ro"], ["--mount", "type=volume,dst=/d"]])
@pytest.mark.parametrize("mode", ["", ":ro"])
def test_a_container_that_never_ran_gives_what_the_image_has(cli: Cli, image: str, option: list[str], mode: str) -> None:
    create(cli, *option, image)
    assert look(cli, "--volumes-from", f"giver{mode}", at="/d") == FILLED


def test_a_volume_of_the_image(cli: Cli, image: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM full\nVOLUME /d /empty\n")
    cli("build", "-q", "-t", "with-volumes", "-f", str(tmp_path / "Dockerfile"), str(tmp_path / "context"))
    create(cli, "with-volumes")
    assert look(cli, "--volumes-from", "giver", at="/d") == FILLED
    assert look(cli, "--volumes-from", "giver", at="/empty") == "711 3:4\n"


@pytest.mark.parametrize(
    ("destination", "found"),
    [
        ("/d", FILLED),
        ("/link", FILLED),
        ("/absolute", FILLED),
        ("/link/sub", "700 5:6\n"),
        ("/empty", "711 3:4\n"),
        ("/absent/deep", "755 0:0\n"),
        ("/dangling", "755 0:0\n"),
        ("/d:nocopy", "755 0:0\n"),
    ],
)
def test_what_is_at_the_destination(cli: Cli, image: str, destination: str, found: str) -> None:
    create(cli, "-v", f"named:{destination}", image)
    assert look(cli, "-v", "named:/look:nocopy") == found


@pytest.mark.parametrize("option", ["named:/plain", "/plain", "named:/to-plain", "/loop", "named:/loop/x", "/plain/x"])
def test_a_destination_that_cannot_be_leaves_no_container(cli: Cli, image: str, option: str) -> None:
    done = create(cli, "-v", "/d", "-v", option, image, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "not directory" in done.stderr or "symbolic links" in done.stderr
    assert cli("ps", "-aq").stdout == "" and cli("volume", "ls", "-q").stdout in ("", "named\n")


def test_one_that_has_something_keeps_it(cli: Cli, image: str) -> None:
    cli("run", "--rm", "--network", "none", "-v", "named:/v", "busybox", "touch", "/v/mine")
    for destination in ("/d", "/plain"):
        create(cli, "-v", f"named:{destination}", image)
        cli("rm", "giver")
    assert look(cli, "-v", "named:/look") == "755 0:0 mine\n"


def test_it_is_filled_once(cli: Cli, image: str) -> None:
    create(cli, "-v", "named:/d", image)
    cli("run", "--rm", "--network", "none", "-v", "named:/v", "busybox", "rm", "-r", "/v/file", "/v/sub")
    cli("start", "-a", "giver")
    assert look(cli, "-v", "named:/look") == "2750 7:8\n"


def test_volumes_below_others_are_filled_from_the_image(cli: Cli, image: str, tmp_path: Path) -> None:
    create(cli, "-v", "below:/d/sub", "-v", "above:/d", image)
    assert look(cli, "-v", "above:/look") == FILLED and look(cli, "-v", "below:/look") == "700 5:6\n"
    cli("rm", "giver")
    create(cli, "-v", f"{tmp_path}:/d", "-v", "other:/d/sub", image)
    assert look(cli, "-v", "other:/look") == "700 5:6\n"


def test_a_part_of_a_volume_is_filled_where_it_is_empty(cli: Cli, image: str) -> None:
    script = "mkdir -p /v/empty/deep /v/full; touch /v/full/mine; ln -s empty/deep /v/link"
    cli("run", "--rm", "--network", "none", "-v", "named:/v", "busybox", "sh", "-c", script)
    for part in ("empty/deep", "full", "absent"):
        create(cli, "--mount", f"type=volume,src=named,dst=/d,volume-subpath={part}", image)
        cli("rm", "giver")
    assert look(cli, "-v", "named:/look", at="/look/empty/deep") == FILLED
    assert look(cli, "-v", "named:/look", at="/look/full") == "755 0:0 mine\n"
    assert look(cli, "-v", "named:/look") == "755 0:0 empty full link\n"


def test_a_volume_that_is_a_file_system(cli: Cli, image: str, tmp_path: Path, roots: tuple[Path, Path]) -> None:
    (tmp_path / "device").mkdir()
    cli("volume", "create", "--opt", "type=none", "--opt", f"device={tmp_path}/device", "--opt", "o=bind", "bound")
    create(cli, "-v", "bound:/d", image)
    status = (tmp_path / "device").stat()
    assert sorted(os.listdir(tmp_path / "device")) == ["file", "sub"] and (status.st_uid, status.st_gid) == (7, 8)
    assert not os.path.ismount(roots[0] / "volumes/bound/_data")
    cli("rm", "giver")
    # what is only in memory is gone with the last who has it mounted, and nobody fills it again
    cli("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=mode=700", "memory")
    create(cli, "-v", "memory:/d", image)
    assert look(cli, "--volumes-from", "giver", at="/d") == "700 0:0\n"


def test_a_volume_that_cannot_be_mounted_leaves_no_container(cli: Cli, image: str, tmp_path: Path) -> None:
    cli("volume", "create", "--opt", "type=none", "--opt", f"device={tmp_path}/absent", "--opt", "o=bind", "bad")
    done = create(cli, "-v", "/empty", "-v", "bad:/d", image, check=False)
    assert done.returncode == 1 and "failed to mount local volume" in done.stderr
    assert cli("ps", "-aq").stdout == "" and cli("volume", "ls", "-q").stdout == "bad\n"
    create(cli, "-v", "bad:/absent", image)  # nothing is there to be copied: it is mounted by the start


async def test_creations_that_fill_one_volume_at_the_same_time(cli: Cli, image: str) -> None:
    done = await asyncio.gather(*(asyncio.to_thread(cli, "create", "-v", "named:/d", image, "true") for _ in range(4)))
    assert len({one.stdout for one in done}) == 4
    assert look(cli, "-v", "named:/look") == FILLED
    assert json.loads(cli("volume", "inspect", "named").stdout)[0]["Name"] == "named"
