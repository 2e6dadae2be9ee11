"""``--dry-run`` of ``rm`` and ``rmi``: what would be removed, and the bytes that would come back. Nothing is changed.

The engine is asked by its lists, so that this works with each one. What it would refuse is refused here too; it has the last word when the
removal is done, since containers start and end meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from moby_tui.cli import session
from moby_tui.errors import Conflict, Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.table.containers import RemoveOptions
    from moby_tui.schema.container import ContainerInspect, ContainerSummary
    from moby_tui.schema.image import ImageInspect
    from moby_tui.schema.system import DiskUsage

#: Networks that every engine has.
_PREDEFINED = ("bridge", "host", "none")
_ANONYMOUS = "com.docker.volume.anonymous"


class Removed(NamedTuple):
    """``size`` is in bytes, None if none come back on this machine."""

    kind: str
    name: str
    size: int | None = None


def tell(refs: Iterable[str], ask: Callable[[Look, str], Awaitable[list[Removed]]], *, missing_ok: bool = False) -> int:
    """Prints what the removal of each would take, and errors of the others; returns 1 if there was one."""
    looks: list[Look] = []

    async def one(client: Client, ref: str) -> None:
        if not looks:
            looks.append(Look(client))
        try:
            show(await ask(looks[0], ref))
        except NotFound:
            if not missing_ok:
                raise

    return session.call_each(refs, one, show=False)


def show(removed: Iterable[Removed]) -> None:
    """Prints a line for each object that would be removed."""
    from moby_tui.cli.values.units import human_size

    for one in removed:
        print(f"Would remove {one.kind} {one.name}" + ("" if one.size is None else f": {human_size(one.size)}"), flush=True)


class Look:
    """What the engine has, asked for once; with what earlier arguments of the same command would have removed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._usage: DiskUsage | None = None
        self._all: list[ContainerSummary] | None = None
        self._gone: set[str] = set()

    async def container(self, ref: str, options: RemoveOptions) -> list[Removed]:
        """Raises ``NotFound``, and ``Conflict`` for one that runs unless it is forced."""
        if options.link:
            if not any(ref.strip("/") in (name.strip("/") for name in one.names) for one in await self._containers()):
                raise NotFound(f"no such link: {ref}")
            return [Removed("link", ref)]
        container = await self._client.containers.inspect(ref)
        name, state = container.name.removeprefix("/"), container.state
        if (state.running or state.paused or state.restarting) and not options.force:
            raise Conflict(
                f'cannot remove container "{name}": container is {state.status}: '
                "stop the container before removing or force remove"
            )
        usage = await self._disk_usage()
        size = next((one.size_rw or 0 for one in usage.containers if one.id == container.id), 0)
        self._gone.add(container.id)
        volumes = await self._anonymous_volumes(container) if options.volumes or container.host_config.auto_remove else []
        return [Removed("container", name, size), *volumes]

    async def _anonymous_volumes(self, container: ContainerInspect) -> list[Removed]:
        """Those of a container that no other one has."""
        mounted = {mount.name for mount in container.mounts if mount.type == "volume"}
        others = {mount.name for one in await self._containers() if one.id not in self._gone for mount in one.mounts}
        return [
            Removed("volume", volume.name, max(volume.usage_data.size, 0) if volume.usage_data else 0)
            for volume in (await self._disk_usage()).volumes
            if volume.name in mounted - others and _ANONYMOUS in (volume.labels or {})
        ]

    async def image(self, ref: str, *, force: bool, platforms: Iterable[str] = ()) -> list[Removed]:
        """The bytes are those that no other image has. Raises ``NotFound``, ``Conflict``."""
        named = await self._client.images.inspect(ref)
        images = [await self._client.images.inspect(ref, platform=platform) for platform in platforms]
        removed: list[Removed] = []
        for image in images or [named]:
            removed += await self._image(image, ref if image.id == named.id else image.id, force=force)
        return removed

    async def _image(self, image: ImageInspect, ref: str, *, force: bool) -> list[Removed]:
        from moby_tui.reference import parse

        short = image.id.removeprefix("sha256:")[:12]
        names = [name for name in [*image.repo_tags, *image.repo_digests] if name not in self._gone]
        named = None if image.id.removeprefix("sha256:").startswith(ref.removeprefix("sha256:")) else parse(ref).tagged().familiar
        gone = _names_that_go(names, named) if named in names else names
        await self._check_image(image, short, names, gone, force=force, named=named if named in names else None)
        self._gone.update(gone)
        removed = [Removed("name", name) for name in gone]
        if set(names) - set(gone) or await self._users(image):
            return removed
        summary = next((one for one in (await self._disk_usage()).images if one.id == image.id), None)
        size = summary.size - max(summary.shared_size, 0) if summary else 0
        return [*removed, Removed("image", short, max(size, 0))]

    async def _check_image(
        self, image: ImageInspect, short: str, names: list[str], gone: list[str], *, force: bool, named: str | None
    ) -> None:
        """dockerd's conflicts: an image in use, and by its id one with several names."""
        users = await self._users(image)
        if named is not None:
            if users and not force and not set(names) - set(gone):
                raise Conflict(
                    f'conflict: unable to remove repository reference "{named}" (must force)'
                    f" - container {users[0].id[:12]} is using its referenced image {short}"
                )
            return
        running = [one for one in users if one.state in ("running", "paused", "restarting")]
        if running:
            raise Conflict(
                f"conflict: unable to delete {short} (cannot be forced)"
                f" - image is being used by running container {running[0].id[:12]}"
            )
        if force:
            return
        tags = [name for name in names if "@" not in name]
        if len(tags) > 1:
            raise Conflict(f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories")
        if users:
            raise Conflict(
                f"conflict: unable to delete {short} (must be forced)"
                f" - image is being used by stopped container {users[0].id[:12]}"
            )

    async def _users(self, image: ImageInspect) -> list[ContainerSummary]:
        return [one for one in await self._containers() if one.image_id == image.id]

    async def volume(self, name: str) -> list[Removed]:
        """Raises ``NotFound``, and ``Conflict`` for one that a container has."""
        volume = await self._client.volumes.inspect(name)
        users = [one.id for one in await self._containers() if any(mount.name == volume.name for mount in one.mounts)]
        if users:
            raise Conflict(f"remove {volume.name}: volume is in use - [{', '.join(users)}]")
        usage = next((one.usage_data for one in (await self._disk_usage()).volumes if one.name == volume.name), None)
        return [Removed("volume", volume.name, max(usage.size, 0) if usage else 0)]

    async def network(self, ref: str) -> list[Removed]:
        """Raises ``NotFound``, and ``Forbidden`` for one that every engine has or that containers are in."""
        network = await self._client.networks.inspect(ref)
        if network.name in _PREDEFINED:
            raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
        if network.containers:
            endpoints_text = ", ".join(f'name:"{one.name}" id:"{ident[:12]}"' for ident, one in network.containers.items())
            raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({endpoints_text})")
        return [Removed("network", network.name)]

    async def secret(self, ref: str) -> list[Removed]:
        """Raises ``NotFound``, and ``Conflict`` for one that a container refers to."""
        secret = await self._client.secrets.inspect(ref)
        users = []
        for one in await self._containers():
            container = await self._client.containers.inspect(one.id)
            if any(given.source in (secret.id, secret.spec.name) for given in container.host_config.secrets or ()):
                users.append(container.name.removeprefix("/"))
        if users:
            raise Conflict(f"secret {secret.spec.name} is in use by container {', '.join(users)}: remove the containers first")
        return [Removed("secret", secret.spec.name)]

    async def registry(self, ref: str) -> list[Removed]:
        """In a registry: no bytes of this machine. Raises ``NotFound``."""
        image = await self._client.registry.inspect(ref, auth=session.login_for(ref))
        return [Removed("manifest", f"{ref} ({image.descriptor.digest})")]

    async def _containers(self) -> list[ContainerSummary]:
        """All, without those that would be gone by now."""
        if self._all is None:
            self._all = await self._client.containers.list(all=True)
        return [one for one in self._all if one.id not in self._gone]

    async def _disk_usage(self) -> DiskUsage:
        if self._usage is None:
            self._usage = await self._client.system.disk_usage()
        return self._usage


def _names_that_go(names: list[str], name: str | None) -> list[str]:
    """A name of an image; with the last tag of its repository its digests too."""
    if name is None or "@" in name:
        return [name] if name else []
    repository = name.rpartition(":")[0]
    same = [other for other in names if other.partition("@")[0] == repository or other.rpartition(":")[0] == repository]
    tags = [other for other in same if "@" not in other]
    return same if tags == [name] else [name]
