"""The operations that BuildKit's Dockerfile frontend makes of instructions, and their digests.

The tests compare them with caches that dockerd 28.5 (BuildKit 0.25) has written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from moby_tui.engine.resources.builder.llb import messages
from moby_tui.engine.resources.builder.llb.vertices import Link, Names, Unknown, Vertex, links, operation
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.schema import oci

#: No input; a mode that is kept; a time that is now.
_NONE = -1
_NETWORKS = {"": 0, "default": 0, "host": 1, "none": 2}


@dataclass(frozen=True)
class Source:
    """Files that a COPY or ADD takes.

    ``paths`` are absolute, perhaps with wildcards. ``is_document``: of a here-document, whose name is taken as it is; others are
    looked for, and links followed. ``content`` is the vertex of what is taken, ``names`` those of the tree that it is taken from.
    """

    paths: Sequence[str]
    content: Vertex | None = None
    names: Names = ()
    is_document: bool = False


@dataclass(frozen=True)
class Bind:
    """``RUN --mount=type=bind``, or the script of a here-document. ``source`` has one path; equal ``origin``s are one tree."""

    target: str
    source: Source
    origin: str = ""
    is_writable: bool = False


@dataclass(frozen=True)
class Cache:
    target: str
    ident: str
    sharing: str


@dataclass(frozen=True)
class Temporary:
    """A tmpfs; ``size`` in bytes, 0 if none is given."""

    target: str
    size: int


@dataclass(frozen=True)
class Given:
    """A secret, as a file at ``target`` or as the variable ``name``, or an agent's socket. Either may be empty."""

    ident: str
    target: str
    mode: int
    uid: int
    gid: int
    is_optional: bool
    is_agent: bool = False
    name: str = ""


Mount = Bind | Cache | Temporary | Given
_SECRET, _AGENT, _CACHE, _TMPFS = 1, 2, 3, 4
#: The path of an agent's socket that is given none; its number follows.
_AGENT_PATH = "/run/buildkit/ssh_agent."


def image(config: oci.ImageConfig, manifests: Sequence[str]) -> Names:
    """The names of an image: by the chain id of its layers (OCI image specification, config.md), which is the same in any registry, and
    by each of its manifests and indexes."""
    if not config.rootfs.diff_ids:
        return ()
    chain, *others = config.rootfs.diff_ids
    for diff_id in others:
        chain = digest_of(f"{chain} {diff_id}".encode())
    wholes = (
        messages.ManifestKey(digest=digest, os=config.os, architecture=config.architecture, variant=config.variant)
        for digest in manifests
    )
    keys = [chain, *(digest_of(messages.json_of(whole)) for whole in wholes)]
    return tuple(operation(digest_of(f"buildkit.source.v0:{key}".encode())) for key in keys)


def execution(
    below: Names,
    command: list[str],
    environment: Sequence[str],
    execution: oci.ExecutionConfig,
    platform: oci.Platform,
    mounts: Sequence[Mount] = (),
    *,
    network: str,
    insecure: bool,
) -> Names:
    """RUN. ``environment`` is in the order of the last assignments. Raises ``Unknown``."""
    if not below:
        raise Unknown("a command runs in an empty image")
    if network not in _NETWORKS:
        raise Unknown("a command runs in a network of its own")
    placed, inputs = _placed(below, mounts)
    given = _given(mounts)
    agents = [mount.dest for mount in given if mount.agent]
    if agents and not any(entry.startswith("SSH_AUTH_SOCK=") for entry in environment):
        environment = [*environment, f"SSH_AUTH_SOCK={agents[0]}"]
    meta = messages.Meta(
        args=command,
        env=list(environment),
        cwd=execution.working_dir or "/",
        user=execution.user,
        remove_mount_stubs_recursive=True,
    )
    message = messages.ExecOp(
        meta=meta,
        # BuildKit once did not count mounts, and counts none if there is the root alone
        mounts=[*placed, *given] if mounts else [],
        network=_NETWORKS[network],
        security=int(insecure),
        secretenv=[
            messages.SecretVariable(ident=mount.ident, name=mount.name, optional=mount.is_optional)
            for mount in mounts
            if isinstance(mount, Given) and mount.name
        ],
    )
    whole = messages.ExecKey(
        kind="buildkit.exec.v0",
        operation=message,
        os=platform.os,
        architecture=platform.architecture,
        variant=platform.variant,
    )
    return (operation(digest_of(messages.json_of(whole)), *inputs),)


def _placed(below: Names, mounts: Sequence[Mount]) -> tuple[list[messages.MountOption], list[tuple[Link, ...]]]:
    """The mounts of the root and of what has a target, in the order of targets, and their inputs: of the root the whole is the selector."""
    placed, inputs = [messages.MountOption(dest="/")], [links(below, digest_of(b"/"))]
    numbers: dict[str, int] = {}
    for mount in sorted((each for each in mounts if not isinstance(each, Given)), key=lambda each: each.target.encode()):
        if isinstance(mount, Temporary):
            size = messages.TmpfsOption(size=mount.size)
            placed.append(messages.MountOption(input=_NONE, dest=mount.target, output=_NONE, mount_type=_TMPFS, tmpfs=size))
        elif isinstance(mount, Cache):
            # a name of its own does not count
            usual = mount.ident == mount.target and mount.sharing == "shared"
            folder = messages.CacheOption(ident=f"/{mount.ident}" if usual else "")
            placed.append(messages.MountOption(input=_NONE, dest=mount.target, output=_NONE, mount_type=_CACHE, cache=folder))
        else:
            if mount.origin in numbers:
                raise Unknown("the command has two mounts of one tree")
            if any(vertex in below for vertex in mount.source.names):
                raise Unknown("the command mounts the image that it runs in")
            numbers[mount.origin] = len(inputs)
            inputs.append(_taken(mount.source))
            placed.append(
                messages.MountOption(input=numbers[mount.origin], dest=mount.target, output=_NONE, readonly=not mount.is_writable)
            )
    return placed, inputs


def _given(mounts: Sequence[Mount]) -> list[messages.MountOption]:
    """The mounts of secrets, then of agents."""
    given = [mount for mount in mounts if isinstance(mount, Given)]
    options = [_handed(mount, mount.target) for mount in given if mount.target and not mount.is_agent]
    agents = [mount for mount in given if mount.is_agent]
    return options + [_handed(mount, mount.target or f"{_AGENT_PATH}{number}") for number, mount in enumerate(agents)]


def _handed(mount: Given, target: str) -> messages.MountOption:
    handed = messages.Handed(ident=mount.ident, uid=mount.uid, gid=mount.gid, mode=mount.mode, optional=mount.is_optional)
    if mount.is_agent:
        return messages.MountOption(input=_NONE, dest=target, mount_type=_AGENT, agent=handed)
    return messages.MountOption(input=_NONE, dest=target, mount_type=_SECRET, secret=handed)


def _taken(source: Source) -> tuple[Link, ...]:
    """The links of what is taken of a tree: by the names of the tree with the paths, and by the content."""
    selector = digest_of("\0".join(sorted(source.paths, reverse=True)).encode("utf-8", "surrogateescape"))
    return links(source.names, selector) + ((Link(source.content),) if source.content else ())


def directory(below: Names, path: str, user: str) -> Names:
    """WORKDIR. The root directory is no step."""
    if path == "/":
        return below
    action = messages.MakeDirectoryAction(path=path, mode=0o755, make_parents=True, owner=_owner(user), timestamp=_NONE)
    if not below:
        return (operation(_file_key([messages.json_of(action)], [[_NONE, _NONE, 0]])),)
    return (operation(_file_key([messages.json_of(action)], [[0, _NONE, 0]]), links(below)),)


def document(name: str, text: bytes, mode: int = 0o644) -> Vertex:
    """The file of a here-document, which is taken from a tree that holds it alone."""
    action = messages.MakeFileAction(path=f"/{name}", mode=mode, data=text, timestamp=_NONE)
    return operation(_file_key([messages.json_of(action)], [[_NONE, _NONE, 0]]))


def copy(below: Names, sources: Sequence[Source], target: str, owner: str, mode: int | None, *, unpacks: bool) -> Names:
    """COPY and ADD of files. ``target`` is absolute, with the slash at its end that the instruction has. Raises ``Unknown``."""
    if not below and not all(each == "root" or each.isdecimal() for each in filter(None, owner.split(":"))):
        raise Unknown("its owner has a name, which an empty image does not know")
    inputs: list[tuple[Link, ...]] = [links(below)] if below else []
    actions: list[bytes] = []
    indexes: list[list[int]] = []
    places: list[tuple[int, str]] = []
    for source in sources:
        named = _taken(source)
        if any(link.vertex in below for link in named):
            raise Unknown("files are copied from the image below the step")
        places += [(len(inputs), path) for path in source.paths]
        inputs.append(named)
    looked_for = {len(inputs) - len(sources) + number: not source.is_document for number, source in enumerate(sources)}
    for number, (place, path) in enumerate(places):
        first, last = number == 0, number == len(places) - 1
        before = (0 if below else _NONE) if first else len(inputs) + number - 1
        action = messages.CopyAction(
            src=posixpath.basename(path) or "/",
            dest=target,
            owner=_owner(owner),
            mode=_NONE if mode is None else mode,
            follow_symlink=looked_for[place],
            dir_copy_contents=looked_for[place],
            attempt_unpack_docker_compatibility=unpacks and looked_for[place],
            create_dest_path=True,
            allow_wildcard=looked_for[place],
            allow_empty_wildcard=looked_for[place],
            timestamp=_NONE,
        )
        actions.append(messages.json_of(action))
        indexes.append([before, place, 0 if last else _NONE])
    return (operation(_file_key(actions, indexes), *inputs),)


def merged(below: Names, linked: Names) -> Names:
    """``COPY --link``: ``linked`` are the names of the same copy on top of nothing. Raises ``Unknown``."""
    if not below:
        raise Unknown("it has --link on top of an empty image")
    message = messages.MergeOp(inputs=[messages.MergeInput(), messages.MergeInput(input=1)])
    key = messages.MergeKey(kind="buildkit.merge.v0", operation=message)
    return (operation(digest_of(messages.json_of(key)), links(below), links(linked)),)


def _owner(text: str) -> messages.Owner | None:
    """``USER[:GROUP]``: each an id, or a name of the image."""
    if not text:
        return None
    user, colon, group = text.partition(":")
    return messages.Owner(user=_choice(user), group=_choice(group) if colon else None)


def _choice(text: str) -> messages.UserChoice:
    if text == "root":
        return messages.UserChoice(messages.UserOption())
    try:
        return messages.UserChoice(messages.UserOption(by_id=int(text)))
    except ValueError:
        return messages.UserChoice(messages.UserOption(by_name=messages.NamedUser(name=text)))


def _file_key(actions: list[bytes], indexes: list[list[int]]) -> str:
    """The digest of a FileOp. Indexes that are usual are left out: BuildKit once knew no others."""
    usual = all(
        before == (0 if number == 0 else len(indexes) + number - 1)
        and source in (_NONE, 1)
        and output == (0 if number == len(indexes) - 1 else _NONE)
        for number, (before, source, output) in enumerate(indexes)
    )
    return digest_of(
        messages.json_of(messages.FileKey(kind="buildkit.file.v0", actions=actions, indexes=[] if usual else indexes))
    )
