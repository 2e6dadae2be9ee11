"""Published ports of a container that is there already: added and withdrawn, also while it runs.

As with networks (``connections``), what was made for a running container is handed to its monitor, and undone by it when it is asked to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from moby_tui.engine.containers import wire
from moby_tui.engine.containers.parts import Parts
from moby_tui.engine.kernel import fault
from moby_tui.engine.policy import admission
from moby_tui.engine.protocol import control
from moby_tui.engine.protocol.network import HostPort
from moby_tui.engine.resources.networks.endpoints import ContainerNames, Place, gateway_of
from moby_tui.engine.store.records.containers import ContainerRecord, NetworkState, PortBinding
from moby_tui.errors import Conflict, InvalidArgument, NotFound
from moby_tui.schema.container import ContainerCreate, HostConfig, PortChanges, PortsChanged

_WITHDRAWN = re.compile(r"(?:(?P<host>[0-9.]+|\[[0-9a-fA-F:.]+\]):)?(?P<port>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?")

Bindings = dict[str, list[PortBinding] | None]


class _Unwanted(NamedTuple):
    """A host port to withdraw.

    If ``host`` is empty, it is withdrawn at whichever address, and at all addresses if it is published at all.
    """

    text: str
    host: str
    port: int
    protocol: str

    def is_meant(self, protocol: str, port: int, hosts: list[str]) -> bool:
        return (protocol, port) == (self.protocol, self.port) and (not self.host or hosts == [self.host])


async def change(parts: Parts, record: ContainerRecord, asked: PortChanges) -> PortsChanged:
    """Withdraws ports, then publishes others; where these cannot be had, what was withdrawn is published again.

    Raises ``InvalidArgument``, ``NotFound`` for a port that is not published, and what a start raises if a port is taken.
    """
    unwanted = [_read(text) for text in asked.withdraw]
    _check(record, asked)
    publish = wire.ports_to_keep(asked.publish)
    async with parts.changing(record) as record:
        running = parts.current_state(record).alive
        given = NetworkState.read(parts.files(record).network) if running else NetworkState({}, {})
        kept = _without(record, given, unwanted)
        withdrawn = await _withdraw(parts, record, partial(_is_wanted_gone, unwanted)) if running else []
        try:
            if running:
                await _publish(parts, record, publish)
        except BaseException:
            if withdrawn:
                await _publish(parts, record, _again(given, withdrawn))
            raise
        _keep(parts, record, kept, publish)
    attributes = {"publishAdd": _summary(publish), "publishRemove": ",".join(asked.withdraw)}
    parts.event("update", record, **{name: value for name, value in attributes.items() if value})
    return PortsChanged(ports=wire.ports_to_show(NetworkState.read(parts.files(record).network).ports) if running else {})


def _read(text: str) -> _Unwanted:
    match = _WITHDRAWN.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidArgument(f"invalid port {text!r} to withdraw; write the host's port as 8080, 53/udp or 127.0.0.1:8080")
    try:
        host = str(ip_address(match["host"].strip("[]"))) if match["host"] else ""
    except ValueError:
        raise InvalidArgument(f"invalid address in {text!r}; give an IP address") from None
    return _Unwanted(text, host, int(match["port"]), match["protocol"] or "tcp")


def _check(record: ContainerRecord, asked: PortChanges) -> None:
    """Raises ``InvalidArgument``."""
    mode = record.host_config.network_mode
    if mode in ("host", "none") or mode.startswith("container:"):
        raise InvalidArgument(
            f"ports of container {record.name} cannot be changed: it has no network of its own (--network {mode})"
        )
    admission.check_ports(ContainerCreate(host_config=HostConfig(port_bindings=asked.publish)))


# ---- withdrawing


def _without(record: ContainerRecord, given: NetworkState, unwanted: list[_Unwanted]) -> Bindings:
    """The port bindings of the container's record without those to withdraw.

    Raises ``NotFound`` for one that it does not have, ``InvalidArgument`` for one that ``--publish-all`` publishes.
    """
    kept = {name: [*(bindings or [PortBinding()])] for name, bindings in (record.host_config.port_bindings or {}).items()}
    for one in unwanted:
        if not any(_drop(kept, given, name, one) for name in kept):
            if record.host_config.publish_all_ports:
                raise InvalidArgument(f"port {one.text} of container {record.name} is published by --publish-all")
            raise NotFound(f"container {record.name} does not publish port {one.text}")
    return {name: bindings for name, bindings in kept.items() if bindings}


def _drop(kept: Mapping[str, list[PortBinding]], given: NetworkState, name: str, one: _Unwanted) -> bool:
    """Removes the binding of a host port: one that names the port, else the first for which the kernel chose the port."""
    if name.partition("/")[2] not in (one.protocol, "" if one.protocol == "tcp" else one.protocol):
        return False
    own = name if "/" in name else f"{name}/tcp"
    is_chosen = any(_is_bound(binding, one) for binding in given.ports.get(own) or [])
    exact = [binding for binding in kept[name] if binding.host_port == str(one.port) and _is_at(binding, one)]
    open_ = [binding for binding in kept[name] if is_chosen and binding.host_port != str(one.port) and _is_at(binding, one)]
    for binding in [*exact, *[b for b in open_ if b.host_port in ("", "0") or "-" in b.host_port]][:1]:
        kept[name].remove(binding)
        return True
    return False


def _is_at(binding: PortBinding, one: _Unwanted) -> bool:
    return not one.host or one.host == binding.host_ip


def _is_bound(binding: PortBinding, one: _Unwanted) -> bool:
    return binding.host_port == str(one.port) and (not one.host or one.host == binding.host_ip)


def _is_wanted_gone(unwanted: list[_Unwanted], bound: HostPort) -> bool:
    return any(one.is_meant(bound.protocol, bound.port, bound.hosts) for one in unwanted)


async def _withdraw(parts: Parts, record: ContainerRecord, is_unwanted: Callable[[HostPort], bool]) -> list[HostPort]:
    """Has the monitor release ports, and returns them as their records had them."""
    withdrawn = []
    for name, bound in parts.networks.sandboxes.bound(record.id).items():
        if bound and is_unwanted(bound):
            try:
                await parts.request(record, control.Release(name=name))
            except Conflict:
                # the monitor does not hold the port: ``reconcile`` undoes what no process holds
                await parts.networks.sandboxes.reconcile()
            withdrawn.append(bound)
            fault.point("ports.withdrawn")
    given = NetworkState.read(parts.files(record).network)
    for name, bindings in given.ports.items():
        left = [binding for binding in bindings or [] if not any(_is_of(name, binding, bound) for bound in withdrawn)]
        given.ports[name] = left or None
    given.write(parts.files(record).network)
    return withdrawn


def _is_of(name: str, binding: PortBinding, told: HostPort) -> bool:
    if not binding.host_port:  # it is reached at the container's own address
        return name == told.name
    at = (name.partition("/")[2], binding.host_port)
    return at == (told.protocol, str(told.port)) and binding.host_ip in told.hosts


def _again(given: NetworkState, withdrawn: list[HostPort]) -> Bindings:
    """The bindings that publish the withdrawn ports again."""
    again: Bindings = {}
    for port in withdrawn:
        host = "" if len(port.hosts) > 1 else port.hosts[0]
        for name, bindings in given.ports.items():
            if any(_is_of(name, binding, port) for binding in bindings or []):
                again[name] = [*(again.get(name) or []), PortBinding(host_ip=host, host_port=str(port.port))]
    return again


# ---- following the default route


def outlet(parts: Parts, record: ContainerRecord) -> str:
    """The id of the bridge network in which the ports of a running container are published; empty if it is in none."""
    place = _outlet(parts, NetworkState.read(parts.files(record).network))
    return place.network.id if place else ""


async def follow(parts: Parts, record: ContainerRecord, before: str) -> None:
    """Publishes the ports of a running container in the network of its default route, if that is another one than ``before``.

    Without such a network they are withdrawn, as by Docker. Raises ``MobyError`` if a port is taken.
    """
    host, files = record.host_config, parts.files(record)
    after = outlet(parts, record)
    if after == before:
        return
    if host.port_bindings or host.publish_all_ports:
        await _withdraw(parts, record, lambda _: True)
    given = NetworkState.read(files.network)
    # a port that is only exposed is shown without a binding
    given.ports = dict.fromkeys(record.config.exposed_ports or {}) if after else {}
    given.write(files.network)
    if after:
        await _publish(parts, record, host.port_bindings or {}, publish_all=host.publish_all_ports)


def _outlet(parts: Parts, given: NetworkState) -> Place | None:
    place = gateway_of([Place(parts.networks.find(one.network_id), one) for one in given.endpoints.values()])
    return place if place and place.network.driver == "bridge" else None


# ---- publishing


async def _publish(parts: Parts, record: ContainerRecord, asked: Bindings, *, publish_all: bool = False) -> None:
    """Publishes ports of a running container, and passes them to its monitor, all or none. With ``publish_all`` also the exposed ports.

    Raises ``MobyError``.
    """
    if not (asked or publish_all):
        return
    files = parts.files(record)
    given = NetworkState.read(files.network)
    names = ContainerNames(record.id, record.name, record.config.hostname)
    exposed = [*(record.config.exposed_ports or {})] if publish_all else []
    published, settings = await parts.networks.sandboxes.publish(names, given.endpoints, asked, exposed)
    handed = []
    try:
        while published:
            await parts.hand_over(record, published[0])
            handed.append(published.pop(0).name)
            fault.point("ports.handed over")
    except BaseException:
        for holding in published:
            holding.release()
        for name in handed:
            with suppress(Conflict):
                await parts.request(record, control.Release(name=name))
        raise
    for name, bindings in settings.items():
        given.ports[name] = [*(given.ports.get(name) or []), *(bindings or [])]
    given.write(files.network)


def _keep(parts: Parts, record: ContainerRecord, kept: Bindings, publish: Bindings) -> None:
    """Writes into the record what the next start publishes. As with ``run -p``, a published port is also an exposed one."""
    bindings = {name: [*(own or [])] for name, own in kept.items()}
    for name, more in publish.items():
        bindings[name] = [*bindings.get(name, []), *(more or [PortBinding()])]
    host = msgspec.structs.replace(record.host_config, port_bindings={**bindings} or None)
    exposed = {**(record.config.exposed_ports or {}), **{name: {} for name in publish}}
    record.host_config, record.config = host, msgspec.structs.replace(record.config, exposed_ports=exposed or None)
    parts.store.update(record)


def _summary(publish: Bindings) -> str:
    """The text of a binding for errors: ``0.0.0.0:8080->80/tcp``, without the parts that the request lacks."""
    return ",".join(
        f"{f'[{b.host_ip}]' if ':' in b.host_ip else b.host_ip}:{b.host_port}->{name}"
        for name, bindings in publish.items()
        for b in bindings or [PortBinding()]
    )
