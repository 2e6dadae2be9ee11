"""Bills of materials, made by a scanner of our own: by dockerd, recorded, and by us.

``python -m buildkit.recorded.scans SOCKET`` (in ``tests/``, in the network namespace of the daemon) records what the daemon behind it makes,
which has the image busybox of ``bench.image`` and the containerd image store.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from grpclib.exceptions import GRPCError

from buildkit.client import Client
from buildkit.images import Frontend, built, put_image
from buildkit.peer import Daemon, Elsewhere
from buildkit.recorded import graphs
from buildkit.recorded.provenance import shape
from moby_tui.api.buildkit.wire import control_pb2
from moby_tui.api.buildkit.wire import gateway_pb2 as gw
from moby_tui.api.buildkit.wire import ops_pb2 as pb

RECORDED = Path(__file__).parent / "dockerd_28_5_scans.json"
#: Says in a statement what it was given.
SCANNER = r"""#!/bin/sh
given=$(env | grep BUILDKIT_SCAN | sort | tr '\n' ' ')
files=$(cd "$BUILDKIT_SCAN_SOURCE" && find . -type f | sort | tr '\n' ' ')
touch "$BUILDKIT_SCAN_SOURCE/x" 2>/dev/null && writable=yes
cat >"$BUILDKIT_SCAN_DESTINATION/one.spdx.json" <<END
{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
 "predicate": {"given": "$given", "files": "$files", "own": "$OWN", "folder": "$PWD", "user": "$(id -u)", "writable": "$writable"}}
END
case $BUILDKIT_SCAN_does in
    text) echo text >"$BUILDKIT_SCAN_DESTINATION/two";;
    kind) echo '{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "x", "predicate": {}}' >"$BUILDKIT_SCAN_DESTINATION/two";;
    folder) mkdir "$BUILDKIT_SCAN_DESTINATION/two";;
    fails) exit 3;;
esac
"""
DOCKERFILE = 'FROM busybox\nCOPY --chmod=755 scan /scan\nENV OWN=x PATH=/bin\nWORKDIR /bin\nUSER 7\nENTRYPOINT ["/bin/sh"]\nCMD ["/scan"]\n'
CASES = {
    "a bill of materials": ("generator=scanner", {}),
    "parameters": ("generator=scanner,EXTRA=y", {}),
    "beside provenance": ("generator=scanner", {"attest:provenance": "mode=min"}),
    "a file that is no statement": ("generator=scanner,does=text", {}),
    "a statement of another kind": ("generator=scanner,does=kind", {}),
    "a folder": ("generator=scanner,does=folder", {}),
    "a scanner that fails": ("generator=scanner,does=fails", {}),
}


#: What a frontend states itself: a predicate, and whole statements in a folder.
OWN = "a frontend's own"


async def states(front: Frontend) -> None:
    spdx = "https://spdx.dev/Document"
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": spdx, "predicate": {"b": 2}}
    other = {**statement, "subject": [{"name": "other", "digest": {"sha256": "0" * 64}}]}
    made = await front.solve(
        lambda graph: graph.file(
            graphs.mkfile("/p", '{"a": 1}', out=-1),
            graphs.mkdir("/d", at=0, out=-1),
            graphs.mkfile("/d/1", json.dumps(statement), at=1, out=-1),
            graphs.mkfile("/d/2", json.dumps(other), at=2),
        )
    )
    image = gw.InTotoSubject(kind=gw.InTotoSubjectKind.Self)
    raw = gw.InTotoSubject(kind=gw.InTotoSubjectKind.Raw, name="n", digest=["sha256:" + "1" * 64])
    given = [
        gw.Attestation(kind=gw.AttestationKind.InToto, ref=made.ref, path="/p", inTotoPredicateType=spdx, inTotoSubjects=[image]),
        gw.Attestation(kind=gw.AttestationKind.InToto, ref=made.ref, path="p", inTotoPredicateType=spdx, inTotoSubjects=[raw]),
        gw.Attestation(kind=gw.AttestationKind.Bundle, ref=made.ref, path="/d", inTotoPredicateType=spdx),
    ]
    platforms = {"Platforms": [{"ID": "linux/amd64", "Platform": {"os": "linux", "architecture": "amd64"}}]}
    await front.give(
        ref=(await front.solve(lambda graph: graph.file(graphs.mkfile("/f")))).ref,
        metadata={"refs.platforms": json.dumps(platforms).encode()},
        attestations={"linux/amd64": gw.Attestations(attestation=given)},
    )


async def prepare(daemon: Daemon, folder: Path) -> None:
    """Makes the images of the scanner and of a frontend."""
    await put_image(daemon, folder / "front", "front")
    client = Client(daemon, folder / "scanner")
    client.number = int.from_bytes(os.urandom(4))
    client.write(scan=SCANNER, Dockerfile=DOCKERFILE)
    await client.build(Exporters=[control_pb2.Exporter(Type="image", Attrs={"name": "docker.io/library/scanner:latest"})])


async def outcome(client: graphs.GraphClient, name: str) -> dict[str, Any]:
    """The predicates and what is beside them, or the error."""
    if name == OWN:
        exporter = control_pb2.Exporter(Type="oci", Attrs={"name": "example.test/a:1"})
        _, answer = await built(client, states, Exporters=[exporter])
        return {"statements": stated(client.target.data or b"")} if isinstance(answer, dict) else {"error": answer}
    sbom, more = CASES[name]
    (client.folder / "Dockerfile").write_text("FROM scratch\nCOPY f /copied\n")
    client.target.data = None
    attributes = {"attest:sbom": sbom, **more}
    exporter = control_pb2.Exporter(Type="oci", Attrs={"name": "example.test/a:1"})
    request = {"Frontend": "dockerfile.v0", "FrontendAttrs": attributes, "Exporters": [exporter]}
    try:
        await client.solve(f"scan-{os.urandom(4).hex()}", pb.Definition(), **request)
    except GRPCError as error:
        return {"error": error.message}
    return {"statements": stated(client.target.data or b"")}


def stated(archive: bytes) -> list[Any]:
    """The statements in an OCI layout, with the types of their layers."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        files = {member.name: members.extractfile(member).read() for member in members if member.isreg()}  # type: ignore[union-attr]

    def blob(descriptor: dict[str, Any]) -> Any:
        return json.loads(files["blobs/" + descriptor["digest"].replace(":", "/")])

    top = blob(json.loads(files["index.json"])["manifests"][0])
    found = []
    for each in top.get("manifests", []):
        if "annotations" in each and "vnd.docker.reference.type" in each["annotations"]:
            for layer in blob(each)["layers"]:
                statement = blob(layer)
                predicate = statement["predicate"] if "spdx" in statement["predicateType"] else "..."
                found.append([layer["mediaType"], layer["annotations"], shape(statement["subject"]), predicate])
    return found


async def record(socket: str) -> None:
    found = {}
    with tempfile.TemporaryDirectory() as parent:
        client = graphs.GraphClient(Elsewhere(Path(socket)), graphs.folder(Path(parent)))
        await prepare(client.daemon, Path(parent))
        for name in (*CASES, OWN):
            found[name] = await outcome(client, name)
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
