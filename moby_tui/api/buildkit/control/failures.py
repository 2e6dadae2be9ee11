"""A failed build as a failed call: BuildKit's words, and details from which clients print the lines of the Dockerfile."""

from __future__ import annotations

from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.wire.errors_pb2 import Source, Vertex
from moby_tui.api.buildkit.wire.ops_pb2 import Position, Range, SourceInfo
from moby_tui.errors import MobyError


def message_of(error: MobyError) -> str:
    """What went wrong, in BuildKit's words where they differ from ours."""
    return error.buildkit or error.message


def of_build(error: MobyError, vertex: str) -> GRPCError:
    """``vertex`` is the digest of the step that failed, or empty."""
    details: list[Message] = [Vertex(digest=vertex)] if vertex else []
    if error.line and error.dockerfile:
        name, text = error.dockerfile
        lines = Range(start=Position(line=error.line), end=Position(line=error.end or error.line))
        details.append(Source(info=SourceInfo(filename=name, data=text, language="Dockerfile"), ranges=[lines]))
    # as BuildKit: a client prints any other status before the text
    return GRPCError(Status.UNKNOWN, message_of(error), details)
