"""Options of ``run`` and ``create`` that no other test looks at: each has the effect that it names, or says why not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def box(cli: Cli, busybox: str) -> Cli:
    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Options, ``--``, the command."""
        at = arguments.index("--")
        network = [] if any("--net" in word for word in arguments[:at]) else ["--network", "none"]
        return cli("run", "--rm", *network, *arguments[:at], "busybox", *arguments[at + 1 :], **options)

    return run


def test_the_hardware_address(box: Cli, cli: Cli) -> None:
    look = ("--", "cat", "/sys/class/net/eth0/address")
    assert box("--network", "bridge", "--mac-address", "02:00:00:aa:bb:01", *look).stdout == "02:00:00:aa:bb:01\n"
    assert box("--network", "name=bridge,mac-address=02:00:00:aa:bb:02", *look).stdout == "02:00:00:aa:bb:02\n"
    cli("create", "--name", "made", "--mac-address", "02:00:00:aa:bb:03", "busybox", "true")
    assert (
        json.loads(cli("inspect", "made").stdout)[0]["NetworkSettings"]["Networks"]["bridge"]["MacAddress"] == "02:00:00:aa:bb:03"
    )
    cli("start", "-a", "made")
    cli("rm", "made")
    for address, why in (
        ("02:00", "invalid MAC address"),
        ("x", "invalid MAC address"),
        ("01:00:5e:00:00:01", "must name one interface"),
    ):
        done = box("--network", "bridge", "--mac-address", address, *look, check=False)
        assert done.returncode == 125 and why in done.stderr and done.stderr.count("\n") == 1
    done = box("--network", "host", "--mac-address", "02:00:00:aa:bb:01", *look, check=False)
    assert done.returncode == 125 and "conflicting options" in done.stderr


def test_the_names_of_the_machine(box: Cli) -> None:
    look = ("--", "sh", "-c", "hostname; cat /proc/sys/kernel/domainname; grep -c example /etc/hosts")
    seen = box("--network", "bridge", "--hostname", "web", "--domainname", "example.org", *look).stdout.split()
    assert seen == ["web", "example.org", "1"]
    assert box("--uts", "host", "--", "hostname").stdout.strip() == os.uname().nodename


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--uts", "mine"), "invalid UTS mode: mine"),
        (("--cgroupns", "mine"), "invalid cgroup namespace mode: mine"),
        (("--isolation", "hyperv"), "invalid isolation (hyperv): linux only supports"),
        (("--oom-score-adj", "2000"), "range for oom score adj is [-1000, 1000]"),
        (("--pull", "sometimes"), "use always, missing or never"),
        (("--memory-reservation", "1k"), "Minimum memory reservation allowed is 6MB"),
        (
            ("--storage-opt", "size=100k"),
            "--storage-opt size cannot be had: the data root does not lie on xfs or ext4 mounted with the option prjquota, and without",
        ),
        (("--storage-opt", "size=many"), "invalid size: 'many'"),
        (("--storage-opt", "colour=red"), "Unknown option colour"),
        (("--env-file", "/no/where"), "/no/where"),
        (("--label-file", "/no/where"), "/no/where"),
        (("--detach-keys", "ctrl-1"), "ctrl-1"),
        (("--platform", "linux/s390x/x/y"), "linux/s390x/x/y"),
    ],
)
def test_refused(box: Cli, arguments: tuple[str, ...], why: str) -> None:
    network = ("--network", "bridge") if "link" in arguments[0] else ()
    done = box(*network, *arguments, "--", "true", check=False)
    assert done.returncode == 125 and why in done.stderr and done.stderr.count("\n") == 1


def test_control_groups(box: Cli) -> None:
    own = box("--cgroupns", "private", "--", "cat", "/proc/self/cgroup").stdout.splitlines()
    assert {line.split(":")[2] for line in own} == {"/"}
    name = f"mt-parent-{os.getpid()}"
    hosts = box("--cgroupns", "host", "--cgroup-parent", name, "--", "cat", "/proc/self/cgroup").stdout
    assert f":/{name}/" in hosts
    for folder in (*Path("/sys/fs/cgroup").glob(f"*/{name}"), *Path("/sys/fs/cgroup").glob(name)):
        folder.rmdir()


def test_a_process_s_oom_score_and_limits(box: Cli) -> None:
    assert box("--oom-score-adj", "500", "--", "cat", "/proc/self/oom_score_adj").stdout == "500\n"
    done = box("--kernel-memory", "50m", "--isolation", "default", "--memory-reservation", "32m", "--", "true")
    assert "kernel-memory is discarded" in done.stderr


def test_files_of_variables_and_labels(cli: Cli, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# a remark\nA=1\n\nB=two words\nMINE\nNOT_THERE\n")
    (tmp_path / "labels").write_text("a=b\n# no\nplain\n")
    arguments = ["--env-file", str(tmp_path / "env"), "--env", "A=2", "--label-file", str(tmp_path / "labels"), "--label", "c=d"]
    arguments += ["--annotation", "org.example=x", "--stop-timeout", "7"]
    cli("create", "--name", "made", *arguments, "busybox", "true", env={"MINE": "caller's"})
    [made] = json.loads(cli("inspect", "made").stdout)
    assert set(made["Config"]["Env"]) >= {"A=2", "B=two words", "MINE=caller's"}
    assert not any(entry.startswith("NOT_THERE") for entry in made["Config"]["Env"])
    assert made["Config"]["Labels"] == {"a": "b", "c": "d"}  # as with docker, a line without a value is none
    assert made["HostConfig"]["Annotations"] == {"org.example": "x"} and made["Config"]["StopTimeout"] == 7
    cli("rm", "made")


def test_annotations_reach_the_runtime(cli: Cli, busybox: str, roots: tuple[Path, Path]) -> None:
    cli("run", "-d", "--name", "made", "--network", "none", "--annotation", "org.example=x", "busybox", "sleep", "60")
    ident = json.loads(cli("inspect", "made").stdout)[0]["Id"]
    assert json.loads((roots[1] / "containers" / ident / "config.json").read_text())["annotations"] == {"org.example": "x"}
    cli("rm", "-f", "made")


def test_pulls_and_platforms(box: Cli, cli: Cli) -> None:
    assert box("--pull", "never", "--quiet", "--", "echo", "here").stdout == "here\n"
    done = cli("run", "--rm", "--pull", "never", "absent:1", check=False)
    assert done.returncode == 125 and "No such image: absent:1" in done.stderr and "Unable to find" not in done.stderr
    done = box("--pull", "never", "--platform", "linux/s390x", "--", "true", check=False)
    assert done.returncode == 125 and "the specified platform (linux/s390x)" in done.stderr
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    assert box("--platform", f"linux/{machine}", "--", "echo", "runs").stdout == "runs\n"
