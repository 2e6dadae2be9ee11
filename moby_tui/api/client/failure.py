"""The error that a remote engine answers with, as one of ours."""

from __future__ import annotations

from moby_tui.errors import (
    Conflict,
    Forbidden,
    InvalidArgument,
    MobyError,
    NotFound,
    NotImplementedYet,
    NotModified,
    NotSupported,
    StorageFull,
    Unauthorized,
    Unavailable,
)

_KINDS: dict[int, type[MobyError]] = {
    kind.status: kind
    for kind in (InvalidArgument, Unauthorized, Forbidden, NotFound, Conflict, NotModified, Unavailable, StorageFull)
}
_NOT_YET = " is not implemented yet"


def error_of(status: int, message: str) -> MobyError:
    """The error that an answer's status stands for, with the far engine's own words."""
    error = _error(status, message)
    error.answered = True
    return error


def _error(status: int, message: str) -> MobyError:
    if status == NotImplementedYet.status and message.endswith(_NOT_YET):
        return NotImplementedYet(message.removesuffix(_NOT_YET))
    if status == NotSupported.status:
        return NotSupported(message)
    return _KINDS.get(status, MobyError)(message)
