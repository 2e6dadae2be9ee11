"""The one image that every contestant runs: Debian's static busybox, as a ``docker save`` archive."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

NAME = "busybox:latest"
APPLETS = (
    *(
        "[",
        "cat",
        "chmod",
        "chown",
        "cp",
        "cut",
        "date",
        "dd",
        "df",
        "echo",
        "env",
        "expr",
        "false",
        "find",
        "free",
        "grep",
        "head",
    ),
    *(
        "hostname",
        "httpd",
        "id",
        "ifconfig",
        "ip",
        "kill",
        "ln",
        "ls",
        "md5sum",
        "mkdir",
        "mknod",
        "mount",
        "mv",
        "nc",
        "nslookup",
    ),
    *("od", "ping", "ps", "pwd", "readlink", "rm", "rmdir", "route", "sed", "seq", "sh", "sleep", "sort", "stat", "stty", "sync"),
    *("tail", "tar", "tee", "test", "touch", "tr", "true", "tty", "umount", "uname", "unshare", "wc", "wget", "whoami", "yes"),
)
BUSYBOX = Path("/bin/busybox")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def rootfs(folder: Path) -> None:
    """Lays the same files out as a folder, for a runtime that knows no images."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "busybox").write_bytes(BUSYBOX.read_bytes())
    (folder / "bin" / "busybox").chmod(0o755)
    for applet in APPLETS:
        (folder / "bin" / applet).symlink_to("busybox")


def archive(path: Path) -> None:
    """Writes the image archive to ``path``."""
    layer = _layer()
    config = json.dumps(
        {
            "architecture": ARCHITECTURES[platform.machine()],
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [NAME], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in ((config_name, config), ("layer.tar", layer), ("manifest.json", manifest)):
            _add(tar, name, content)


def _layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo("bin")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        _add(tar, "bin/busybox", BUSYBOX.read_bytes(), mode=0o755)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
