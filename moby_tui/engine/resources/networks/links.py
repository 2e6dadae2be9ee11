"""Links between containers (``--link NAME[:ALIAS]``): reads the option, and makes the variables and names that the linking container gets.

Source: Docker's reference, "Legacy container links". Names and values of the variables are the Docker Engine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from moby_tui.errors import InvalidArgument

#: An alias is a name in /etc/hosts and a part of variables' names.
_ALIAS = re.compile(r"[^\s/=\0]+")
#: Variables of the linked container that the linking one does not get.
_PRIVATE = ("HOME", "PATH")


class Link(NamedTuple):
    """``name`` is the linked container's name or id, ``alias`` the name by which the linking container finds it."""

    name: str
    alias: str


def parse(text: str) -> Link:
    """Reads ``NAME``, ``NAME:ALIAS``, or the form of inspect, ``/NAME:/LINKING/ALIAS``. Raises ``InvalidArgument``."""
    if not text:
        raise InvalidArgument("empty string specified for links")
    name, colon, alias = text.partition(":")
    if ":" in alias:
        raise InvalidArgument(f"bad format for links: {text}")
    if name.startswith("/"):
        name, alias = name[1:], alias.rpartition("/")[2]
    # an alias is a path below the linking container's name
    alias = alias.lstrip("/") if colon else name
    if not name or not _ALIAS.fullmatch(alias):
        raise InvalidArgument(f"bad format for links: {text}; write it as NAME or NAME:ALIAS")
    return Link(name, alias)


def aliases(links: Sequence[str]) -> dict[str, str]:
    """The aliases of a container's links on a user-defined network, each with the linked name. Raises ``InvalidArgument``."""
    return {link.alias: link.name for link in map(parse, links)}


def environment(linking: str, alias: str, address: str, exposed: Iterable[str], env: Iterable[str]) -> list[str]:
    """The environment variables, as ``NAME=value``, that a linking container gets of one linked container.

    ``linking`` is the linking container's name, ``address`` the linked one's address; ``exposed`` are the linked one's ports (``80/tcp``),
    ``env`` its environment.
    """
    prefix = alias.upper().replace("-", "_")
    ports = sorted((protocol != "tcp", protocol, int(port)) for port, _, protocol in (text.partition("/") for text in exposed))
    variables: list[str] = []
    if ports:
        _, protocol, port = ports[0]
        variables.append(f"{prefix}_PORT={protocol}://{address}:{port}")
    for protocol, first, last in _runs([(protocol, port) for _, protocol, port in ports]):
        variables += _range_variables(f"{prefix}_PORT_{first}_{protocol.upper()}", protocol, address, first, last)
    for _, protocol, port in ports:
        variables += _port_variables(f"{prefix}_PORT_{port}_{protocol.upper()}", protocol, address, port)
    variables.append(f"{prefix}_NAME=/{linking}/{alias}")
    pairs = [entry.partition("=") for entry in env]
    return variables + [f"{prefix}_ENV_{name}={value}" for name, equals, value in pairs if equals and name not in _PRIVATE]


def _port_variables(name: str, protocol: str, address: str, port: int) -> list[str]:
    return [f"{name}={protocol}://{address}:{port}", f"{name}_ADDR={address}", f"{name}_PORT={port}", f"{name}_PROTO={protocol}"]


def _range_variables(name: str, protocol: str, address: str, first: int, last: int) -> list[str]:
    return [
        f"{name}_START={protocol}://{address}:{first}",
        f"{name}_END={protocol}://{address}:{last}",
        f"{name}_PORT_START={first}",
        f"{name}_PORT_END={last}",
    ]


def _runs(ports: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """The runs of two or more consecutive ports of one protocol: protocol, first and last port."""
    runs = []
    for _, group in groupby(enumerate(ports), key=lambda item: (item[1][0], item[1][1] - item[0])):
        members = [port for _, port in group]
        if len(members) > 1:
            runs.append((members[0][0], members[0][1], members[-1][1]))
    return runs


def host_names(alias: str, hostname: str, name: str) -> str:
    """The names of a linked container for a line of the linking container's /etc/hosts, each once, separated by spaces."""
    return " ".join(dict.fromkeys(part for part in (alias, hostname, name) if part))
