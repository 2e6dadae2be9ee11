"""Pieces of a container as docker's tables print them."""

from __future__ import annotations

from collections.abc import Iterable
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
    """``443/tcp, 0.0.0.0:9000-9001->9000-9001/udp, 0.0.0.0:8080->80/tcp``, as docker has them.

    Neighbouring ports of one address are together if they have the same number on both sides, and before all others.
    """
    ordered = sorted(ports, key=lambda port: (port.private_port, port.ip or "", port.public_port or 0, port.type))
    mapped = [f"{_address(port)}:{port.public_port}->{port.private_port}/{port.type}" for port in ordered if _is_mapped(port)]
    groups: dict[tuple[str, str], list[list[int]]] = {}
    for port in ordered:
        if not _is_mapped(port):
            spans = groups.setdefault((_address(port), port.type), [])
            if spans and spans[-1][1] + 1 == port.private_port:
                spans[-1][1] = port.private_port
            else:
                spans.append([port.private_port, port.private_port])
    # the last span of each address stands behind all that are not the last
    others = [_equal(key, *span) for key, spans in groups.items() for span in spans[:-1]]
    return ", ".join([*others, *(_equal(key, *spans[-1]) for key, spans in groups.items()), *mapped])


def _equal(key: tuple[str, str], first: int, last: int) -> str:
    """Ports of an address (may be empty) and a protocol that have the same number on both sides."""
    address, kind = key
    span = _span(first, last)
    return f"{address}:{span}->{span}/{kind}" if address else f"{span}/{kind}"


def _is_mapped(port: Port) -> bool:
    """True if the port has another number on the host."""
    return bool(port.ip) and port.public_port != port.private_port


def _address(port: Port) -> str:
    return f"[{port.ip}]" if ":" in (port.ip or "") else port.ip or ""


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
