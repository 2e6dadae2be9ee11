"""The test session's own promises: it stands apart from the machine, and a leak makes it fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import leaks
import namespaces

PROJECT = Path(__file__).parents[1]


def _session(tmp_path: Path, body: str, *options: str, machine: str = "true") -> subprocess.CompletedProcess[str]:
    """Runs a session of its own with one test. ``machine`` is a shell command that makes the machine what it is before."""
    (tmp_path / "test_it.py").write_text(f"import os, subprocess\nfrom pathlib import Path\ndef test_it(roots):\n    {body}\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MOBY_TEST", "PYTEST", "TMPDIR"))}
    env["PYTHONPATH"] = f"{PROJECT}:{PROJECT / 'tests'}"
    # what other tests do in our namespaces meanwhile is not the machine's state to this session
    apart = ["unshare", "--mount", "--net", "sh", "-c", f'set -e; {machine}; exec "$@"', "sh"]
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


#: A data root of the machine's own, which is on no disk.
_IN_USE = "mount -t tmpfs tmpfs /var/lib; mkdir /var/lib/moby"
_MOBYS_NETWORK = "ip link add moby0 type bridge; nft add table ip moby"
_ON_THE_MACHINE = "subprocess.run(['nsenter', '--net=' + os.environ['MOBY_TEST_NETWORK'], 'sh', '-ec', {!r}], check=True)"


@pytest.mark.parametrize(
    ("machine", "meanwhile"),
    [
        (f"{_IN_USE}; {_MOBYS_NETWORK}", "true"),
        (_MOBYS_NETWORK, "true"),
        (_IN_USE, f"{_MOBYS_NETWORK}; ip link set moby0 up"),
        (_IN_USE, f"{_MOBYS_NETWORK}; ip link add veth0123456789 type veth peer name eth9"),
        (f"{_IN_USE}; {_MOBYS_NETWORK}", "ip link delete moby0; nft delete table ip moby"),
        ("ip link add moby-01234567 type bridge; nft add table ip moby-01234567", "true"),
    ],
    ids=["after make run", "bridge left alone", "first container", "container starts", "reset", "another root"],
)
def test_a_machine_that_runs_containers_of_its_own(tmp_path: Path, machine: str, meanwhile: str) -> None:
    done = _session(tmp_path, _ON_THE_MACHINE.format(meanwhile), machine=machine)
    assert done.returncode == 0, done.stdout + done.stderr


def test_containers_come_and_go_beside_the_session(tmp_path: Path) -> None:
    """Their control groups are beside those of the tests, and stay."""
    container = os.urandom(32).hex()
    cgroup = next(path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if (path / "cgroup.procs").exists())
    daily = cgroup / "moby" / container
    try:
        done = _session(tmp_path, f"Path('{daily}').mkdir(parents=True)", machine=_IN_USE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert daily.exists()
    finally:
        daily.rmdir()


@pytest.mark.parametrize("machine", ["true", f"{_IN_USE}; {_MOBYS_NETWORK}"], ids=["unused", "in use"])
def test_a_bridge_that_escapes_fails_the_session(tmp_path: Path, machine: str) -> None:
    made = "ip link add moby-01234567 type bridge; nft add table ip moby-01234567"
    done = _session(tmp_path, _ON_THE_MACHINE.format(made), machine=machine)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "interface moby-01234567 in the machine's namespace" in done.stdout
    assert "nft table moby-01234567 in the machine's namespace" in done.stdout


def test_the_systems_own_root_fails_the_session_where_moby_is_not_in_use(tmp_path: Path) -> None:
    made = _ON_THE_MACHINE.format(_MOBYS_NETWORK)
    done = _session(
        tmp_path, f"{made}; Path('/var/lib/moby').mkdir()", machine="mount -t tmpfs tmpfs /var/lib; mount -t tmpfs tmpfs /run"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the system's own root /var/lib/moby" in done.stdout and "interface moby0" in done.stdout


def test_the_next_session_sweeps_up_after_a_killed_one(tmp_path: Path, roots: tuple[Path, Path]) -> None:
    """Its folder, its processes, and the control groups of its containers with what is in them; none of a session that lives."""
    cgroup = next(path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if (path / "cgroup.procs").exists())
    theirs, ours = (cgroup / "moby" / os.urandom(32).hex() for _ in range(2))
    body = (
        f"cgroup = Path('{theirs}'); cgroup.mkdir(parents=True); (roots[0] / 'containers' / cgroup.name).mkdir(parents=True); "
        "process = subprocess.Popen(['sleep', '1000'], env={'PATH': os.environ['PATH']}); "
        "(cgroup / 'cgroup.procs').write_text(str(process.pid)); subprocess.Popen(['sleep', '1000'], start_new_session=True); "
        f"Path('{tmp_path}/session').write_text(os.environ['{namespaces.SESSION}']); os.kill(os.getpid(), 9)"
    )
    ours.mkdir(parents=True)
    (roots[0] / "containers" / ours.name).mkdir(parents=True)
    try:
        assert _session(tmp_path, body).returncode == -9
        session = (tmp_path / "session").read_text()
        done = _session(tmp_path, "roots[0].mkdir()")
        assert done.returncode == 0, done.stdout + done.stderr
        # a third session may have begun to
        assert not leaks.settled(lambda: [str(path) for path in (theirs, Path(session)) if path.exists()])
        assert not leaks.processes_of(session)
        assert ours.exists() and namespaces.folder().exists()
    finally:
        ours.rmdir()


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
