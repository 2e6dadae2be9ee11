"""The networks of one engine: bridge, host and none, which every engine has, and those of users. ``sandboxes`` connects containers."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from moby_tui.engine.kernel import fault
from moby_tui.engine.resources.networks import seen
from moby_tui.engine.resources.networks.attaching import Attaching
from moby_tui.engine.resources.networks.drivers.bridge import BridgeDriver, SubnetTaken
from moby_tui.engine.resources.networks.drivers.driver import Driver, Subnet
from moby_tui.engine.resources.networks.sandbox import Folders
from moby_tui.engine.resources.networks.sandboxes import ENDING_SECONDS, LOOK_SECONDS, Sandboxes
from moby_tui.engine.store import networks as store
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.digest import sha256
from moby_tui.engine.store.paths import Paths
from moby_tui.engine.store.records import record_files
from moby_tui.engine.store.records.networks import IpamPool, NetworkRecord
from moby_tui.engine.tasks import in_thread
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import Forbidden, InvalidArgument, MobyError, NotFound
from moby_tui.schema.base import Filters, encode
from moby_tui.schema.container import ContainerSummary

if TYPE_CHECKING:
    from moby_tui.engine.resources.networks.firewall import Firewall
    from moby_tui.engine.resources.networks.operation.doctor import Ward
    from moby_tui.schema.network import Network, NetworkCreate, NetworkCreated, NetworksPruned
    from moby_tui.schema.traffic import Finding

log = logging.getLogger(__name__)

#: ``publish(type, action, id, attributes)``
Publish = Callable[[str, str, str, dict[str, str]], object]


class NetworkManager:
    """Implements ``Networks`` of the client protocol. The engine sets ``list_containers``, which returns the running containers."""

    def __init__(
        self, paths: Paths, database: Database, publish: Publish, options: Callable[[], EngineOptions] = EngineOptions
    ) -> None:
        self._database = database
        self._data_root = paths.data_root
        self._publish = publish
        #: returns the current options of the engine
        self.options = options
        self._has_warned_of_bridge = False
        instance = f"moby-{paths.instance}" if paths.instance else "moby"
        self._bridge_name = instance if paths.instance else "moby0"
        self._seed = sha256(f"{os.uname().nodename} {instance}".encode()).digest()
        self._folders = Folders(paths.networks)
        self._seen = seen.note(paths.networks)
        self._bridges = BridgeDriver(
            instance,
            self._seen,
            lambda: self._firewall,
            self._folders.lock,
            self._bridge_networks,
            self._folders.published,
            self._folders.publishing,
        )
        #: the networks of containers
        attaching = Attaching(self._folders, lambda: self._firewall, self._driver, lambda ident: store.find(database, ident))
        self.sandboxes = Sandboxes(self, self._folders, attaching, options)
        self.list_containers: Callable[[], Awaitable[list[ContainerSummary]]] | None = None

    @cached_property
    def _firewall(self) -> Firewall:
        # imported here: a container without published ports on a bridge that exists changes no table
        from moby_tui.engine.resources.networks.firewall import Firewall

        return Firewall(self._bridges.table, self._seen)

    # ---- the client's side

    async def list(self, *, filters: Filters | None = None) -> list[Network]:
        from moby_tui.engine.resources.networks import wire

        if not filters:
            return [wire.network_to_show(network) for network in store.load(self._database)]
        from moby_tui.engine.resources.networks.filters import check, matches

        wanted = filters
        check(wanted)
        used = await self._used() if "dangling" in wanted else set()
        networks = store.load(self._database)
        return [wire.network_to_show(n) for n in networks if matches(n, wanted, used=n.name in used or n.id in used)]

    async def inspect(self, ref: str) -> Network:
        """A network by its name, id or a prefix of the id, with its running containers.

        Raises ``NotFound``, and ``InvalidArgument`` if the prefix is that of several networks.
        """
        from moby_tui.engine.resources.networks import wire

        network = wire.network_to_show(self.find(ref))
        containers = await self.list_containers() if self.list_containers else []
        for container in containers:
            endpoint = container.network_settings.networks.get(network.name)
            if endpoint is not None and endpoint.endpoint_id:
                network.containers[container.id] = wire.member_to_show(container.names[0].removeprefix("/"), endpoint)
        return network

    async def create(self, request: NetworkCreate) -> NetworkCreated:
        """Makes a network: its row, and its bridge or other interface on the host.

        Of a configuration (``configurations``) only the row is made. Raises ``Conflict`` if the name is taken, ``InvalidArgument``,
        ``Forbidden`` or ``NotFound`` for wrong options or subnets, and ``MobyError``. After an error nothing is left.
        """
        from moby_tui.engine.resources.networks.creation import configurations, requests
        from moby_tui.schema.network import NetworkCreated

        defaults = self.options().default_network_options.get(request.driver or "bridge", {})
        network = requests.new_network(request, {} if request.config_from and request.config_from.network else defaults)
        if network.config_from.network:
            configurations.apply(network, store.load(self._database))
        if network.config_only:
            store.insert(self._database, lambda _: network)
            self._keep(network)
        else:
            await self._make(network)
        self._publish_event("create", network)
        return NetworkCreated(id=network.id)

    def _keep(self, network: NetworkRecord) -> None:
        """Completes the row of a network that was made, and writes its record."""
        fault.point("networks.made")
        stored = store.update(self._database, network.id, lambda row: row.options.update(network.options))
        record_files.keep_network(self._data_root, network.id, encode(stored))
        fault.point("networks.record kept")

    async def _make(self, network: NetworkRecord) -> None:
        """Writes the row of a network, and makes what it needs on the host. After an error neither is left."""
        from moby_tui.engine.resources.networks.creation import configurations, requests

        requests.check_complete(network)
        driver = self._driver(network.driver)
        driver.check(network)
        # first the default network, so that it gets the first pool also if another network is made before it is used
        await self.completed(self.find("bridge"))
        routes = await in_thread(_routes) if driver.has_addresses else []

        def complete(others: builtins.list[NetworkRecord]) -> NetworkRecord:
            configurations.check_there(network, others)
            return self._with_subnets(network, others, routes) if driver.has_addresses else network

        await in_thread(lambda: self._insert(driver, network, complete))

    def _insert(
        self,
        driver: Driver,
        network: NetworkRecord,
        complete: Callable[[builtins.list[NetworkRecord]], NetworkRecord],
    ) -> None:
        """No process removes the network before it is complete. Blocking."""
        with self._folders.locked([network.id], shared=True):
            store.insert(self._database, complete)
            fault.point("networks.row written")
            try:
                self._create(driver, network)
            except BaseException:
                store.delete(self._database, network.id)
                raise
            self._keep(network)

    def _create(self, driver: Driver, network: NetworkRecord) -> None:
        try:
            driver.create(network)
        except SubnetTaken:
            made = self._bridges.make(network.id, self._move)
            network.ipam, network.options = made.ipam, made.options

    async def remove(self, ref: str) -> None:
        """Removes a network. Raises ``NotFound``, and ``Forbidden`` for one that every engine has or that containers are in."""
        await self._remove(self.find(ref))

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks of users that no running container is in. A network that cannot be removed is logged, and stays."""
        from moby_tui.engine.resources.networks.filters import check, matches
        from moby_tui.schema.network import NetworksPruned

        check(filters or {}, prune=True)
        gone = []
        used = await self._used()
        for network in store.load(self._database):
            if network.name in store.PREDEFINED or network.config_only or network.name in used or network.id in used:
                continue
            if matches(network, filters or {}):
                try:
                    await self._remove(network)
                except (MobyError, OSError) as error:
                    log.warning("network %s could not be removed: %s", network.name, error)
                else:
                    gone.append(network.name)
        return NetworksPruned(networks_deleted=gone or None)

    async def _remove(self, network: NetworkRecord) -> None:
        if network.name in store.PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if network.config_only:
            self._remove_configuration(network)
            return
        is_empty = False
        while not is_empty:
            if members := await self._members(network):
                endpoints_text = ", ".join(f'name:"{name}" id:"{ident[:12]}"' for ident, name in members.items())
                raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({endpoints_text})")
            is_empty = await in_thread(lambda: self._remove_empty(network))

    def _remove_empty(self, network: NetworkRecord) -> bool:
        """Removes a network, unless a container has come into it meanwhile: False then. Blocking."""
        from moby_tui.engine.resources.networks.names import zone

        with self._folders.locked([network.id], shared=False):
            if store.find(self._database, network.id) is None:
                raise NotFound(f"network {network.name} not found")
            if self._folders.members(network.id):
                return False
            self._driver(network.driver).delete(network)
            fault.point("networks.unmade")
            self._folders.leases(network.id).remove()
            zone.remove(self._folders.zones, network.id)
            fault.point("networks.leases removed")
            record_files.drop_network(self._data_root, network.id)
            fault.point("networks.record dropped")
            store.delete(self._database, network.id)
        self._publish_event("destroy", network)
        return True

    def _remove_configuration(self, network: NetworkRecord) -> None:
        from moby_tui.engine.resources.networks.creation import configurations

        def drop(others: builtins.list[NetworkRecord]) -> None:
            configurations.check_unused(network, others)
            record_files.drop_network(self._data_root, network.id)
            fault.point("networks.configuration dropped")

        if store.delete(self._database, network.id, drop):
            self._publish_event("destroy", network)

    async def _used(self) -> set[str]:
        containers = await self.list_containers() if self.list_containers else []
        return {name for container in containers for name in container.network_settings.networks}

    async def _members(self, network: NetworkRecord) -> dict[str, str]:
        """The names of the containers in a network, by their ids. Waits up to ten seconds for the monitors of ended containers, which are
        about to release their places."""
        deadline = time.monotonic() + ENDING_SECONDS
        while members := self._folders.members(network.id):
            running = await self.list_containers() if self.list_containers else []
            names = {container.id: container.names[0].removeprefix("/") for container in running}
            if self.list_containers is None or any(member in names for member in members) or time.monotonic() > deadline:
                return {member: names.get(member, member) for member in members}
            await self.sandboxes.reconcile()
            await asyncio.sleep(LOOK_SECONDS)
        return {}

    # ---- the engine's side

    def publish_connection(self, action: str, network: NetworkRecord, container_id: str) -> None:
        """Publishes the event ``connect`` or ``disconnect`` of a container."""
        self._publish("network", action, network.id, {"container": container_id, "name": network.name, "type": network.driver})

    def mend(self) -> None:
        """Repairs the nftables tables after a change by another program. Blocking. An error is logged, not raised."""
        try:
            if self._folders.has_containers():
                self._bridges.mend()
        except MobyError as error:
            # an error of the database or of a record: the command that is being executed meets it too
            log.debug("the nftables tables were not looked at: %s", error)
        except OSError as error:
            log.warning("the nftables tables could not be looked at: %s", error.strerror or error)

    async def examine(self) -> builtins.list[Finding]:
        """The findings of ``operation.doctor``: what blocks the networks' traffic on this host. Raises ``MobyError`` if the kernel refuses to
        answer."""
        from moby_tui.engine.resources.networks.operation.doctor import examine

        try:
            return await in_thread(lambda: examine(self._ward()))
        except OSError as error:
            raise MobyError(f"cannot look at the host's networks: {(error.strerror or str(error)).lower()}") from error

    def _ward(self) -> Ward:
        from moby_tui.engine.resources.networks.operation.doctor import Ward

        networks = store.load(self._database)
        members = {network.id: self._folders.members(network.id) for network in networks}
        wrong = self._bridges.wrong() if any(members.values()) else []
        return Ward(networks=networks, members=members, table=self._bridges.table, tables=wrong)

    def close(self) -> None:
        self.sandboxes.close()

    # ---- finding

    def _driver(self, name: str) -> Driver:
        """The driver of a name. Drivers but that of bridges are imported on first use, since few networks have them. Raises ``NotFound``."""
        if name == self._bridges.name:
            return self._bridges
        from moby_tui.engine.resources.networks.drivers.null import HostDriver, NullDriver
        from moby_tui.engine.resources.networks.drivers.sublink import IpvlanDriver, MacvlanDriver

        for driver in (HostDriver(), NullDriver(), MacvlanDriver(), IpvlanDriver()):
            if driver.name == name:
                return driver
        raise NotFound(f'plugin "{name}" not found')

    def find(self, ref: str) -> NetworkRecord:
        """A network by its name, id or a prefix of it. Raises ``NotFound``, ``InvalidArgument``."""
        if exact := store.find(self._database, ref):
            return exact
        # the first look at a data root writes the networks that every engine has
        networks = store.load(self._database)
        matching = [n for n in networks if ref and (ref == n.name or n.id.startswith(ref))]
        if not matching:
            raise NotFound(f"network {ref} not found")
        if len(matching) > 1:
            raise InvalidArgument(f"network {ref} is ambiguous ({len(matching)} matches found based on ID prefix)")
        return matching[0]

    def find_for(self, mode: str) -> NetworkRecord:
        return self.find("bridge" if mode in ("", "default") else mode)

    def _bridge_networks(self) -> builtins.list[NetworkRecord]:
        """The networks of the bridge driver that have subnets, and thus a bridge on the host."""
        return [network for network in store.load(self._database) if network.driver == "bridge" and network.ipam.config]

    async def completed(self, network: NetworkRecord) -> NetworkRecord:
        """The network with its subnets.

        The default bridge network gets them at its first use, and keeps them unless the engine's options name others. Raises
        ``InvalidArgument``, ``Forbidden``, ``MobyError``.
        """
        if network.name != "bridge" or (network.ipam.config and not await self._has_removed_default_bridge(network)):
            return network
        taken = await in_thread(_routes)
        others = [other for other in store.load(self._database) if other.id != network.id]
        return store.update(self._database, network.id, lambda row: self._complete(row, others, taken))

    async def ready(self, network: NetworkRecord) -> NetworkRecord:
        """As ``completed``, with the network's bridge if it has one.

        A network without a bridge, which was never used or whose bridge a reboot has removed, gets other subnets if those that the engine
        chose are taken by now. Raises as ``completed``, and ``MobyError`` if the kernel refuses to make the bridge.
        """
        network = await self.completed(network)
        if network.driver != "bridge" or self._bridges.is_there(network) or self._folders.members(network.id):
            return network
        try:
            return await in_thread(lambda: self._with_bridge(network))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise MobyError(f"cannot make the bridge of network {network.name}: {reason}") from error

    def _with_bridge(self, network: NetworkRecord) -> NetworkRecord:
        """The network, whose bridge is made. No process removes the network meanwhile. Blocking. Raises as ``ready``."""
        with self._folders.locked([network.id], shared=True):
            if store.find(self._database, network.id) is None:
                raise NotFound(f"network {network.name} not found")
            return self._bridges.make(network.id, self._move)

    def _move(self, network_id: str) -> NetworkRecord:
        """Chooses other subnets for a network, in place of those that the engine chose before."""
        taken = _routes()
        others = [other for other in store.load(self._database) if other.id != network_id]

        def move(row: NetworkRecord) -> None:
            row.ipam.config = [pool for pool in row.ipam.config or [] if not pool.is_chosen]
            self._with_subnets(row, others, taken)

        moved = store.update(self._database, network_id, move)
        if moved.name not in store.PREDEFINED:
            record_files.keep_network(self._data_root, network_id, encode(moved))
        log.info("network %s: the subnet that was chosen for it is taken on this host, and it has another", moved.name)
        return moved

    async def configure_default_bridge(self) -> None:
        """Configures the default bridge network by the engine's options. Raises ``InvalidArgument``, ``Forbidden``, ``MobyError``."""
        await self.completed(self.find("bridge"))

    async def _has_removed_default_bridge(self, network: NetworkRecord) -> bool:
        """Removes the default bridge if its configuration differs from the engine's options and no container is in it. True after that."""
        if not self.options().configures_bridge:
            # the options do not configure it: it stays as another engine of this data root has configured it
            return False
        from moby_tui.engine.resources.networks import default_bridge

        if default_bridge.fits(network, self.options(), self._bridge_name):
            return False
        if await in_thread(lambda: self._remove_empty_bridge(network)):
            return True
        if not self._has_warned_of_bridge:
            log.warning("network bridge stays as it is while %d containers are in it", len(self._folders.members(network.id)))
        self._has_warned_of_bridge = True
        return False

    def _remove_empty_bridge(self, network: NetworkRecord) -> bool:
        """Removes the bridge and the subnets of the default bridge network. False if containers are in it. Blocking."""
        with self._folders.locked([network.id], shared=False):
            if self._folders.members(network.id):
                return False
            self._bridges.delete(network)
            self._folders.leases(network.id).remove()
            store.update(self._database, network.id, _forget_pools)
        return True

    def restore(self, ids: Mapping[str, str], subnet: Subnet | None) -> None:
        """Writes the rows of the predefined networks into a rebuilt database, with the ids and the subnet that running containers have.

        ``ids`` are by network name; ``subnet`` is None if no container has told it.
        """
        store.restore(self._database, ids)
        if subnet is not None:
            known = [IpamPool(subnet=str(subnet))]
            store.update(self._database, self.find("bridge").id, lambda row: self._complete(row, [], [], known))

    def _complete(
        self,
        network: NetworkRecord,
        others: builtins.list[NetworkRecord],
        taken: builtins.list[Subnet],
        known: builtins.list[IpamPool] | None = None,
    ) -> None:
        if network.ipam.config:
            return
        # imported here, since this is done once for each data root
        from moby_tui.engine.resources.networks import default_bridge

        network.ipam.config = known
        default_bridge.configure(network, self.options(), self._bridge_name)
        self._with_subnets(network, others, taken)

    def _with_subnets(self, network: NetworkRecord, others: Sequence[NetworkRecord], taken: Sequence[Subnet]) -> NetworkRecord:
        from moby_tui.engine.resources.networks.creation import requests
        from moby_tui.engine.resources.networks.creation.pools import DEFAULT_POOLS, read_pools

        requests.give_subnets(
            network, taken, others, read_pools(self.options().default_address_pools) or DEFAULT_POOLS, self._seed
        )
        return network

    def _publish_event(self, action: str, network: NetworkRecord) -> None:
        self._publish("network", action, network.id, {"name": network.name, "type": network.driver})


def _forget_pools(network: NetworkRecord) -> None:
    network.ipam.config = None


def _routes() -> list[Subnet]:
    """The destinations of the host's routes."""
    from moby_tui.engine.resources.networks import host

    return [route.destination for route in host.routes()]
