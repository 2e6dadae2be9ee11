"""Links of containers on the default bridge: whom one links to, what it is told of them, and when that changes.

A container's record has each link as ``ID:ALIAS``, so that a link follows the linked container's renaming. On networks of users a link is
a name that only the linking container is answered, see ``resources.networks.names``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.resources.networks import files, links
from moby_tui.engine.store.records.containers import ContainerRecord, EndpointSettings, HostConfig, NetworkingConfig, NetworkState
from moby_tui.errors import Conflict, InvalidArgument, MobyError, NotFound

_BRIDGE, _CONTAINER = "bridge", "container:"
#: Ports as an image or ``--expose`` has them.
_EXPOSED = re.compile(r"(\d+)(?:-(\d+))?(?:/([a-z]+))?", re.IGNORECASE)


class Linked(NamedTuple):
    """A running linked container, and its place on the default bridge."""

    record: ContainerRecord
    alias: str
    place: EndpointSettings


def settle(parts: Parts, host: HostConfig, networking: NetworkingConfig | None) -> NetworkingConfig | None:
    """Puts the links of a new container into the form that its record has: ids on the default bridge, names on a network of users.

    Returns what is asked of its networks. Raises ``InvalidArgument``. The texts are the Docker Engine's.
    """
    requested, mode = host.links or [], host.network_mode
    if mode == "host":
        raise _hosted()
    if mode not in (_BRIDGE, "none"):
        links.aliases(requested)
        host.links = None
        return _on_network(mode, requested, networking)
    ids: dict[str, str] = {}
    for text in requested:
        link = links.parse(text)
        ids.setdefault(link.alias, _target(parts, link.name).id)
    for ident in ids.values():
        parts.paths.container(ident).linked.touch()
    host.links = [f"{ident}:{alias}" for alias, ident in ids.items()]
    return networking


def _hosted() -> InvalidArgument:
    return InvalidArgument(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior"
    )


def _on_network(mode: str, asked: list[str], networking: NetworkingConfig | None) -> NetworkingConfig:
    """The networks of the request with the links of ``HostConfig`` in the first one, unless that has links of its own."""
    endpoints = {**((networking and networking.endpoints_config) or {})}
    first = endpoints.get(mode) or EndpointSettings()
    endpoints[mode] = first if first.links else msgspec.structs.replace(first, links=asked)
    return NetworkingConfig(endpoints_config=endpoints)


def _target(parts: Parts, name: str) -> ContainerRecord:
    """The container of this name, or the one whose network namespace it shares. Raises ``InvalidArgument``."""
    try:
        record = parts.get(name)
        while record.host_config.network_mode.startswith(_CONTAINER):
            record = parts.get(record.host_config.network_mode.removeprefix(_CONTAINER))
    except NotFound as error:
        raise InvalidArgument(f"could not get container for {name}: {error}") from error
    if record.host_config.network_mode == "host":
        raise _hosted()
    return record


def of(record: ContainerRecord) -> list[links.Link]:
    """The links in a container's record, with ids as names."""
    return [links.Link(*text.split(":", 1)) for text in record.host_config.links or []]


def shown(parts: Parts, record: ContainerRecord) -> list[str]:
    """The links as inspect shows them: ``/web:/db/alias``. A linked container that was removed is shown by its short id."""
    return [f"/{_name(parts, link.name)}:/{record.name}/{link.alias}" for link in of(record)]


def _name(parts: Parts, ident: str) -> str:
    try:
        return parts.get(ident).name
    except NotFound:
        return ident[:12]


def names(records: Iterable[ContainerRecord]) -> dict[str, list[str]]:
    """The aliases of linked containers by their ids, in the form ``/db/alias``: the linking container and its name for the linked one."""
    aliases: dict[str, list[str]] = {}
    for record in records:
        for link in of(record):
            aliases.setdefault(link.name, []).append(f"/{record.name}/{link.alias}")
    return aliases


# ---- at a start


def linked(parts: Parts, record: ContainerRecord) -> list[Linked]:
    """The containers to which a container that is about to start on the default bridge links. Raises ``MobyError`` if one does not run."""
    if record.host_config.network_mode != _BRIDGE:
        return []
    return [_linked(parts, record, link) for link in of(record)]


def _runs(parts: Parts, record: ContainerRecord) -> bool:
    state = parts.state(record)
    return state.alive and not parts.is_orphan(record, state)


def reachable(parts: Parts, record: ContainerRecord) -> list[Linked]:
    """As ``linked``, without those that do not run: for the environment of an exec."""
    running = []
    for link in of(record) if record.host_config.network_mode == _BRIDGE else []:
        with suppress(MobyError):
            running.append(_linked(parts, record, link))
    return running


def _linked(parts: Parts, linking: ContainerRecord, link: links.Link) -> Linked:
    try:
        record = parts.get(link.name)
        running = _runs(parts, record)
    except NotFound:
        running = False
    if not running:
        name = _name(parts, link.name)
        raise MobyError(f"Cannot link to a non running container: /{name} AS /{linking.name}/{link.alias}")
    place = NetworkState.read(parts.files(record).network).endpoints.get(_BRIDGE)
    if place is None:
        raise MobyError(f"container {record.id} not attached to default bridge network")
    return Linked(record, link.alias, place)


def with_environment(record: ContainerRecord, linked: Sequence[Linked]) -> ContainerRecord:
    """The record for this start, with the variables of the links. A variable of the request replaces one of a link."""
    variables = [
        variable
        for one in linked
        for variable in links.environment(
            record.name, one.alias, one.place.ip_address, _ports(one.record), one.record.config.env or []
        )
    ]
    own = {entry.partition("=")[0] for entry in record.config.env or []}
    kept = [variable for variable in variables if variable.partition("=")[0] not in own]
    config = msgspec.structs.replace(record.config, env=[*kept, *(record.config.env or [])])
    return msgspec.structs.replace(record, config=config)


def _ports(record: ContainerRecord) -> list[str]:
    """The exposed ports, each range as single ports."""
    ports = []
    for text in record.config.exposed_ports or {}:
        if match := _EXPOSED.fullmatch(text):
            first, last, protocol = int(match[1]), int(match[2] or match[1]), (match[3] or "tcp").lower()
            ports += [f"{port}/{protocol}" for port in range(first, last + 1)]
    return ports


def host_lines(found: Iterable[Linked]) -> str:
    """The lines of the linked containers for /etc/hosts."""
    return "".join(_lines(one) for one in found)


def _lines(one: Linked) -> str:
    names = links.host_names(one.alias, one.record.config.hostname, one.record.name)
    addresses = (one.place.ip_address, one.place.global_ipv6_address)
    return "".join(f"{address}\t{names}\n" for address in addresses if address)


# ---- while they run


def tell(parts: Parts, record: ContainerRecord, place: EndpointSettings) -> None:
    """Rewrites the hosts files of the running containers that link to one that has just started, with its new address."""
    for linking in parts.list():
        for link in of(linking):
            if link.name == record.id:
                _rewrite_hosts(parts, linking, link.alias, _lines(Linked(record, link.alias, place)))


async def remove(parts: Parts, name: str) -> None:
    """Undoes the link ``LINKING/ALIAS`` (``rm --link``). Raises ``NotFound``, and ``Conflict`` for the name of a container itself."""
    owner, slash, alias = name.strip("/").rpartition("/")
    if not slash:
        parts.get(alias)
        raise Conflict("Conflict, cannot remove the default link name of the container")
    try:
        record = parts.get(owner)
    except NotFound:
        raise NotFound(f"No such container: {name}") from None
    lock = await parts.acquire(record)
    try:
        record = parts.get(record.id)
        kept = [f"{link.name}:{link.alias}" for link in of(record) if link.alias != alias]
        if len(kept) == len(of(record)):
            raise NotFound(f"No such container: {name}")
        record.host_config.links = kept or None
        parts.store.update(record)
        _rewrite_hosts(parts, record, alias, "")
    finally:
        lock.release()


def _rewrite_hosts(parts: Parts, linking: ContainerRecord, alias: str, lines: str) -> None:
    """Rewrites the lines of a linked container in the hosts file of a running one."""
    if linking.host_config.network_mode != _BRIDGE or not _runs(parts, linking):
        return
    with suppress(OSError):
        files.edit_hosts(parts.files(linking).hosts, lambda text: files.with_linked(text, alias, lines))
