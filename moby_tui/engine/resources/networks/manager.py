"""Networks: those that every engine has (bridge, host, none), and those that users make. What containers have of them is in ``sandboxes``."""

from __future__ import annotations

import asyncio
import builtins
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from moby_tui.engine.kernel import fault
from moby_tui.engine.resources.networks import seen
from moby_tui.engine.resources.networks.attaching import Attaching
from moby_tui.engine.resources.networks.drivers.bridge import BridgeDriver
from moby_tui.engine.resources.networks.drivers.driver import Driver, Subnet
from moby_tui.engine.resources.networks.firewall import Firewall
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
    from moby_tui.engine.resources.networks.operation.doctor import Ward
    from moby_tui.schema.network import Network, NetworkCreate, NetworkCreated, NetworksPruned
    from moby_tui.schema.traffic import Finding

log = logging.getLogger(__name__)

#: ``publish(type, action, id, attributes)``
Publish = Callable[[str, str, str, dict[str, str]], object]


class NetworkManager:
    """Implements the client protocol's ``Networks``. ``list_containers`` is set by the engine: the running containers."""

    def __init__(
        self, paths: Paths, database: Database, publish: Publish, options: Callable[[], EngineOptions] = EngineOptions
    ) -> None:
        self._database = database
        self._data_root = paths.data_root
        self._publish = publish
        #: the engine's, at the moment
        self.options = options
        self._told_of_bridge = False
        instance = f"moby-{paths.instance}" if paths.instance else "moby"
        self._bridge_name = instance if paths.instance else "moby0"
        self._seed = sha256(f"{os.uname().nodename} {instance}".encode()).digest()
        self._folders = Folders(paths.networks)
        firewall = Firewall(instance, seen.note(paths.networks))
        self._bridges = BridgeDriver(
            firewall, self._folders.lock, self._bridge_networks, self._folders.published, self._folders.publishing
        )
        #: the networks of containers
        self.sandboxes = Sandboxes(self, self._folders, Attaching(self._folders, firewall, self._driver), options)
        self.list_containers: Callable[[], Awaitable[list[ContainerSummary]]] | None = None

    # ---- the client's side

    async def list(self, *, filters: Filters | None = None) -> list[Network]:
        from moby_tui.engine.resources.networks import wire

        if not filters:
            return [wire.network_to_show(network) for network in store.load(self._database)]
        from moby_tui.engine.resources.networks.filters import matches

        wanted = filters
        used = await self._used() if "dangling" in wanted else set()
        networks = store.load(self._database)
        return [wire.network_to_show(n) for n in networks if matches(n, wanted, used=n.name in used or n.id in used)]

    async def inspect(self, ref: str) -> Network:
        """Raises ``NotFound``, and ``InvalidArgument`` where an id's prefix fits several."""
        from moby_tui.engine.resources.networks import wire

        network = wire.network_to_show(self.find(ref))
        containers = await self.list_containers() if self.list_containers else []
        for container in containers:
            endpoint = container.network_settings.networks.get(network.name)
            if endpoint is not None and endpoint.endpoint_id:
                network.containers[container.id] = wire.member_to_show(container.names[0].removeprefix("/"), endpoint)
        return network

    async def create(self, asked: NetworkCreate) -> NetworkCreated:
        """Makes a network, on the host too. Raises ``Conflict`` where the name is taken, and what can be wrong with options and subnets."""
        from moby_tui.engine.resources.networks import creation
        from moby_tui.schema.network import NetworkCreated

        network = creation.new_network(asked)
        network.options = self.options().default_network_options.get(network.driver, {}) | network.options
        driver = self._driver(network.driver)
        driver.check(network)
        # the default network has the first pool, whoever comes first
        await self.settled(self.find("bridge"))
        if driver.has_addresses:
            routes = await in_thread(_routes)
            store.insert(self._database, lambda others: self._with_subnets(network, others, routes))
        else:
            store.insert(self._database, lambda _: network)
        fault.point("networks.row written")
        try:
            await in_thread(lambda: driver.create(network))
        except BaseException:
            store.delete(self._database, network.id)
            raise
        fault.point("networks.made")
        stored = store.update(self._database, network.id, lambda row: row.options.update(network.options))
        record_files.keep_network(self._data_root, network.id, encode(stored))
        fault.point("networks.record kept")
        self._tell("create", network)
        return NetworkCreated(id=network.id)

    async def remove(self, ref: str) -> None:
        """Raises ``Forbidden`` for a network that every engine has, and for one that containers are in."""
        await self._remove(self.find(ref))

    async def prune(self, *, filters: Filters | None = None) -> NetworksPruned:
        """Removes the networks of users that no running container is in; one that cannot be removed is logged and left out."""
        from moby_tui.engine.resources.networks.filters import matches
        from moby_tui.schema.network import NetworksPruned

        gone = []
        used = await self._used()
        for network in store.load(self._database):
            if network.name in store.PREDEFINED or network.name in used or network.id in used:
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
        if members := await self._members(network):
            told = ", ".join(f'name:"{name}" id:"{ident[:12]}"' for ident, name in members.items())
            raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({told})")
        await in_thread(lambda: self._driver(network.driver).delete(network))
        fault.point("networks.unmade")
        self._folders.leases(network.id).remove()
        from moby_tui.engine.resources.networks.names import zone

        zone.remove(self._folders.zones, network.id)
        fault.point("networks.leases removed")
        record_files.drop_network(self._data_root, network.id)
        fault.point("networks.record dropped")
        if store.delete(self._database, network.id):
            self._tell("destroy", network)

    async def _used(self) -> set[str]:
        containers = await self.list_containers() if self.list_containers else []
        return {name for container in containers for name in container.network_settings.networks}

    async def _members(self, network: NetworkRecord) -> dict[str, str]:
        """The containers that are in a network, by id. Those that have just ended are waited for: their monitors are undoing it."""
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

    def tell(self, action: str, network: NetworkRecord, container_id: str) -> None:
        """Publishes that a container was connected or disconnected."""
        self._publish("network", action, network.id, {"container": container_id, "name": network.name, "type": network.driver})

    def mend(self) -> None:
        """Puts the nftables tables right where another program changed them. Blocks; what cannot be done is logged."""
        try:
            if self._folders.is_anybody_in():
                self._bridges.mend()
        except MobyError as error:
            # of the database or the records: whatever is done with the engine tells of it
            log.debug("the nftables tables were not looked at: %s", error)
        except OSError as error:
            log.warning("the nftables tables could not be looked at: %s", error.strerror or error)

    async def examine(self) -> builtins.list[Finding]:
        """What blocks or breaks the traffic of the networks on this host. Raises ``MobyError`` where the kernel does not let one look."""
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
        """The driver of this name; what few networks have is imported when it is asked for. Raises ``NotFound``."""
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
        networks = store.load(self._database)
        found = (
            [n for n in networks if ref == n.id]
            or [n for n in networks if ref == n.name]
            or [n for n in networks if ref and n.id.startswith(ref)]
        )
        if not found:
            raise NotFound(f"network {ref} not found")
        if len(found) > 1:
            raise InvalidArgument(f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
        return found[0]

    def find_for(self, mode: str) -> NetworkRecord:
        return self.find("bridge" if mode in ("", "default") else mode)

    def _bridge_networks(self) -> builtins.list[NetworkRecord]:
        """Those that have something on the host."""
        return [network for network in store.load(self._database) if network.driver == "bridge" and network.ipam.config]

    async def settled(self, network: NetworkRecord) -> NetworkRecord:
        """The default bridge network gets its subnet when it is first used, and keeps it unless the engine's options want another one."""
        if network.name != "bridge" or (network.ipam.config and not await self._is_undone(network)):
            return network
        taken = await in_thread(_routes)
        others = [other for other in store.load(self._database) if other.id != network.id]
        return store.update(self._database, network.id, lambda row: self._settle(row, others, taken))

    async def settle_default(self) -> None:
        """Has the default bridge network be as the engine's options want it. Raises ``InvalidArgument``, ``Forbidden``, ``MobyError``."""
        await self.settled(self.find("bridge"))

    async def _is_undone(self, network: NetworkRecord) -> bool:
        """Whether the default bridge was other than the engine's options want it, and nobody was in it: then it is no more."""
        if not self.options().configures_bridge:
            # whatever another engine of this data root has made of it
            return False
        from moby_tui.engine.resources.networks import default_bridge

        if default_bridge.fits(network, self.options(), self._bridge_name):
            return False
        if members := self._folders.members(network.id):
            if not self._told_of_bridge:
                log.warning("network bridge stays as it is while %d containers are in it", len(members))
            self._told_of_bridge = True
            return False
        await in_thread(lambda: self._bridges.delete(network))
        self._folders.leases(network.id).remove()
        store.update(self._database, network.id, _forget_pools)
        return True

    def restore(self, ids: Mapping[str, str], subnet: Subnet | None) -> None:
        """Makes the rows anew as running containers know the networks: the ids of those, and the subnet of the bridge."""
        store.restore(self._database, ids)
        if subnet is not None:
            known = [IpamPool(subnet=str(subnet))]
            store.update(self._database, self.find("bridge").id, lambda row: self._settle(row, [], [], known))

    def _settle(
        self,
        network: NetworkRecord,
        others: builtins.list[NetworkRecord],
        taken: builtins.list[Subnet],
        known: builtins.list[IpamPool] | None = None,
    ) -> None:
        if network.ipam.config:
            return
        # once for each data root
        from moby_tui.engine.resources.networks import default_bridge

        network.ipam.config = known
        default_bridge.configure(network, self.options(), self._bridge_name)
        self._with_subnets(network, others, taken)

    def _with_subnets(self, network: NetworkRecord, others: Sequence[NetworkRecord], taken: Sequence[Subnet]) -> NetworkRecord:
        from moby_tui.engine.resources.networks import creation
        from moby_tui.engine.resources.networks.pools import DEFAULT_POOLS, read_pools

        creation.give_subnets(
            network, taken, others, read_pools(self.options().default_address_pools) or DEFAULT_POOLS, self._seed
        )
        return network

    def _tell(self, action: str, network: NetworkRecord) -> None:
        self._publish("network", action, network.id, {"name": network.name, "type": network.driver})


def _forget_pools(network: NetworkRecord) -> None:
    network.ipam.config = None


def _routes() -> list[Subnet]:
    """Where the host's routes lead."""
    from moby_tui.engine.resources.networks import host

    return [route.destination for route in host.routes()]
