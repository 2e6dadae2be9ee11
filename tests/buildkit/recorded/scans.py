"""Bills of materials, made by a scanner of our own: by dockerd, recorded, and by us.

``python -m buildkit.recorded.scans SOCKET`` (in ``tests/``) records what the daemon behind that socket makes, which has the image busybox of
``bench.image`` and the containerd image store.
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
from buildkit.peer import Daemon, Elsewhere
from buildkit.recorded import graphs
from buildkit.recorded.provenance import shape
from moby_tui.api.buildkit.wire import control_pb2
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


async def prepare(daemon: Daemon, folder: Path) -> None:
    """Makes the image of the scanner."""
    client = Client(daemon, folder / "scanner")
    client.number = int.from_bytes(os.urandom(4))
    client.write(scan=SCANNER, Dockerfile=DOCKERFILE)
    await client.build(Exporters=[control_pb2.Exporter(Type="image", Attrs={"name": "docker.io/library/scanner:latest"})])


async def outcome(client: graphs.GraphClient, name: str) -> dict[str, Any]:
    """The predicates and what is beside them, or the error."""
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
        for name in CASES:
            found[name] = await outcome(client, name)
    RECORDED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
