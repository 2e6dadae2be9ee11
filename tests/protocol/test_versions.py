"""Two versions of moby on one data root: containers that an earlier one started are the later one's, and the earlier one says what is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Moby = Callable[..., subprocess.CompletedProcess[str]]
Roots = tuple[Path, Path]

_REPOSITORY = Path(__file__).parents[2]
#: Before the data root had records beside the database, a network record was a class, and much else.
_FORMAT_2 = "5d735e687a46512552daa4012fb50d65e90b04f3"
#: The last one whose orders and records were dictionaries. Its data root has today's format.
_FORMAT_3 = "bcb3b4c36c642dc7fc0fbda82a211cfdac8f8dba"


def _earlier(commit: str, folder: Path, roots: Roots) -> Moby:
    """The command line of an earlier commit of this repository, on the test's roots."""
    archive = subprocess.run(["git", "-C", str(_REPOSITORY), "archive", commit, "moby_tui"], capture_output=True)
    if archive.returncode != 0:
        pytest.skip(f"commit {commit} is not in this clone: {archive.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    env = {**os.environ, "MOBY_DATA_ROOT": str(roots[0]), "MOBY_EXEC_ROOT": str(roots[1]), "PYTHONPATH": str(folder)}

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "moby_tui", *arguments]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def _start(moby: Moby) -> None:
    """One that runs, with a volume, a port and a restart policy, and one that has ended."""
    options = ("-v", "vol:/data", "-p", "127.0.0.1:28731:80", "--restart", "on-failure")
    moby("run", "-d", "--name", "runs", *options, "busybox", "sleep", "1000")
    assert moby("run", "--name", "ended", "busybox", "sh", "-c", "echo said; exit 3", check=False).returncode == 3


def _listed(moby: Moby) -> dict[str, str]:
    lines = moby("ps", "-a", "--format", "{{.Names}} {{.Status}}").stdout.splitlines()
    return {name: status.split()[0] for name, status in (line.split(" ", 1) for line in lines)}


def _use(moby: Moby) -> None:
    """All that is done with containers, with those of ``_start``; nothing of them is left."""
    assert _listed(moby) == {"runs": "Up", "ended": "Exited"}
    assert moby("exec", "runs", "echo", "inside").stdout == "inside\n"
    assert moby("logs", "ended").stdout == "said\n"
    moby("stop", "-t", "0", "runs")
    assert _listed(moby)["runs"] == "Exited"
    for how in ("start", "restart"):
        moby(*([how, "-t", "0"] if how == "restart" else [how]), "runs")
        assert moby("exec", "runs", "echo", "again").stdout == "again\n"
    moby("rm", "-f", "runs", "ended")
    assert _listed(moby) == {}
    assert moby("volume", "rm", "vol").stdout == "vol\n"


def test_an_earlier_format(roots: Roots, busybox_archive: Path, tmp_path: Path, cli: Moby) -> None:
    earlier = _earlier(_FORMAT_2, tmp_path / "earlier", roots)
    earlier("load", "-i", str(busybox_archive))
    _start(earlier)
    _use(cli)
    refused = earlier("ps", check=False)
    assert refused.returncode != 0
    assert "newer moby" in refused.stderr and refused.stderr.count("\n") == 1


def test_the_same_format(roots: Roots, busybox_archive: Path, tmp_path: Path, cli: Moby) -> None:
    earlier = _earlier(_FORMAT_3, tmp_path / "earlier", roots)
    earlier("load", "-i", str(busybox_archive))
    _start(earlier)
    _use(cli)
    _start(cli)
    _use(earlier)
    for maker, user in ((earlier, cli), (cli, earlier)):
        maker("network", "create", "--label", "key=value", "--subnet", "10.211.0.0/24", "net")
        [network] = json.loads(user("network", "inspect", "net").stdout)
        assert (network["Labels"], network["IPAM"]["Config"]) == ({"key": "value"}, [{"Subnet": "10.211.0.0/24"}])
        user("network", "rm", "net")
