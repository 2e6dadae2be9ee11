"""Build caches in BuildKit's form: those of dockerd, which are recorded, and how a test has us build the same.

``python -m buildkit.recorded.caches SOCKET`` (in ``tests/``) records the caches that the daemon behind that socket writes; it
needs the containerd image store, and no network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from buildkit.recorded.builds import docker

RECORDED = Path(__file__).parent / "dockerd_28_5_caches.json"
#: The base image: the same bytes on any machine, so that the digests of its layers are.
BASE = "tiny:latest"
#: An image that has its own cache.
INLINE = "inlined:latest"
#: A program for x86-64 that makes the directory that its third word names: ``/bin/sh -c NAME``.
_CODE = bytes.fromhex("488b7c2418beed010000b8530000000f0531ffb83c0000000f05")


class Case(NamedTuple):
    name: str
    dockerfile: str
    #: the steps that this engine finds in the cache
    cached: int
    words: tuple[str, ...] = ()


CASES = [
    Case(
        "steps",
        "FROM tiny AS one\nARG TARGETARCH\nENV A=b C='x y'\nRUN /one\nWORKDIR /w/x\nCOPY a b c.x /t/\nCOPY d /d\n"
        "COPY --chown=1:2 --chmod=640 a own\nCOPY --chown=root a .\nCOPY *.x /x/\nCOPY d* /y/\nCOPY l /followed\nADD d /e/\nCOPY . /all\n",
        11,
    ),
    Case(
        "stages",
        "FROM tiny AS one\nENV C=1 B=2\nARG X=3\nRUN /one\nCOPY --chown=5:6 --chmod=4755 a /t/a\nCOPY d /t/d\n"
        "FROM one\nENV B=4\nUSER 1:2\nWORKDIR z\nCOPY --from=one /t /one /copied/\n"
        'COPY <<F <<G /here/\n$B\nF\ng\nG\nRUN ["/bin/sh", "-c", "/two"]\nSHELL ["/bin/sh", "-x"]\nRUN /th<>&ree\nWORKDIR /\n',
        9,
    ),
    Case("nothing below", "FROM scratch\nCOPY d/e d/deep /x/\nWORKDIR /w\nCOPY --from=tiny /bin/sh /sh\n", 3),
    Case(
        "mounts",
        "FROM tiny AS one\nRUN /one\nFROM tiny\nWORKDIR /w\nRUN --mount=type=bind,source=a,target=/f /m1\n"
        "RUN --mount=target=/ctx,rw /m2\nRUN --mount=type=cache,target=/c /m3\n"
        "RUN --mount=type=cache,id=x,sharing=locked,target=rel /m4\nRUN --mount=type=tmpfs,target=/t,size=1m /m5\n"
        "RUN --mount=type=secret,id=s /m6\nRUN --mount=type=secret,id=s,env=S,target=/k,mode=0440,uid=5 /m7\n"
        "RUN --mount=type=secret,id=s,env=S --mount=type=ssh /m8\n"
        "RUN --mount=from=one,source=/one,target=/z --mount=source=d,target=/d --mount=type=tmpfs,target=/e /m9\n"
        "RUN <<E\n#!/bin/sh -c\nE\n",
        12,
    ),
    Case(
        "links",
        "FROM tiny AS one\nCOPY --chown=7:8 d /d\nFROM tiny\nWORKDIR /w\nCOPY --link a b /t/\nCOPY --link --from=one --chown=1:2 /d ./d\n"
        "ADD --link <<E *.x /here/\ntext\nE\nRUN /m\n",
        6,
    ),
    Case("arguments", "ARG Z=z\nFROM tiny\nARG Z\nARG Y\nENV P=$Y\nRUN /$Z\n", 1, ("--build-arg", "Y=yes")),
]  # fmt: skip
#: The case whose cache is recorded in each form that BuildKit knows: ``indexed`` is that of versions before 0.21.
FORMS = "stages"
#: The context: contents by name; a folder's mode is 755, a file's 644.
_FILES = {
    "a": "a",
    "b": "b",
    "c.x": "c",
    "d/e": "e",
    "d/deep/f": "f",
    "e.x": "e",
    ".dockerignore": "ignored\nDockerfile\n",
    "ignored": "1",
}


def base(path: Path) -> None:
    """Writes the base image as an archive."""
    program = _program()
    layer = _tar({"bin": None, "bin/sh": program})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    blobs: dict[str, bytes] = {}

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    kind = "application/vnd.oci.image.manifest.v1+json"
    described = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [put(layer, "application/vnd.oci.image.layer.v1.tar")],
    }
    manifest = put(json.dumps(described).encode(), kind)
    manifest["annotations"] = {
        "io.containerd.image.name": f"docker.io/library/{BASE}",
        "org.opencontainers.image.ref.name": "latest",
    }
    index = {"schemaVersion": 2, "manifests": [manifest]}
    layout = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()}
    path.write_bytes(_tar({**layout, **blobs}))


def _program() -> bytes:
    start, size = 0x400000, 120 + len(_CODE)
    header = b"\x7fELF\2\1\1" + bytes(9) + _words((2, 2), (62, 2), (1, 4), (start + 120, 8), (64, 8), (0, 8), (0, 4))
    header += _words((64, 2), (56, 2), (1, 2), (0, 2), (0, 2), (0, 2))
    return header + _words((1, 4), (5, 4), (0, 8), (start, 8), (start, 8), (size, 8), (size, 8), (4096, 8)) + _CODE


def _words(*pairs: tuple[int, int]) -> bytes:
    return b"".join(value.to_bytes(size, "little") for value, size in pairs)


def _tar(members: dict[str, bytes | None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = 0o755, len(data or b"")
            member.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(data or b""))
    return buffer.getvalue()


def context(folder: Path, dockerfile: str) -> None:
    for name, text in {**_FILES, "Dockerfile": dockerfile}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(0o644)
    for place in (folder, *folder.rglob("*")):
        if place.is_dir():
            place.chmod(0o755)
    if not (folder / "l").is_symlink():
        (folder / "l").symlink_to("d/e")


def lay_out(recorded: dict[str, Any], folder: Path, form: str = "cache") -> None:
    """Writes a recorded OCI layout."""
    for name, data in {**recorded["cache"], **recorded[form]}.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(base64.b64decode(data))


def _take(path: Path, folder: Path, case: Case) -> dict[str, Any]:
    context(folder / "context", case.dockerfile)
    build = ("buildx", "build", "--network", "none", "--provenance=false", *case.words, str(folder / "context"))
    listed, image = folder / "cache", folder / "image"
    done = docker(path, *build, "--cache-to", f"type=local,dest={listed},mode=max", "-o", f"type=oci,tar=false,dest={image}")
    assert done.returncode == 0, done.stderr.decode()
    indexed, inline = folder / "indexed", folder / "inline"
    last = (*build, "--cache-to")
    docker(path, *last, f"type=local,dest={indexed},image-manifest=false")
    done = docker(path, *last, "type=inline", "-t", INLINE, "-o", f"type=oci,tar=false,dest={inline}")
    assert done.returncode == 0, done.stderr.decode()
    [described] = json.loads((image / "index.json").read_text())["manifests"]
    manifest = json.loads((image / "blobs" / described["digest"].replace(":", "/")).read_text())
    config = json.loads((image / "blobs" / manifest["config"]["digest"].replace(":", "/")).read_text())
    found = {"layers": config["rootfs"]["diff_ids"], "cache": _read(listed)}
    if case.name == FORMS:
        # what they have in common is there once
        for name, layout in (("indexed", indexed), ("inline", inline)):
            found[name] = {path: data for path, data in _read(layout).items() if found["cache"].get(path) != data}
    return found


def _read(layout: Path) -> dict[str, str]:
    files = sorted(place for place in layout.rglob("*") if place.is_file())
    return {str(place.relative_to(layout)): base64.b64encode(place.read_bytes()).decode() for place in files}


def record(path: Path, folder: Path) -> dict[str, Any]:
    base(folder / "base.tar")
    docker(path, "builder", "prune", "-af")
    assert docker(path, "load", "-i", str(folder / "base.tar")).returncode == 0
    return {case.name: _take(path, folder / str(number), case) for number, case in enumerate(CASES)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        RECORDED.write_text(json.dumps(record(Path(sys.argv[1]), Path(name)), indent=1) + "\n")
