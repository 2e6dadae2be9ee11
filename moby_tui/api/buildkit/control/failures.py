"""A failed build as a failed call: BuildKit's words, and details from which clients print the lines of the Dockerfile."""

from __future__ import annotations

from google.protobuf.message import Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from moby_tui.api.buildkit.control import sources
from moby_tui.api.buildkit.wire.errors_pb2 import Source, Vertex
from moby_tui.errors import MobyError


def message_of(error: MobyError) -> str:
    """What went wrong, in BuildKit's words where they differ from ours."""
    return error.buildkit or error.message


def place(error: MobyError) -> list[Message]:
    """The detail with the lines of the Dockerfile, if the error has any."""
    if not error.line or not error.dockerfile:
        return []
    return [Source(info=sources.dockerfile(*error.dockerfile), ranges=sources.lines(error.line, error.end))]


def of_build(error: MobyError, vertex: str) -> GRPCError:
    """``vertex`` is the digest of the step that failed, or empty."""
    details: list[Message] = [Vertex(digest=vertex)] if vertex else []
    details += place(error)
    # as BuildKit: a client prints any other status before the text
    return GRPCError(Status.UNKNOWN, message_of(error), details)
