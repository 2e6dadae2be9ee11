"""What dockerd says of a build beside its image, recorded; and the same build asked of us.

``python -m buildkit.recorded.provenance SOCKET`` (in ``tests/``) records it of the daemon behind that socket, which has the image busybox of
``bench.image`` and the containerd image store.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from buildkit.recorded.builds import docker

RECORDED = Path(__file__).parent / "dockerd_28_5_provenance.json"
DOCKERFILE = (
    "FROM busybox AS one\nARG S\nRUN --mount=type=secret,id=tok --mount=type=ssh,required=true true\nFROM one\nRUN echo $S\n"
)
#: What the graph of operations makes of it, which this engine has not.
_OF_THE_GRAPH = ("buildConfig", "locations", "layers", "llbDefinition", "digestMapping")
_OF_THE_BUILD = ("sha256", "buildInvocationID", "buildStartedOn", "buildFinishedOn")


def build(path: Path, folder: Path, mode: str, *words: str) -> tuple[str, dict[str, Any], bytes]:
    """Builds with the daemon behind a socket; returns what buildx says, the image's index, and all attestations as one."""
    (folder / "context").mkdir(exist_ok=True)
    (folder / "context/Dockerfile").write_text(DOCKERFILE)
    (folder / "secret").write_text("a most secret word")
    archive = folder / f"{mode}.tar"
    done = docker(
        path,
        *("buildx", "build", "--network", "none", "--no-cache", "--provenance", f"mode={mode}", "-t", "example.test/a:1"),
        *(
            "--build-arg",
            "S=value",
            "--label",
            "l=x",
            "--secret",
            f"id=tok,src={folder}/secret",
            "--ssh",
            f"default={folder}/agent",
        ),
        *("-o", f"type=oci,dest={archive}", *words, str(folder / "context")),
    )
    assert done.returncode == 0, done.stderr.decode()
    with tarfile.open(archive) as members:
        files = {member.name: members.extractfile(member).read() for member in members if member.isreg()}  # type: ignore[union-attr]

    def blob(descriptor: dict[str, Any]) -> Any:
        return json.loads(files["blobs/" + descriptor["digest"].replace(":", "/")])

    index = blob(json.loads(files["index.json"])["manifests"][0])
    [image, attestation] = index["manifests"]
    assert attestation["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    manifest = blob(attestation)
    bodies = b"".join(files["blobs/" + each["digest"].replace(":", "/")] for each in (manifest["config"], *manifest["layers"]))
    told = {"index": index, "manifest": manifest, "config": blob(manifest["config"]), "statement": blob(manifest["layers"][0])}
    return done.stderr.decode(), told, bodies


def shape(told: Any) -> Any:
    """The same without what differs between builds and engines: digests, sizes, times, ids, and what is of the graph."""
    if isinstance(told, list):
        return [shape(each) for each in told]
    if isinstance(told, str):
        return "sha256" if told.startswith("sha256:") else told
    if not isinstance(told, dict):
        return told
    kept = {name: shape(value) for name, value in told.items() if name not in _OF_THE_GRAPH}
    return {name: "..." if name in (*_OF_THE_BUILD, "size") else value for name, value in kept.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        import socket

        with socket.socket(socket.AF_UNIX) as agent:
            agent.bind(f"{name}/agent")
            agent.listen()
            answers = {mode: shape(build(Path(sys.argv[1]), Path(name), mode)[1]) for mode in ("min", "max")}
        RECORDED.write_text(json.dumps(answers, indent=1) + "\n")
