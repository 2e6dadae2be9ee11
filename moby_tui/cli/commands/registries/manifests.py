"""``moby manifest``: one name for the images of several platforms, put together here and pushed to a registry.

Lists in the making are docker's own files (``cli/manifests/store.py``), those of the one who calls. What is in registries an engine reads
and writes, as for every other command: so `-H` works for a moby elsewhere, with that machine's certificates and mirrors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moby_tui.cli import session
from moby_tui.errors import InvalidArgument, MobyError, NotFound

if TYPE_CHECKING:
    from moby_tui.api.client.protocol import Client
    from moby_tui.cli.manifests.entry import Entry
    from moby_tui.cli.manifests.store import Store
    from moby_tui.cli.table.registries import (
        ManifestAnnotateOptions,
        ManifestCreateOptions,
        ManifestInspectOptions,
        ManifestPushOptions,
        ManifestRmOptions,
    )
    from moby_tui.reference import Reference
    from moby_tui.schema.image import RegistryManifest


#: Systems and architectures as docker's ``annotate`` knows them.
_PLATFORMS = {
    "darwin": ("386", "amd64", "arm", "arm64"),
    "dragonfly": ("amd64",),
    "freebsd": ("386", "amd64", "arm"),
    "linux": ("386", "amd64", "arm", "arm64", "ppc64le", "mips64", "mips64le", "riscv64", "s390x"),
    "netbsd": ("386", "amd64", "arm"),
    "openbsd": ("386", "amd64", "arm"),
    "plan9": ("386", "amd64"),
    "solaris": ("amd64",),
    "windows": ("386", "amd64"),
}


def _store() -> Store:
    from moby_tui import docker_folder
    from moby_tui.cli.manifests.store import Store

    return Store(docker_folder.find(session.current().login_folder))


def _named(text: str, prefix: str = "") -> Reference:
    """The reference, with ``latest`` if it has neither tag nor digest. Raises ``InvalidArgument``, its text after ``prefix``."""
    from moby_tui.reference import parse

    try:
        return parse(text).tagged()
    except InvalidArgument as error:
        raise InvalidArgument(f"{prefix}: {error.message}" if prefix else error.message) from None


async def _fetch(client: Client, name: Reference, *, insecure: bool) -> RegistryManifest:
    """Raises ``NotFound`` in docker's words."""
    try:
        return await client.registry.manifest(name.canonical, insecure=insecure, auth=session.login_for(name.canonical))
    except NotFound:
        raise NotFound(f"no such manifest: {name.canonical}") from None


def create(options: ManifestCreateOptions, name: str, manifests: list[str]) -> None:
    """``moby manifest create``."""
    target = _named(name, f"error parsing name for manifest list {name}")
    store = _store()
    if store.has(target) and not options.amend:
        raise InvalidArgument("refusing to amend an existing manifest list with no --amend flag")
    wanted = [_named(manifest) for manifest in manifests]

    async def read(client: Client) -> list[Entry]:
        return [await _entry(client, store, target, name, insecure=options.insecure) for name in wanted]

    for entry in session.call(read):
        store.save(target, entry)
    print(f"Created manifest list {target.canonical}")


async def _entry(client: Client, store: Store, target: Reference, name: Reference, *, insecure: bool) -> Entry:
    """The manifest as it is in the list already, else as the registry has it. Raises ``NotFound``, ``InvalidArgument`` for an index."""
    from moby_tui.cli.manifests.entry import entry_of

    try:
        known = store.get(target, name)
    except NotFound:
        known = None
    if known is not None and known.raw:
        return known
    fetched = await _fetch(client, name, insecure=insecure)
    if _is_index(fetched):
        raise InvalidArgument(f"{name.canonical} is a manifest list")
    return entry_of(name, fetched)


def _is_index(found: RegistryManifest) -> bool:
    from moby_tui.schema import oci

    return found.descriptor.media_type in (oci.MEDIA_INDEX, oci.DOCKER_INDEX)


def annotate(options: ManifestAnnotateOptions, name: str, manifest: str) -> None:
    """``moby manifest annotate``."""
    from moby_tui.schema import oci

    target = _named(name, f"annotate: error parsing name for manifest list {name}")
    wanted = _named(manifest, f"annotate: error parsing name for manifest {manifest}")
    store = _store()
    try:
        entry = store.get(target, wanted)
    except NotFound:
        raise NotFound(f"manifest for image {manifest} does not exist in {name}") from None
    platform = entry.descriptor.platform or oci.Platform(architecture="", os="")
    platform.os = options.os or platform.os
    platform.architecture = options.arch or platform.architecture
    features = [feature for text in options.os_features for feature in text.split(",")]
    platform.os_features = [*dict.fromkeys([*platform.os_features, *features])]
    platform.variant = options.variant or platform.variant
    platform.os_version = options.os_version or platform.os_version
    if platform.architecture not in _PLATFORMS.get(platform.os, ()):
        raise InvalidArgument(
            f"manifest entry for image has unsupported os/arch combination: {platform.os}/{platform.architecture}"
        )
    entry.descriptor.platform = platform
    store.save(target, entry)


def inspect(options: ManifestInspectOptions, names: list[str]) -> None:
    """``moby manifest inspect``."""
    from moby_tui.cli.manifests import document

    if len(names) > 2:
        raise InvalidArgument("moby manifest inspect takes a manifest, or a manifest list and one of its manifests")
    wanted = _named(names[-1])
    store = _store()
    if len(names) == 2:
        entry = store.get(_named(names[0]), wanted)
        print(document.described(entry) if options.verbose else document.shown(entry))
    elif store.has(wanted):
        _print_list(store.entries(wanted), wanted, verbose=options.verbose)
    else:
        print(session.call(lambda client: _look(client, wanted, insecure=options.insecure, verbose=options.verbose)))


def _print_list(entries: list[Entry], target: Reference, *, verbose: bool) -> None:
    from moby_tui.cli.manifests import document

    if verbose:
        print(document.described(entries))
        return
    for entry in entries:
        document.check_registry(entry, target)
    print(document.printed(document.encoded([entry.descriptor for entry in entries])[1].decode()))


async def _look(client: Client, wanted: Reference, *, insecure: bool, verbose: bool) -> str:
    """What a registry has, as docker prints it."""
    from msgspec.structs import replace

    from moby_tui.cli.manifests import document
    from moby_tui.cli.manifests.entry import entry_of
    from moby_tui.schema import oci
    from moby_tui.schema.base import decode

    fetched = await _fetch(client, wanted, insecure=insecure)
    if not _is_index(fetched):
        entry = entry_of(wanted, fetched)
        return document.described(entry) if verbose else document.shown(entry)
    members = decode(fetched.content, oci.Index).manifests
    if not verbose:
        return document.printed(document.encoded(members)[1].decode())
    entries = []
    for member in members:
        name = replace(wanted, digest=member.digest)
        entry = entry_of(name, await _fetch(client, name, insecure=insecure))
        entry.descriptor.platform = member.platform or oci.Platform(architecture="", os="")
        entries.append(entry)
    return document.described(entries)


def push(options: ManifestPushOptions, name: str) -> None:
    """``moby manifest push``."""
    from moby_tui.cli.manifests.document import list_of
    from moby_tui.schema.image import ManifestUpload

    target = _named(name)
    store = _store()
    entries = store.entries(target)
    if not entries:
        raise NotFound(f"{target.canonical} not found")
    media_type, content = list_of(entries, target)
    others = [entry for entry in entries if entry.reference.repository != target.repository]
    for entry in others:
        _check_raw(entry)

    async def send(client: Client) -> None:
        auth = session.login_for(target.canonical)
        for entry in others:
            place = target.at(entry.descriptor.digest).canonical
            upload = ManifestUpload(media_type=entry.descriptor.media_type, content=entry.raw, source=entry.reference.path)
            pushed = await client.registry.put_manifest(place, upload, insecure=options.insecure, auth=auth)
            print(f"Pushed ref {place} with digest: {pushed.digest}", flush=True)
        whole = ManifestUpload(media_type=media_type, content=content)
        pushed = await client.registry.put_manifest(target.canonical, whole, insecure=options.insecure, auth=auth)
        print(pushed.digest)

    session.call(send)
    if options.purge:
        store.remove(target)


def _check_raw(entry: Entry) -> None:
    """Raises ``MobyError`` for a manifest without the bytes that its digest is of."""
    from hashlib import sha256

    digest = f"sha256:{sha256(entry.raw).hexdigest()}"
    if not entry.raw:
        raise MobyError(f"the file of {entry.ref} has no raw manifest: read it again, with `moby manifest create --amend`")
    if digest != entry.descriptor.digest:
        raise MobyError(f"internal digest mismatch for {entry.ref}: expected {entry.descriptor.digest}, got {digest}")


def rm(options: ManifestRmOptions, names: list[str]) -> int:
    """``moby manifest rm``."""
    store, status = _store(), 0
    for name in names:
        try:
            reference = _named(name)
            if options.dry_run:
                store.entries(reference)
                print(f"Would remove manifest list {name}")
            else:
                store.remove(reference)
        except MobyError as error:
            session.tell(error)
            status = 1
    return status
