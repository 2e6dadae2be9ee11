"""Vertices of the graph of operations, as a cache names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from moby_tui.engine.resources.images.store.content import digest_of


class Unknown(Exception):
    """BuildKit's name of a step cannot be told; the text says why."""


#: The output of a vertex that is no operation: the content of files.
_CONTENT = -1


class Link(NamedTuple):
    """An input of a vertex. ``selector`` is the digest of the paths that are taken of it; empty for all, and for content."""

    vertex: Vertex
    selector: str = ""


@dataclass(frozen=True, eq=False)
class Vertex:
    """An operation on inputs, or a source, which has none. ``digest`` is that of its record in a cache. Each input is one or more links:
    different names of the same files, of which any one identifies them."""

    digest: str
    inputs: tuple[tuple[Link, ...], ...] = ()


#: The names of the files of one image in a build; none of an image without files.
Names = tuple[Vertex, ...]


def operation(digest: str, *inputs: tuple[Link, ...]) -> Vertex:
    """The vertex of an operation. ``digest`` is that of the operation alone."""
    return Vertex(_record(digest, 0), inputs)


def content(digest: str) -> Vertex:
    """The vertex that stands for files with this content, wherever they come from."""
    return Vertex(_record(digest, _CONTENT))


def links(names: Names, selector: str = "") -> tuple[Link, ...]:
    return tuple(Link(vertex, selector) for vertex in names)


def _record(digest: str, output: int) -> str:
    return digest_of(f"{digest}@{output}".encode())
