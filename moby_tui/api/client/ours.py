"""What moby answers beyond the Docker Engine API, asked of an engine that may not be moby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moby_tui.errors import NotFound, OtherEngine

#: How dockerd and podman say that they know no such address.
_UNKNOWN = frozenset(("page not found", "404 page not found", "Not Found", "not found"))


@contextmanager
def ours(what: str) -> Iterator[None]:
    """Raises ``OtherEngine`` if the engine does not know the address."""
    try:
        yield
    except NotFound as error:
        if error.message.strip() not in _UNKNOWN:
            raise
        raise needs_moby(what) from error


def needs_moby(what: str) -> OtherEngine:
    return OtherEngine(f"{what} needs moby at the other end: that engine does not know it")
