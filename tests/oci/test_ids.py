"""User namespaces, ID-mapped mounts and what a tmpfs begins with: our answers beside those of runc and crun on the same bundles."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oci import bundle

FIRST = 100_000
MAPS = {
    "uidMappings": [{"containerID": 0, "hostID": FIRST, "size": 1000}],
    "gidMappings": [{"containerID": 0, "hostID": FIRST, "size": 1000}],
}


def _runtime(name: str, tmp_path: Path) -> bundle.Runtime:
    if name == "moby":
        return bundle.ours(tmp_path / "r")
    if shutil.which(name) is None:
        pytest.fail(f"these tests compare with {name}: install it")
    if name == "crun":
        # it takes no hybrid hierarchy
        alone = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec crun "$@"'
        return bundle.Runtime(["unshare", "--mount", "sh", "-c", alone, "crun"], tmp_path / "r")
    return bundle.Runtime([name], tmp_path / "r")


@pytest.fixture
def any_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bundle.Runtime]:
    for folder in (tmp_path, *tmp_path.parents):
        # the others look for the root as the container's root
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    runtime = _runtime(request.param, tmp_path)
    yield runtime
    runtime.clear()


ours = pytest.mark.parametrize("any_of", ["moby"], indirect=True)
with_runc = pytest.mark.parametrize("any_of", ["moby", "runc"], indirect=True)
with_both = pytest.mark.parametrize("any_of", ["moby", "runc", "crun"], indirect=True)


def _in_user_namespace(config: dict[str, Any], *, uid: int | None = None) -> None:
    """Gives the container a user namespace; with ``uid`` its process has that id."""
    if uid is not None:
        config["process"].update(user={"uid": uid, "gid": 0})
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"] |= MAPS
    config["root"]["readonly"] = False
    # a control group file system of version 1 has the host's owners in any case
    config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] != "/sys/fs/cgroup"]


def _owned(folder: Path) -> Path:
    subprocess.run(["chown", "-R", f"{FIRST}:{FIRST}", folder / "rootfs"], check=True)
    return folder


@with_both
def test_a_user_namespace(any_of: bundle.Runtime, tmp_path: Path) -> None:
    script = (
        "cat /proc/self/uid_map /proc/self/gid_map; id; stat -c %u:%g / /bin /dev /dev/pts; touch /mine; cat /proc/self/setgroups"
    )
    folder = _owned(bundle.make(tmp_path / "b", _in_user_namespace, "sh", "-c", script))
    done = any_of("run", "--bundle", str(folder), "oci-user")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split() for line in lines[:2]] == [["0", str(FIRST), "1000"]] * 2
    assert lines[2].startswith("uid=0 gid=0")
    assert lines[3:] == ["0:0"] * 4 + ["allow"]
    assert (folder / "rootfs/mine").stat().st_uid == FIRST


@with_runc
def test_another_user_in_a_user_namespace(any_of: bundle.Runtime, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        _in_user_namespace(config)
        config["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}

    script = "id -u; id -g; id -G; : >> /dev/stdout && echo x; kill -0 1; readlink /proc/self/ns/user"
    folder = _owned(bundle.make(tmp_path / "b", change, "sh", "-c", script))
    done = any_of("run", "--bundle", str(folder), "oci-user")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:4] == ["5", "6", "6 7", "x"]
    assert os.readlink("/proc/self/ns/user") not in done.stdout


@with_runc
def test_exec_into_a_user_namespace(any_of: bundle.Runtime, tmp_path: Path) -> None:
    folder = _owned(bundle.make(tmp_path / "b", _in_user_namespace, "sleep", "60"))
    created = any_of("run", "--detach", "--bundle", str(folder), "oci-user")
    assert created.returncode == 0, created.stderr
    pid = any_of.state("oci-user")["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == FIRST
    done = any_of("exec", "oci-user", "sh", "-c", "id -u; cat /proc/1/comm; touch /there; stat -c %u /there")
    assert done.stdout.split() == ["0", "sleep", "0"], done.stderr
    assert any_of("delete", "--force", "oci-user").returncode == 0


@with_runc
def test_a_user_namespace_that_is_joined(any_of: bundle.Runtime, tmp_path: Path) -> None:
    first = _owned(bundle.make(tmp_path / "a", _in_user_namespace, "sleep", "60"))
    assert any_of("run", "--detach", "--bundle", str(first), "oci-first").returncode == 0
    pid = any_of.state("oci-first")["pid"]

    def change(config: dict[str, Any]) -> None:
        _in_user_namespace(config)
        if any_of.command[0] != "runc":
            # runc wants to be told what it could read
            for key in MAPS:
                del config["linux"][key]
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] in ("user", "network"):
                namespace["path"] = f"/proc/{pid}/ns/{'net' if namespace['type'] == 'network' else 'user'}"

    second = _owned(bundle.make(tmp_path / "b", change, "sh", "-c", "readlink /proc/self/ns/user; readlink /proc/self/ns/net"))
    done = any_of("run", "--bundle", str(second), "oci-second")
    assert done.stdout.split() == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("user", "net")], done.stderr


@ours
@pytest.mark.parametrize(("option", "below"), [("idmap", "0"), ("ridmap", "5"), (None, "0")])
def test_a_mount_with_ids_of_its_own(any_of: bundle.Runtime, tmp_path: Path, option: str | None, below: str) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", source / "below"], check=True)
    (source / "file").touch()
    (source / "below/file").touch()

    def change(config: dict[str, Any]) -> None:
        options = ["rbind", *([option] if option else [])]
        mapped = [{"containerID": 0, "hostID": 5, "size": 10}]
        config["mounts"].append(
            {
                "destination": "/m",
                "type": "bind",
                "source": str(source),
                "options": options,
                "uidMappings": mapped,
                "gidMappings": mapped,
            }
        )
        config["root"]["readonly"] = False

    folder = bundle.make(tmp_path / "b", change, "sh", "-c", "stat -c %u /m/file /m/below/file")
    try:
        done = any_of("run", "--bundle", str(folder), "oci-map")
        assert done.stdout.split() == ["5", below], done.stderr
    finally:
        subprocess.run(["umount", source / "below"], check=True)


@ours
def test_a_mount_with_the_container_s_ids(any_of: bundle.Runtime, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()

    def change(config: dict[str, Any]) -> None:
        _in_user_namespace(config)
        config["mounts"].append({"destination": "/m", "type": "bind", "source": str(source), "options": ["rbind", "idmap"]})

    folder = _owned(bundle.make(tmp_path / "b", change, "sh", "-c", "touch /m/file; stat -c %u /m/file"))
    assert any_of("run", "--bundle", str(folder), "oci-map").stdout == "0\n"
    assert (source / "file").stat().st_uid == 0


@with_both
def test_a_tmpfs_that_begins_with_what_it_covers(any_of: bundle.Runtime, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        options = ["tmpcopyup", "nosuid", "nodev"]
        config["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": options})

    script = "cd /data; cat sub/file; stat -c '%a %u:%g' sub/file sub; readlink link; echo x > sub/file; grep -c ' /data tmpfs' /proc/mounts"
    folder = bundle.make(tmp_path / "b", change, "sh", "-c", script)
    data = folder / "rootfs/data"
    (data / "sub").mkdir(parents=True)
    (data / "sub/file").write_text("up\n")
    (data / "sub/file").chmod(0o640)
    os.chown(data / "sub/file", 0, 8)
    (data / "link").symlink_to("sub/file")
    (data / "sub").chmod(0o755)
    done = any_of("run", "--bundle", str(folder), "oci-up")
    assert done.stdout.splitlines() == ["up", "640 0:8", "755 0:0", "sub/file", "1"], done.stderr
    assert (data / "sub/file").read_text() == "up\n"


@ours
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config["linux"]["namespaces"].append({"type": "user"}), "linux.uidMappings is missing"),
        (lambda config: config["linux"].update(MAPS), "needs a user namespace"),
        (
            lambda config: config["mounts"].append(
                {"destination": "/m", "type": "bind", "source": "/", "options": ["rbind", "idmap"]}
            ),
            "neither it nor the container has a map",
        ),
        (
            lambda config: config["mounts"].append({"destination": "/m", "type": "tmpfs", "options": ["idmap"]}),
            "only a bind mount's can",
        ),
        (
            lambda config: config["mounts"].append(
                {"destination": "/m", "type": "bind", "source": "/", "options": ["rbind", "tmpcopyup"]}
            ),
            "for tmpfs only",
        ),
        (
            lambda config: _in_user_namespace(config, uid=5000),
            "user 5000 is not mapped",
        ),
    ],
)
def test_what_cannot_be(any_of: bundle.Runtime, tmp_path: Path, change: Any, said: str) -> None:
    done = any_of("create", "--bundle", str(bundle.make(tmp_path / "b", change, "true")), "oci-no")
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    assert any_of("list", "-q").stdout == ""
