"""Prints what a build has made, without what differs between two builds of the same: ``python look.py KIND PATH``.

``tree`` lists a folder, ``tar`` an archive, ``layout`` the images of an OCI layout (a folder or an archive), ``json`` a JSON file.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Keys whose values differ between two builds.
_VARYING = (
    "created",
    "size",
    "buildStartedOn",
    "buildFinishedOn",
    "startedOn",
    "finishedOn",
    "invocationID",
    "buildInvocationID",
)


def main(kind: str, path: Path) -> None:
    {"tree": _tree, "tar": _tar, "layout": _layout, "json": _json}[kind](path)


def _tree(path: Path) -> None:
    for each in sorted(path.rglob("*")):
        name = each.relative_to(path)
        if "bin" in name.parts[:1] or (len(name.parts) > 1 and name.parts[1] == "bin"):
            continue
        if each.is_symlink():
            print(f"{name} -> {each.readlink()}")
        elif each.is_dir():
            print(f"{name}/ {each.stat().st_mode & 0o7777:o}")
        else:
            status = each.stat()
            moment = int(status.st_mtime) if status.st_mtime < 1500000000 else "now"
            print(
                f"{name} {status.st_mode & 0o7777:o} {status.st_uid}:{status.st_gid} {moment} {_digest(str(name), each.read_bytes())}"
            )


def _tar(path: Path) -> None:
    with tarfile.open(path) as archive:
        _members(archive, "")


def _members(archive: tarfile.TarFile, indent: str) -> None:
    lines = []
    for member in archive:
        if member.name.strip("./").split("/")[0] == "bin":
            continue
        data = archive.extractfile(member) if member.isreg() else None
        digest = _digest(member.name, data.read()) if data else member.linkname
        moment = int(member.mtime) if member.mtime < 1500000000 else "now"
        lines.append(f"{indent}{member.name} {member.type.decode()} {member.mode:o} {member.uid}:{member.gid} {moment} {digest}")
    print("\n".join(sorted(lines)))


def _digest(name: str, data: bytes) -> str:
    if name.endswith("provenance.json"):
        return json.dumps(_steady(json.loads(data)))
    return hashlib.sha256(data).hexdigest()[:8]


def _json(path: Path) -> None:
    print(json.dumps(_steady(json.loads(path.read_text())), indent=1, sort_keys=True))


def _layout(path: Path) -> None:
    if path.is_dir():
        _images(lambda name: (path / name).read_bytes() if (path / name).exists() else None)
        return
    with tarfile.open(path) as archive:
        named = {member.name: archive.extractfile(member) for member in archive if member.isreg()}
        texts = {name: data.read() for name, data in named.items() if data}
    print("\n".join(sorted(name for name in texts if not name.startswith("blobs/"))))
    _images(texts.get)


def _images(read: Callable[[str], bytes | None]) -> None:
    if manifest := read("manifest.json"):
        for image in json.loads(manifest):
            print("manifest.json", image["RepoTags"], len(image["Layers"]))
    if layout := read("oci-layout"):
        print("oci-layout", layout.decode().strip())
    if index := read("index.json"):
        _described({**json.loads(index)}, read, "")


def _described(document: dict[str, Any], read: Callable[[str], bytes | None], indent: str) -> None:
    print(f"{indent}{json.dumps(_steady({**document, 'manifests': None, 'layers': None, 'config': None}), sort_keys=True)}")
    for each in document.get("manifests") or ():
        print(f"{indent} {json.dumps(_steady(each), sort_keys=True)}")
        text = read("blobs/" + each["digest"].replace(":", "/"))
        if text is None:
            print(f"{indent}  missing")
            continue
        _described(json.loads(text), read, f"{indent}  ")
    if config := document.get("config"):
        text = read("blobs/" + config["digest"].replace(":", "/")) or b"{}"
        print(f"{indent} config {json.dumps(_steady({**json.loads(text), 'moby.buildkit.cache.v0': None}), sort_keys=True)}")
    for layer in document.get("layers") or ():
        print(f"{indent} layer {json.dumps(_steady(layer), sort_keys=True)}")
        text = read("blobs/" + layer["digest"].replace(":", "/")) or b""
        if text[:1] == b"{":
            print(f"{indent}   {json.dumps(_steady(json.loads(text)), sort_keys=True)}")
        elif text[:4] != b"\x28\xb5\x2f\xfd":
            with tarfile.open(fileobj=io.BytesIO(text)) as archive:
                _members(archive, f"{indent}   ")
        else:
            print(f"{indent}   zstd")


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _steady(item) if name not in _VARYING else _varied(item) for name, item in value.items() if item is not None
        }
    if isinstance(value, list):
        return [_steady(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", value)
    return value


def _varied(value: Any) -> Any:
    """A moment long ago is asked for, and stays."""
    return value if isinstance(value, str) and value < "2020" else "VARIES"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
