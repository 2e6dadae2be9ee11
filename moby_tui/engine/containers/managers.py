"""The managers of one engine. Each is made, and its modules are imported, on its first use, since a command uses few of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from moby_tui.engine.resources.networks import left
from moby_tui.engine.store.database import Database
from moby_tui.engine.store.paths import Paths

if TYPE_CHECKING:
    from moby_tui.engine.containers.service import ContainerService
    from moby_tui.engine.events.bus import EventBus
    from moby_tui.engine.events.journal import Journal
    from moby_tui.engine.resources.images.manager import ImageManager
    from moby_tui.engine.resources.networks.manager import NetworkManager
    from moby_tui.engine.resources.networks.operation.firewall_watch import FirewallWatch
    from moby_tui.engine.resources.secrets.manager import SecretManager
    from moby_tui.engine.resources.volumes.manager import VolumeManager
    from moby_tui.engine.runtime.client.launcher import Launcher
    from moby_tui.engine_options import EngineOptions

Publish = Callable[[str, str, str, dict[str, str]], object]


class Managers:
    """The managers of images, networks, volumes and secrets, the event bus, and the launcher of one open engine."""

    def __init__(
        self,
        paths: Paths,
        database: Database,
        options: Callable[[], EngineOptions],
        containers: Callable[[], ContainerService],
        cached: Callable[[], set[str]],
    ) -> None:
        """``options`` returns the current options of the engine, ``cached`` the layers and blobs that the build cache needs."""
        self._paths = paths
        self._database = database
        self._options = options
        self._containers = containers
        self._cached = cached
        self._looked = False

    def publish(self, kind: str, action: str, ident: str, attributes: dict[str, str]) -> object:
        """Publishes an event: see ``Journal.publish``."""
        return self._journal.publish(kind, action, ident, attributes)

    @cached_property
    def _journal(self) -> Journal:
        from moby_tui.engine.events.journal import Journal

        return Journal(str(self._paths.journal))

    @cached_property
    def bus(self) -> EventBus:
        from moby_tui.engine.events.bus import EventBus

        return EventBus(self._paths.journal)

    @cached_property
    def images(self) -> ImageManager:
        from moby_tui.engine.resources.images.manager import ImageManager

        images = ImageManager(self._paths, self._database, self.publish, self._options)
        images.used_by = self._containers().using_image
        images.cached = self._cached
        return images

    @cached_property
    def networks(self) -> NetworkManager:
        from moby_tui.engine.resources.networks.manager import NetworkManager

        networks = NetworkManager(self._paths, self._database, self.publish, self._options)
        networks.list_containers = self._containers().list
        return networks

    async def mend_networks(self) -> None:
        """Repairs the nftables tables before a list, if another program has changed a table and a container is in a network."""
        if self._looked or not left.files(left.sandboxes(self._paths.networks)):
            return
        self._looked = True
        from moby_tui.engine.resources.networks import seen

        if seen.is_due(self._paths.networks):
            from moby_tui.engine.tasks import in_thread

            await in_thread(self.networks.mend)

    @cached_property
    def firewall_watch(self) -> FirewallWatch:
        from moby_tui.engine.resources.networks.operation.firewall_watch import FirewallWatch

        return FirewallWatch(self._paths.networks, lambda: self.networks)

    @cached_property
    def volumes(self) -> VolumeManager:
        from moby_tui.engine.resources.volumes.manager import VolumeManager

        return VolumeManager(self._paths, self._database, self.publish, self._containers().using_volume)

    @cached_property
    def secrets(self) -> SecretManager:
        from moby_tui.engine.resources.secrets.manager import SecretManager

        return SecretManager(self._paths.secrets, self.publish, self._containers().using_secret)

    @cached_property
    def launcher(self) -> Launcher:
        from moby_tui.engine.runtime.client.launcher import Launcher

        return Launcher(self._poke)

    def _poke(self) -> None:
        """Closes the event bus, if it was made."""
        if "bus" in vars(self):
            self.bus.poke()

    async def close(self) -> None:
        """Closes the managers that were made."""
        made = vars(self)
        if "bus" in made:
            self.bus.close()
        if "launcher" in made:
            self.launcher.close()
        if "images" in made:
            await self.images.close()
        if "firewall_watch" in made:
            await self.firewall_watch.close()
        if "volumes" in made:
            await self.volumes.close()
        if "networks" in made:
            self.networks.close()
