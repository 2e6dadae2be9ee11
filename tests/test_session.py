"""The test session's own promises: it stands apart from the machine, and a leak makes it fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def _session(tmp_path: Path, body: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a session of its own with one test."""
    (tmp_path / "test_it.py").write_text(f"import os, subprocess\nfrom pathlib import Path\ndef test_it(roots):\n    {body}\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MOBY_TEST", "PYTEST", "TMPDIR"))}
    env["PYTHONPATH"] = f"{PROJECT}:{PROJECT / 'tests'}"
    # what other tests do in our namespaces meanwhile is not the machine's state to this session
    apart = ["unshare", "--mount", "--net"]
    command = [
        *apart,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
        "-p",
        "conftest",
        *options,
    ]
    return subprocess.run([*command, "test_it.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)


def test_a_tidy_session_passes(tmp_path: Path) -> None:
    done = _session(tmp_path, "roots[0].mkdir()")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_it_stands_in_namespaces_of_its_own(tmp_path: Path, workers: list[str]) -> None:
    ours = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "net")}
    body = f"assert all(os.readlink(f'/proc/self/ns/{{name}}') != theirs for name, theirs in {ours}.items())"
    done = _session(tmp_path, body, *workers)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("subprocess.Popen(['sleep', '1000'], start_new_session=True)", "sleep 1000"),
        ("subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], check=True)", "mount on /mnt"),
        ("subprocess.run(['nft', 'add', 'table', 'ip', 'stray'], check=True)", "nft table ip stray"),
        ("subprocess.run(['ip', 'link', 'add', 'stray', 'type', 'bridge'], check=True)", "interface stray"),
        ("Path(os.environ['TMPDIR'], 'stray').touch()", "tmp/stray"),
    ],
    ids=["process", "mount", "nft", "interface", "file"],
)
def test_a_leak_fails_the_session(tmp_path: Path, body: str, named: str) -> None:
    done = _session(tmp_path, body)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "left behind" in done.stdout
    assert named in done.stdout


def test_a_container_that_is_left_is_killed_and_told(tmp_path: Path) -> None:
    """A failing test cleans up too: its containers' cgroups are emptied, and only theirs."""
    container = os.urandom(32).hex()
    cgroup = next(path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if (path / "cgroup.procs").exists())
    body = (
        f"cgroup = Path('{cgroup}/moby/{container}'); cgroup.mkdir(parents=True); (roots[0] / 'containers/{container}').mkdir(parents=True); "
        "process = subprocess.Popen(['sleep', '1000'], env={'PATH': os.environ['PATH']}); "
        "(cgroup / 'cgroup.procs').write_text(str(process.pid)); assert False"
    )
    done = _session(tmp_path, body)
    assert done.returncode == 1
    assert f"cgroup {cgroup}/moby/{container}" in done.stdout
    assert not (cgroup / "moby" / container).exists()
