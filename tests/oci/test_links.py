"""Links of a bundle's root that lead nowhere, as destinations of mounts, devices and the working directory.

The values are runc 1.3's; crun 1.28 has them for files, and refuses folders. Debian's runc 1.1 is not asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oci import bundle

LINKS = {
    "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf",
    "data": "/mnt/data",
    "two": "three",
    "three": "mnt2/deep",
    "up": "../../../above/y",
    "loop": "loop",
}


def make(tmp_path: Path, change: dict[str, Any], links: dict[str, str], *args: str) -> Path:
    (tmp_path / "file").write_text("file")
    (tmp_path / "folder").mkdir()

    def apply(config: dict[str, Any]) -> None:
        config["root"]["readonly"] = False
        config["mounts"] += change.get("mounts", [])
        config["process"] |= change.get("process", {})
        config["linux"] |= change.get("linux", {})

    folder = bundle.make(tmp_path / "b", apply, *args)
    for name, target in links.items():
        link = folder / "rootfs" / name
        link.parent.mkdir(exist_ok=True)
        if link.is_file():
            link.unlink()
        elif link.is_dir():
            link.rmdir()
        link.symlink_to(target)
    return folder


def bind(tmp_path: Path, source: str, destination: str) -> dict[str, Any]:
    return {"mounts": [{"destination": destination, "type": "bind", "source": str(tmp_path / source), "options": ["rbind"]}]}


@pytest.mark.parametrize(
    ("source", "destination", "made"),
    [
        ("file", "/etc/resolv.conf", "run/systemd/resolve/stub-resolv.conf"),
        ("folder", "/data", "mnt/data"),
        ("file", "/data/f", "mnt/data/f"),
        ("folder", "/two/z", "mnt2/deep/z"),
        ("folder", "/up", "above/y"),
    ],
)
def test_a_bind(runtime: bundle.Runtime, tmp_path: Path, source: str, destination: str, made: str) -> None:
    folder = make(tmp_path, bind(tmp_path, source, destination), LINKS, "grep", "-c", f" /{made} ", "/proc/mounts")
    done = runtime("run", "--bundle", str(folder), "oci-links")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert (folder / "rootfs" / made).exists() and not Path("/above").exists()


@pytest.mark.parametrize(
    ("change", "args", "out"),
    [
        (
            {"mounts": [{"destination": "/data", "type": "tmpfs", "source": "tmpfs"}]},
            ["grep", "-c", " /mnt/data ", "/proc/mounts"],
            "1",
        ),
        ({"process": {"cwd": "/data/w"}}, ["pwd"], "/mnt/data/w"),
        (
            {"linux": {"devices": [{"path": "/data", "type": "c", "major": 1, "minor": 3}]}},
            ["stat", "-c%t:%T", "/mnt/data"],
            "1:3",
        ),
        (
            {"linux": {"devices": [{"path": "/two/n", "type": "c", "major": 1, "minor": 3}]}},
            ["stat", "-c%t:%T", "/mnt2/deep/n"],
            "1:3",
        ),
        ({"linux": {"maskedPaths": ["/data"], "readonlyPaths": ["/two/x"]}}, ["echo", "there"], "there"),
    ],
)
def test_others(runtime: bundle.Runtime, tmp_path: Path, change: dict[str, Any], args: list[str], out: str) -> None:
    done = runtime("run", "--bundle", str(make(tmp_path, change, LINKS, *args)), "oci-links")
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr


@pytest.mark.parametrize(("name", "target"), [("sys", "bin"), ("proc", "bin"), ("sys", "absent"), ("proc", "/absent")])
def test_a_kernel_s_file_system_is_mounted_on_no_link(runtime: bundle.Runtime, tmp_path: Path, name: str, target: str) -> None:
    done = runtime("run", "--bundle", str(make(tmp_path, {}, {name: target}, "true")), "oci-links")
    assert done.returncode == 1 and "symbolic links" in done.stderr


def test_a_loop(runtime: bundle.Runtime, tmp_path: Path) -> None:
    done = runtime("run", "--bundle", str(make(tmp_path, bind(tmp_path, "folder", "/loop/x"), LINKS, "true")), "oci-links")
    assert done.returncode == 1 and "too many levels of symbolic links" in done.stderr
