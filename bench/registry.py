"""A registry with one large image, on a stage's own loopback: the same bytes for every contestant.

The files are laid out as docker-registry keeps them (distribution, registry/storage/paths.go), so that nobody has to push them first.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile
from pathlib import Path

from bench.stage import Stage

LAYERS = 8
FILES_PER_LAYER = 1250
FILE_BYTES = 42_000
PORT = 5000
REPOSITORY = "large"
REFERENCE = f"127.0.0.1:{PORT}/{REPOSITORY}:1"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def fill(folder: Path) -> None:
    """Makes the data of the registry: an image of 8 layers, 10,000 files and 420 MB, half of it random."""
    source = random.Random(1)
    layers, diff_ids = [], []
    for number in range(LAYERS):
        plain = _layer(source, number)
        packed = gzip.compress(plain, 6, mtime=0)
        layers.append({"mediaType": _LAYER, "size": len(packed), "digest": _keep(folder, packed)})
        diff_ids.append(_digest(plain))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/none"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created_by": f"layer {number}"} for number in range(LAYERS)],
    }
    body = json.dumps(config).encode()
    described = {"mediaType": _CONFIG, "size": len(body), "digest": _keep(folder, body)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": layers}).encode()
    digest = _keep(folder, manifest)
    repository = folder / "docker/registry/v2/repositories" / REPOSITORY
    for blob in (described["digest"], *(layer["digest"] for layer in layers)):
        _link(repository / "_layers", str(blob))
    _link(repository / "_manifests/revisions", digest)
    _link(repository / "_manifests/tags/1/index", digest)
    current = repository / "_manifests/tags/1/current"
    current.mkdir(parents=True)
    (current / "link").write_text(digest)


def _layer(source: random.Random, number: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for index in range(FILES_PER_LAYER):
            member = tarfile.TarInfo(f"layer{number}/folder{index % 25}/file{index}")
            half = source.randbytes(FILE_BYTES // 2)
            data = half + (f"line of text {index}\n" * FILE_BYTES).encode()[: FILE_BYTES - len(half)]
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _keep(folder: Path, data: bytes) -> str:
    digest = _digest(data)
    name = digest.removeprefix("sha256:")
    place = folder / "docker/registry/v2/blobs/sha256" / name[:2] / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "data").write_bytes(data)
    return digest


def _link(folder: Path, digest: str) -> None:
    place = folder / "sha256" / digest.removeprefix("sha256:")
    place.mkdir(parents=True)
    (place / "link").write_text(digest)


def serve(stage: Stage, data: Path) -> None:
    """Starts a registry on the stage with a copy of the data, whose blobs are shared."""
    own = stage.folder / "registry"
    shutil.copytree(data, own, copy_function=os.link)
    configuration = stage.folder / "registry.yml"
    configuration.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {own}}}, delete: {{enabled: true}}}}\n"
        f'http: {{addr: "127.0.0.1:{PORT}", secret: bench}}\n'
    )
    stage.start(["docker-registry", "serve", str(configuration)])
