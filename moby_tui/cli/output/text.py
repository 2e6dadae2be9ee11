"""Pieces of a container as docker's tables print them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from moby_tui.cli.encoding import valid

if TYPE_CHECKING:
    from moby_tui.schema.container import Port


def shortened(text: str, width: int) -> str:
    """The text in so many characters, the last one an ellipsis where something was cut; 0 means all of it."""
    return text[: width - 1] + "…" if width and len(text) > width else text


def printable(text: str) -> str:
    """The text with control characters written out: what an image or a container says must not drive the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in valid(text))


def quoted(command: str, width: int) -> str:
    """A command line in double quotes, shortened before it is quoted."""
    return '"' + printable(shortened(command, width).replace("\\", "\\\\").replace('"', '\\"')) + '"'


def short_id(digest: str) -> str:
    """The twelve characters that stand for an id or a digest."""
    return digest.removeprefix("sha256:")[:12]


def natural(name: str) -> list[tuple[int, int, int]]:
    """The key that sorts names as docker's lists do: numbers in them by their value, net2 before net10."""
    # imported here: a list of containers needs none
    import re

    pieces = re.findall("[0-9]+|[^0-9]", name)
    return [(ord("0"), int(piece), len(piece)) if piece.isdecimal() else (ord(piece), 0, 0) for piece in pieces]


def port_summary(ports: Iterable[Port]) -> str:
    """``0.0.0.0:8000-8001->80-81/tcp, 443/tcp``: neighbouring ports of one address together."""
    texts = []
    ordered = sorted(ports, key=lambda port: (port.ip or "", port.type, port.private_port, port.public_port or 0))
    numbered = list(enumerate(ordered))
    for _, run in groupby(numbered, key=_neighbourhood):
        members = [port for _, port in run]
        first, last = members[0], members[-1]
        inside = _span(first.private_port, last.private_port)
        if first.public_port:
            address = f"[{first.ip}]" if ":" in (first.ip or "") else first.ip or ""
            texts.append(f"{address}:{_span(first.public_port, last.public_port or 0)}->{inside}/{first.type}")
        else:
            texts.append(f"{inside}/{first.type}")
    return ", ".join(texts)


def _neighbourhood(item: tuple[int, Port]) -> tuple[object, ...]:
    """Equal for ports that count up together."""
    index, port = item
    return port.ip, port.type, port.private_port - index, port.public_port - index if port.public_port else None


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
