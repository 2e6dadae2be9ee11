"""What a daemon keeps of an ended build beside its record: log, provenance, error. Clients read it as blobs, by digest.

`docker buildx history` and `--metadata-file` read them with containerd's content service, in the forms of BuildKit.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from moby_tui.api.buildkit.control.builds import Builds
from moby_tui.api.buildkit.control.solve import Solve
from moby_tui.api.buildkit.grpc.connection import Details
from moby_tui.api.buildkit.wire.content_pb2 import Info, InfoRequest, InfoResponse, ReadContentRequest, ReadContentResponse
from moby_tui.api.buildkit.wire.control_pb2 import Descriptor
from moby_tui.errors import NotFound
from moby_tui.schema import oci

_LOG = "application/vnd.buildkit.status.v0"
_STATEMENT = "application/vnd.in-toto+json"
# the name is misspelled in BuildKit
_ERROR = "application/vnd.googeapis.google.rpc.status+proto"
_PREDICATE = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
_PIECE = 1 << 20


class Blob(NamedTuple):
    descriptor: Descriptor
    data: bytes


def log(solve: Solve) -> Blob:
    """The messages of the progress, each after its length (four bytes, the lowest first)."""
    messages = (message.SerializeToString() for message in solve.log.messages)
    return _blob(_LOG, b"".join(struct.pack("<I", len(data)) + data for data in messages))


def error(solve: Solve) -> Blob | None:
    """The failure with its details, from which a client prints the lines of the Dockerfile."""
    if solve.error is None:
        return None
    return _blob(_ERROR, Details().encode(solve.error.status, solve.error.message, solve.error.details))


def provenance(solve: Solve) -> list[tuple[oci.Platform, Blob]]:
    return [(platform, _blob(_STATEMENT, predicate, _PREDICATE)) for platform, predicate in solve.provenance]


def _blob(media_type: str, data: bytes, annotations: Mapping[str, str] | None = None) -> Blob:
    digest = f"sha256:{sha256(data).hexdigest()}"
    return Blob(Descriptor(media_type=media_type, digest=digest, size=len(data), annotations=annotations or {}), data)


class Content:
    """The service ``containerd.services.content.v1.Content``, which can be read only; ``stream`` is grpclib's."""

    def __init__(self, builds: Builds) -> None:
        self._builds = builds

    async def info(self, stream: Any) -> None:
        request: InfoRequest = await stream.recv_message()
        blob = self._find(request.digest)
        await stream.send_message(InfoResponse(info=Info(digest=blob.descriptor.digest, size=blob.descriptor.size)))

    async def read(self, stream: Any) -> None:
        request: ReadContentRequest = await stream.recv_message()
        data = self._find(request.digest).data
        end = request.offset + request.size if request.size > 0 else len(data)
        wanted = data[max(request.offset, 0) : end]
        for start in range(0, len(wanted), _PIECE):
            piece = wanted[start : start + _PIECE]
            await stream.send_message(ReadContentResponse(offset=request.offset + start, data=piece))

    def _find(self, digest: str) -> Blob:
        """Raises ``NotFound``."""
        blobs = (blob for solve in self._builds.all.values() if solve.ended for blob in _blobs(solve))
        for blob in blobs:
            if blob.descriptor.digest == digest:
                return blob
        raise NotFound(f"content {digest[:80]}: not found")


def _blobs(solve: Solve) -> Iterator[Blob]:
    yield from (blob for _, blob in provenance(solve))
    if (failure := error(solve)) is not None:
        yield failure
    yield log(solve)
