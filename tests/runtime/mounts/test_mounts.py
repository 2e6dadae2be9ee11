"""What ``--mount``, ``--tmpfs`` and ``-v`` can ask for beside plain folders: parts of volumes, images, file systems, propagation."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moby_tui.engine.engine import Engine
from moby_tui.errors import MobyError
from moby_tui.schema.container import ContainerCreate, HostConfig, Mount, VolumeOptions
from moby_tui.schema.volume import VolumeCreate

Cli = Callable[..., subprocess.CompletedProcess[str]]


def run(cli: Cli, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return cli("run", "--rm", "--network", "none", *arguments, check=check)


@pytest.fixture
def volume(cli: Cli, busybox: str) -> str:
    """A volume with a folder, and links that lead about in it and out of it."""
    script = (
        "mkdir -p /v/a/b; echo in > /v/a/b/file; ln -s a/b /v/inside; ln -s /etc /v/absolute; ln -s ../../../../../etc /v/outside"
    )
    run(cli, "-v", "parts:/v", "busybox", "sh", "-c", script)
    return "parts"


def test_a_subpath_of_a_volume_is_mounted(cli: Cli, volume: str) -> None:
    for subpath in ("a/b", "inside", "./a/b/"):
        mount = f"type=volume,source={volume},target=/m,volume-subpath={subpath}"
        assert run(cli, "--mount", mount, "busybox", "sh", "-c", "cat /m/file; echo more > /m/more").stdout == "in\n"
    assert run(cli, "-v", f"{volume}:/v", "busybox", "cat", "/v/a/b/more").stdout == "more\n"
    mount = f"type=volume,source={volume},target=/m,volume-subpath=a/b/file,readonly"
    done = run(cli, "--mount", mount, "busybox", "sh", "-c", "cat /m; echo x > /m", check=False)
    assert done.stdout == "in\n" and "Read-only" in done.stderr


@pytest.mark.parametrize(
    "words", [["--tmpfs", "/dev"], ["--tmpfs", "/dev", "--ipc", "host"], ["-v", "FOLDER:/dev"]], ids=" ".join
)
def test_a_mount_at_dev_takes_the_place_of_all_that_a_container_has_there(
    cli: Cli, busybox: str, tmp_path: Path, words: list[str]
) -> None:
    """As with dockerd: no devpts, shm or message queues below it, nor needs a terminal them; a tmpfs has the usual devices all the same."""
    (tmp_path / "own").touch()
    words = [word.replace("FOLDER", str(tmp_path)) for word in words]
    own = "own" if "-v" in words else "null"
    script = f"ls /dev | grep -x {own}; grep -c ' /dev/' /proc/mounts; true"
    assert run(cli, *words, "busybox", "sh", "-c", script).stdout == f"{own}\n0\n"
    script = f"ls /dev | grep -x {own}; test -t 0 && grep -o ' /dev/[a-z]*' /proc/mounts"
    assert run(cli, *words, "-t", "busybox", "sh", "-c", script).stdout.split() == [own, "/dev/console"]


@pytest.mark.parametrize(
    ("subpath", "why"),
    [
        ("../x", "subpath must be a relative path within the volume"),
        ("/a", "subpath must be a relative path within the volume"),
        ("a/../../x", "subpath must be a relative path within the volume"),
        ("absent", "no such file or directory"),
        ("absolute", "path concatenation escapes the base directory"),
        ("outside", "path concatenation escapes the base directory"),
        ("outside/passwd", "path concatenation escapes the base directory"),
    ],
)
def test_a_part_that_cannot_be(cli: Cli, volume: str, subpath: str, why: str) -> None:
    done = run(cli, "--mount", f"type=volume,source={volume},target=/m,volume-subpath={subpath}", "busybox", "true", check=False)
    assert done.returncode != 0 and why in done.stderr and done.stderr.count("\n") == 1


async def test_the_api_tells_a_missing_part_from_one_outside(engine: Engine, busybox: str) -> None:
    """404 and 400 as by dockerd 28.5: a client can tell them apart from a failure of the engine (500)."""
    await engine.volumes.create(VolumeCreate(name="parts"))
    folder = Path((await engine.volumes.inspect("parts")).mountpoint)
    (folder / "file").touch()
    (folder / "outside").symlink_to("/etc")
    (folder / "dangling").symlink_to("nosuch")
    for subpath, status in (("nosuch", 404), ("dangling", 404), ("outside", 400), ("file/under", 500)):
        mounts = [Mount(type="volume", source="parts", target="/m", volume_options=VolumeOptions(subpath=subpath, no_copy=True))]
        host = HostConfig(network_mode="none", mounts=mounts)
        created = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"], host_config=host))
        with pytest.raises(MobyError) as refused:
            await engine.containers.start(created.id)
        assert refused.value.status == status, subpath
    await engine.containers.prune()


def test_a_part_is_inherited_as_a_part_and_found_again_by_a_restart(cli: Cli, volume: str) -> None:
    mount = f"type=volume,source={volume},target=/m,volume-subpath=a/b"
    cli("create", "--name", "giver", "--mount", mount, "busybox")
    assert run(cli, "--volumes-from", "giver:ro", "busybox", "ls", "/m").stdout == "file\n"
    cli("rm", "giver")
    script = "ls /m >> /m/seen; [ $(wc -l < /m/seen) -gt 2 ]"
    cli(
        "run",
        "--name",
        "again",
        "--network",
        "none",
        "--restart",
        "on-failure:5",
        "-d",
        "--mount",
        mount,
        "busybox",
        "sh",
        "-c",
        script,
    )
    assert cli("wait", "again").stdout == "0\n"
    cli("rm", "again")


def test_a_part_with_owners_mapped(cli: Cli, volume: str) -> None:
    mount = f"type=volume,source={volume},target=/m,volume-subpath=a/b"
    done = run(cli, "--userns", "auto", "--mount", mount, "busybox", "sh", "-c", "stat -c %u /m/file; touch /m/mine")
    assert done.stdout == "0\n"


@pytest.mark.parametrize("userns", ["host", "auto"])
def test_an_image(cli: Cli, busybox: str, userns: str) -> None:
    script = "/m/bin/busybox echo hello; stat -c %u /m/bin; echo x > /m/file"
    done = run(
        cli, "--userns", userns, "--mount", "type=image,source=busybox,target=/m", "busybox", "sh", "-c", script, check=False
    )
    assert done.stdout == "hello\n0\n" and "Read-only" in done.stderr
    mount = "type=image,source=busybox,target=/m,image-subpath=bin"
    assert "busybox" in run(cli, "--userns", userns, "--mount", mount, "busybox", "ls", "/m").stdout.split()
    mount = "type=image,source=busybox,target=/m,image-subpath=no/where"
    done = run(cli, "--mount", mount, "busybox", "ls", "/m", check=False)
    assert "cannot access path no/where in the image: no such file or directory" in done.stderr


def test_an_image_that_is_mounted_is_in_use(cli: Cli, busybox: str) -> None:
    cli("tag", "busybox", "other:1")
    cli("run", "--network", "none", "--name", "maker", "busybox", "sh", "-c", "echo data > /made")
    cli("commit", "maker", "data:1")
    cli("rm", "maker")
    cli("create", "--name", "user", "--mount", "type=image,source=data:1,target=/m", "busybox", "cat", "/m/made")
    seen = json.loads(cli("inspect", "user").stdout)[0]["Mounts"][0]
    assert (seen["Type"], seen["Name"], seen["Destination"], seen["RW"]) == ("image", "data:1", "/m", False)
    done = cli("rmi", "data:1", check=False)
    assert done.returncode == 1 and "is using its referenced image" in done.stderr
    assert cli("start", "-a", "user").stdout == "data\n"
    cli("rm", "user")
    cli("rmi", "data:1")
    done = cli("create", "--mount", "type=image,source=data:1,target=/m", "busybox", check=False)
    assert "No such image: data:1" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--tmpfs", "/tmp"], "1777 rw,nosuid,nodev,noexec"),
        (["--tmpfs", "/root"], "700 rw,nosuid,nodev,noexec"),
        (["--tmpfs", "/new"], "1777 rw,nosuid,nodev,noexec"),
        (
            ["--tmpfs", "/t:size=64k,mode=700,uid=7,gid=8,nr_inodes=16,exec"],
            "700 rw,nosuid,nodev uid=7 gid=8 size=64k nr_inodes=16",
        ),
        (["--tmpfs", "/t:ro,suid,dev,noatime"], "1777 ro,noexec,noatime"),
        (["--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0750"], "750 rw,nosuid,nodev,noexec size=1024k"),
        (["--mount", "type=tmpfs,target=/t,readonly"], "1777 ro,nosuid,nodev,noexec"),
    ],
)
def test_tmpfs(cli: Cli, busybox: str, arguments: list[str], seen: str) -> None:
    target = arguments[1].split("target=")[-1].split(":")[0].split(",")[0]
    cli("run", "--name", "maker", "--network", "none", "busybox", "sh", "-c", "mkdir -m 700 /root; mkdir -m 1777 /tmp")
    cli("commit", "maker", "folders")
    cli("rm", "maker")
    done = run(cli, *arguments, "folders", "sh", "-c", f"stat -c %a {target}; grep ' {target} tmpfs' /proc/mounts")
    mode, line = done.stdout.splitlines()
    options = line.split()[3].split(",")
    wanted_mode, flags, *data = seen.split()
    assert mode == wanted_mode and set(flags.split(",")) <= set(options) and set(data) <= set(options)
    for flag in {"nosuid", "nodev", "noexec"} - set(flags.split(",")):
        assert flag not in options


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--tmpfs", "/t:colour=red"], 'invalid tmpfs option "colour=red"'),
        (["--tmpfs", "/t:bind"], 'invalid tmpfs option "bind"'),
        (["--mount", "type=tmpfs,target=/t,tmpfs-mode=rwx"], "invalid value for tmpfs-mode: rwx"),
    ],
)
def test_tmpfs_refused(cli: Cli, busybox: str, arguments: list[str], why: str) -> None:
    done = run(cli, *arguments, "busybox", "true", check=False)
    assert done.returncode == 125 and why in done.stderr and done.stderr.count("\n") == 1


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder on a mount of its own, whose mounts are private, and then what the test makes of it."""
    place = tmp_path / "shared"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    subprocess.run(["mount", "--make-private", place], check=True)
    (place / "below").mkdir()
    yield place
    subprocess.run(["umount", "-R", place], check=True)


def test_propagation_needs_a_source_that_has_it(cli: Cli, busybox: str, shared: Path) -> None:
    for mode, why in (("rshared", "a shared mount"), ("shared", "a shared mount"), ("rslave", "a shared or slave mount")):
        done = run(cli, "-v", f"{shared}/below:/b:{mode}", "busybox", "true", check=False)
        assert done.stderr.rstrip().endswith(f"path {shared}/below is mounted on {shared} but it is not {why}")
    subprocess.run(["mount", "--make-shared", shared], check=True)
    for mode in ("rshared", "shared", "rslave", "slave"):
        run(cli, "-v", f"{shared}/below:/b:{mode}", "busybox", "true")


@pytest.mark.parametrize(
    ("mode", "inside", "outside"), [("rshared", True, True), ("rslave", True, False), ("rprivate", False, False)]
)
def test_where_mounts_appear(cli: Cli, busybox: str, shared: Path, mode: str, inside: bool, outside: bool) -> None:
    subprocess.run(["mount", "--make-shared", shared], check=True)
    (shared / "below" / "a").mkdir()
    (shared / "below" / "b").mkdir()
    cli(
        "run",
        "-d",
        "--name",
        "one",
        "--network",
        "none",
        "--privileged",
        "-v",
        f"{shared}/below:/b:{mode}",
        "busybox",
        "sleep",
        "100",
    )
    subprocess.run(["mount", "-t", "tmpfs", "none", shared / "below" / "a"], check=True)
    assert ("/b/a" in cli("exec", "one", "cat", "/proc/mounts").stdout) is inside
    cli("exec", "one", "mount", "-t", "tmpfs", "none", "/b/b")
    assert (f"{shared}/below/b " in Path("/proc/mounts").read_text()) is outside
    cli("rm", "-f", "one")


# Volumes that are file systems


def mounted(cli: Cli, name: str) -> bool:
    return f" {json.loads(cli('volume', 'inspect', name).stdout)[0]['Mountpoint']} " in Path("/proc/mounts").read_text()


def test_a_volume_in_memory_is_shared_and_gone_with_its_last_container(cli: Cli, busybox: str) -> None:
    cli("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m,uid=7", "mem")
    assert json.loads(cli("volume", "inspect", "mem").stdout)[0]["Options"] == {
        "type": "tmpfs",
        "device": "tmpfs",
        "o": "size=1m,uid=7",
    }
    assert not mounted(cli, "mem")
    cli("run", "-d", "--name", "first", "--network", "none", "-v", "mem:/m", "busybox", "sleep", "100")
    assert cli("exec", "first", "sh", "-c", "echo shared > /m/file; stat -c %u /m").stdout == "7\n"
    done = run(cli, "-v", "mem:/m", "busybox", "sh", "-c", "cat /m/file; df -k /m | tail -1")
    assert done.stdout.startswith("shared\n") and " 1024 " in done.stdout
    assert mounted(cli, "mem")
    cli("rm", "-f", "first")
    assert not mounted(cli, "mem")
    assert run(cli, "-v", "mem:/m", "busybox", "ls", "/m").stdout == ""
    cli("volume", "rm", "mem")


def test_a_volume_that_is_a_folder_of_the_host(cli: Cli, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("host\n")
    options = ["type=volume,source=there,target=/m", "volume-opt=type=none", f"volume-opt=device={tmp_path}"]
    mount = ",".join([*options, '"volume-opt=o=bind,ro"'])
    done = run(cli, "--mount", mount, "busybox", "sh", "-c", "cat /m/file; echo x > /m/x", check=False)
    assert done.stdout == "host\n" and "Read-only" in done.stderr
    assert not mounted(cli, "there")
    cli("volume", "rm", "there")
    assert (tmp_path / "file").exists()


def test_what_is_on_a_volume_s_file_system_is_not_deleted_with_it(cli: Cli, busybox: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("host\n")
    cli("volume", "create", "-o", "type=none", "-o", f"device={tmp_path}", "-o", "o=bind", "there")
    cli("run", "-d", "--name", "one", "--network", "none", "-v", "there:/m", "busybox", "sleep", "100")
    monitor = json.loads(cli("inspect", "one").stdout)[0]["State"]["Pid"]
    parent = int(Path(f"/proc/{monitor}/stat").read_text().rpartition(")")[2].split()[1])
    subprocess.run(["kill", "-9", str(parent)], check=True)  # nobody is left to unmount
    cli("rm", "-f", "one")
    cli("volume", "rm", "there")
    assert (tmp_path / "file").read_text() == "host\n" and str(tmp_path) not in Path("/proc/mounts").read_text()


def test_a_volume_that_was_mounted_for_a_start_that_was_killed(
    cli: Cli, busybox: str, roots: tuple[Path, Path], tmp_path: Path
) -> None:
    fault = tmp_path / "fault"
    fault.write_text(json.dumps({"point": "start.volumes mounted", "action": "kill"}))
    cli("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mem")
    killed = cli("run", "--network", "none", "-v", "mem:/m", "busybox", "true", env={"MOBY_FAULT": str(fault)}, check=False)
    assert killed.returncode != 0 and mounted_below(roots[0])
    assert cli("volume", "ls", "-q").stdout == "mem\n"
    assert not mounted_below(roots[0]) and not list((roots[1] / "volumes").iterdir())
    cli("rm", *cli("ps", "-aq").stdout.split())
    cli("volume", "rm", "mem")


def mounted_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["colour=red"], 'invalid option: "colour"'),
        (["type=tmpfs"], 'missing required option: "device"'),
        (["device=/x"], 'missing required option: "type"'),
        (["type=cifs", "device=//host:445/x"], "port not allowed in CIFS device URL"),
        (["size=100k"], "quota size requested but no quota support: the data root does not lie on xfs or ext4 mounted"),
    ],
)
def test_volume_options_that_cannot_be(cli: Cli, busybox: str, options: list[str], why: str) -> None:
    done = cli("volume", "create", *(word for option in options for word in ("-o", option)), "v1", check=False)
    assert done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1


def test_a_file_system_that_cannot_be_mounted_says_why(cli: Cli, busybox: str) -> None:
    cli("volume", "create", "-o", "type=none", "-o", "device=/no/where", "-o", "o=bind", "v1")
    done = run(cli, "-v", "v1:/m", "busybox", "true", check=False)
    assert done.returncode == 127 and "failed to mount local volume: mount /no/where:" in done.stderr
    assert "no such file or directory" in done.stderr and done.stderr.count("\n") == 1
    cli("volume", "rm", "v1")


def test_another_runtime_is_given_what_only_this_engine_can_mount(cli: Cli, volume: str) -> None:
    part = f"type=volume,source={volume},target=/m,volume-subpath=a/b"
    image = "type=image,source=busybox,target=/i,image-subpath=bin"
    single = f"type=volume,source={volume},target=/f,volume-subpath=a/b/file"
    script = "cat /m/file /f; test -x /i/busybox && echo image; touch /i/x 2>/dev/null || echo read-only"
    runc = shutil.which("runc") or ""
    for _ in range(2):
        done = run(cli, "--runtime", runc, "--mount", part, "--mount", single, "--mount", image, "busybox", "sh", "-c", script)
        assert done.stdout.split() == ["in", "in", "image", "read-only"]


async def test_a_bind_of_the_data_root_does_not_hold_its_mounts(engine: Engine, busybox: str, tmp_path: Path) -> None:
    """As with dockerd: it is ``rslave`` unless ``rshared`` is named, also by the root above it."""
    root = engine.paths.data_root
    for source, propagation in ((root, "rslave"), (root / "containers", "rslave"), (Path("/"), "rslave"), (tmp_path, "rprivate")):
        asked = {
            "bind": HostConfig(binds=[f"{source}:/m"], network_mode="none"),
            "mount": HostConfig(mounts=[Mount(type="bind", source=str(source), target="/m")], network_mode="none"),
        }
        for kind, host in asked.items():
            made = await engine.containers.create(ContainerCreate(image=busybox, cmd=["true"], host_config=host))
            [mount] = (await engine.containers.inspect(made.id)).mounts
            assert mount.propagation == propagation, (kind, source)
            # one that nobody named asks nothing of the mount it is on
            await engine.containers.start(made.id)
            await engine.containers.remove(made.id, force=True)
    for mode in ("private", "rprivate", "slave", "shared"):
        host = HostConfig(binds=[f"{root}:/m:{mode}"])
        with pytest.raises(MobyError, match=f'use either propagation mode "rslave" or "rshared" .* propagation: "{mode}"$'):
            await engine.containers.create(ContainerCreate(image=busybox, host_config=host))
    for mode in ("rslave", "rshared"):
        host = HostConfig(binds=[f"{root}:/m:{mode}"])
        made = await engine.containers.create(ContainerCreate(image=busybox, host_config=host))
        assert (await engine.containers.inspect(made.id)).mounts[0].propagation == mode
