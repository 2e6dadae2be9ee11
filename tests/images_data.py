"""Images for tests, made from Debian's busybox-static: layers as tars, a docker-archive that `load` takes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUSYBOX = Path("/bin/busybox")
APPLETS = [
    "sh",
    "ash",
    "ls",
    "cat",
    "echo",
    "true",
    "false",
    "sleep",
    "id",
    "env",
    "printenv",
    "pwd",
    "touch",
    "rm",
    "mkdir",
    "mount",
    "umount",
    "ps",
    "kill",
    "grep",
    "head",
    "tail",
    "wc",
    "dd",
    "stat",
    "test",
    "[",
    "hostname",
    "ip",
    "ifconfig",
    "ping",
    "nc",
    "wget",
    "nslookup",
    "vi",
    "top",
    "sort",
    "seq",
    "yes",
    "tr",
    "sed",
    "awk",
    "find",
    "chmod",
    "chown",
    "ln",
    "cp",
    "mv",
    "df",
    "du",
    "free",
    "uname",
    "date",
    "stty",
    "tty",
    "mknod",
    "sync",
    "usleep",
    "which",
    "whoami",
    "xargs",
    "od",
    "hexdump",
    "md5sum",
    "sha256sum",
    "cut",
    "tee",
    "trap",
    "nproc",
    "setsid",
    "timeout",
    "traceroute",
    "udhcpc",
    "httpd",
]
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
MTIME = 1_700_000_000


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Tar:
    """Builds a tar in memory, in the order of calls."""

    def __init__(self, format: int = tarfile.PAX_FORMAT) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=format)  # noqa: SIM115 - closed by bytes()

    def add(
        self, name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", pax: dict[str, str] | None = None, **values: Any
    ) -> Tar:
        member = tarfile.TarInfo(name)
        member.type, member.size, member.mtime = kind, len(data), MTIME
        member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        member.pax_headers = pax or {}
        for key, value in values.items():
            setattr(member, key, value)
        self._tar.addfile(member, io.BytesIO(data))
        return self

    def directory(self, name: str, **values: Any) -> Tar:
        return self.add(name, tarfile.DIRTYPE, **values)

    def symlink(self, name: str, target: str, **values: Any) -> Tar:
        return self.add(name, tarfile.SYMTYPE, linkname=target, **values)

    def link(self, name: str, target: str, **values: Any) -> Tar:
        return self.add(name, tarfile.LNKTYPE, linkname=target, **values)

    def bytes(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()


@dataclass
class ImageData:
    """Layers as plain tars, the lowest first."""

    layers: list[bytes]
    execution: dict[str, Any] = field(default_factory=lambda: {"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]})
    architecture: str = ARCHITECTURE

    @property
    def config(self) -> bytes:
        history = [{"created": "2023-11-14T22:13:20Z", "created_by": f"layer {number}"} for number in range(len(self.layers))]
        return json.dumps(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": "2023-11-14T22:13:20Z",
                "config": self.execution,
                "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in self.layers]},
                "history": history,
            }
        ).encode()

    @property
    def id(self) -> str:
        return sha256(self.config)


def busybox_rootfs() -> bytes:
    """A root file system that a shell runs in, as a plain tar."""
    tar = Tar()
    for name, mode in (
        ("bin", 0o755),
        ("etc", 0o755),
        ("root", 0o700),
        ("tmp", 0o1777),
        ("var", 0o755),
        ("home", 0o755),
        ("usr", 0o755),
    ):
        tar.directory(name, mode=mode)
    for name in ("dev", "proc", "sys", "usr/bin", "usr/sbin", "sbin"):
        tar.directory(name)
    tar.add("bin/busybox", data=BUSYBOX.read_bytes(), mode=0o755)
    for applet in APPLETS:
        tar.link(f"bin/{applet}", "bin/busybox", mode=0o755)
    tar.add(
        "etc/passwd",
        data=b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\nuser:x:1000:1000::/home:/bin/sh\n",
    )
    tar.add("etc/group", data=b"root:x:0:\nwheel:x:10:user\nnogroup:x:65534:\nuser:x:1000:\n")
    return tar.bytes()


def busybox_upper() -> bytes:
    """A second layer: whiteouts, hard links, extended attributes, nanoseconds, an undescribed parent."""
    tar = Tar()
    tar.add("etc/greeting", data=b"hello from the upper layer\n", pax={"mtime": "1700000000.123456789"})
    tar.link("etc/greeting.again", "etc/greeting")
    tar.add("etc/attributes", data=b"x", pax={"SCHILY.xattr.user.moby": "yes"})
    tar.add("etc/.wh.group")
    tar.directory("home")
    tar.add("home/.wh..wh..opq")
    tar.add("tmp/made-by-the-layer", data=b"")
    return tar.bytes()


def busybox() -> ImageData:
    return ImageData([busybox_rootfs(), busybox_upper()])


def docker_archive(*images: tuple[ImageData, list[str]]) -> bytes:
    """What ``docker save`` writes: images with their tags, as a plain tar for ``load``."""
    tar, manifest, written = Tar(), [], set()
    for image, tags in images:
        names = []
        for layer in image.layers:
            name = sha256(layer).removeprefix("sha256:") + "/layer.tar"
            if name not in written:
                tar.add(name, data=layer)
                written.add(name)
            names.append(name)
        config = image.id.removeprefix("sha256:") + ".json"
        tar.add(config, data=image.config)
        manifest.append({"Config": config, "RepoTags": tags, "Layers": names})
    return tar.add("manifest.json", data=json.dumps(manifest).encode()).bytes()


def busybox_archive(tag: str = "busybox:latest") -> bytes:
    """A docker-archive of the busybox image under this tag."""
    return docker_archive((busybox(), [tag]))


def oci_layout(image: ImageData, name: str, annotation: str = "io.containerd.image.name") -> bytes:
    """An OCI image layout with gzip layers, as a plain tar."""
    tar = Tar()

    def blob(data: bytes) -> dict[str, Any]:
        tar.add("blobs/sha256/" + sha256(data).removeprefix("sha256:"), data=data)
        return {"digest": sha256(data), "size": len(data)}

    layers = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(gzip.compress(layer, 1, mtime=0))}
        for layer in image.layers
    ]
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(image.config)}
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers}).encode()
    entry = {"mediaType": manifest_type, **blob(manifest), "annotations": {annotation: name}}
    tar.add("oci-layout", data=b'{"imageLayoutVersion":"1.0.0"}')
    return tar.add("index.json", data=json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()).bytes()
