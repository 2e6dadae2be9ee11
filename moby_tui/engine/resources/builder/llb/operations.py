"""The operations that BuildKit's Dockerfile frontend makes of instructions, and their digests.

A digest is that of JSON as Go's ``encoding/json`` writes it for the messages of ``solver/pb/ops.proto``: members in the order of the
message's fields, without those that are zero. The tests compare them with caches that dockerd 28.5 (BuildKit 0.25) has written.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import field

from moby_tui.engine.resources.builder.llb.vertices import Link, Names, Unknown, Vertex, links, operation
from moby_tui.engine.resources.images.store.content import digest_of
from moby_tui.schema import oci

#: No input; a mode that is kept; a time that is now.
_NONE = -1
_NETWORKS = {"": 0, "default": 0, "host": 1, "none": 2}
#: What Go's encoder escapes and msgspec does not.
_ESCAPED = [(character.encode(), f"\\u{ord(character):04x}".encode()) for character in "<>&\u2028\u2029"]


class _Message(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A message of ``ops.proto``."""


class _Meta(_Message, kw_only=True):
    args: list[str]
    env: list[str]
    cwd: str
    user: str = ""
    remove_mount_stubs_recursive: bool


class _Exec(_Message, kw_only=True):
    meta: _Meta
    network: int = 0
    security: int = 0


class _ExecKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str = field(name="Type")
    operation: _Exec = field(name="Exec")
    os: str = field(name="OS")
    architecture: str = field(name="Arch")
    variant: str = field(name="Variant", default="")


class _ManifestKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    digest: str = field(name="Digest")
    os: str = field(name="OS")
    architecture: str = field(name="Arch")
    variant: str = field(name="Variant", default="")


class _Named(_Message, kw_only=True):
    name: str


class _User(_Message, kw_only=True):
    by_name: _Named | None = None
    by_id: int = 0


class _Choice(msgspec.Struct):
    user: _User = field(name="User")


class _Owner(_Message, kw_only=True):
    user: _Choice | None = None
    group: _Choice | None = None


class _MakeDirectory(_Message, kw_only=True):
    path: str
    mode: int
    make_parents: bool
    owner: _Owner | None = None
    timestamp: int


class _MakeFile(_Message, kw_only=True):
    path: str
    mode: int
    data: bytes = b""
    timestamp: int


class _Copy(_Message, kw_only=True):
    src: str
    dest: str
    owner: _Owner | None = None
    mode: int = 0
    follow_symlink: bool = False
    dir_copy_contents: bool = False
    attempt_unpack_docker_compatibility: bool = False
    create_dest_path: bool
    allow_wildcard: bool = False
    allow_empty_wildcard: bool = False
    timestamp: int


class _FileKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str = field(name="Type")
    actions: list[bytes] = field(name="Actions")
    indexes: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """Files that a COPY or ADD takes.

    ``paths`` are absolute, perhaps with wildcards. ``files`` are those of a here-document, which are taken as they are named; others are
    looked for, and links followed. ``content`` is the vertex of what is taken, ``names`` those of the tree that it is taken from.
    """

    paths: Sequence[str]
    content: Vertex | None = None
    names: Names = ()
    is_document: bool = False


def image(config: oci.ImageConfig, manifests: Sequence[str]) -> Names:
    """The names of an image: by the chain id of its layers (OCI image specification, config.md), which is the same in any registry, and
    by each of its manifests and indexes."""
    if not config.rootfs.diff_ids:
        return ()
    chain, *others = config.rootfs.diff_ids
    for diff_id in others:
        chain = digest_of(f"{chain} {diff_id}".encode())
    wholes = (
        _ManifestKey(digest=digest, os=config.os, architecture=config.architecture, variant=config.variant)
        for digest in manifests
    )
    keys = [chain, *(digest_of(_json(whole)) for whole in wholes)]
    return tuple(operation(digest_of(f"buildkit.source.v0:{key}".encode())) for key in keys)


def execution(
    below: Names,
    command: list[str],
    environment: Sequence[str],
    execution: oci.ExecutionConfig,
    platform: oci.Platform,
    *,
    network: str,
    insecure: bool,
) -> Names:
    """RUN without mounts. ``environment`` is in the order of the last assignments. Raises ``Unknown``."""
    if not below:
        raise Unknown("a command runs in an empty image")
    if network not in _NETWORKS:
        raise Unknown("a command runs in a network of its own")
    meta = _Meta(
        args=command,
        env=list(environment),
        cwd=execution.working_dir or "/",
        user=execution.user,
        remove_mount_stubs_recursive=True,
    )
    asked = _Exec(meta=meta, network=_NETWORKS[network], security=int(insecure))
    whole = _ExecKey(
        kind="buildkit.exec.v0",
        operation=asked,
        os=platform.os,
        architecture=platform.architecture,
        variant=platform.variant,
    )
    # the root file system is the one mount, of which the whole is the selector
    return (operation(digest_of(_json(whole)), links(below, digest_of(b"/"))),)


def directory(below: Names, path: str, user: str) -> Names:
    """WORKDIR. The root directory is no step."""
    if path == "/":
        return below
    asked = _MakeDirectory(path=path, mode=0o755, make_parents=True, owner=_owner(user), timestamp=_NONE)
    if not below:
        return (operation(_file_key([_json(asked)], [[_NONE, _NONE, 0]])),)
    return (operation(_file_key([_json(asked)], [[0, _NONE, 0]]), links(below)),)


def document(name: str, text: bytes) -> Vertex:
    """The file of a here-document, which is copied from a tree that holds it alone."""
    asked = _MakeFile(path=f"/{name}", mode=0o644, data=text, timestamp=_NONE)
    return operation(_file_key([_json(asked)], [[_NONE, _NONE, 0]]))


def copy(below: Names, sources: Sequence[Source], target: str, owner: str, mode: int | None, *, unpacks: bool) -> Names:
    """COPY and ADD of files. ``target`` is absolute, with the slash at its end that the instruction has. Raises ``Unknown``."""
    inputs: list[tuple[Link, ...]] = [links(below)] if below else []
    actions: list[bytes] = []
    indexes: list[list[int]] = []
    places: list[tuple[int, str]] = []
    for source in sources:
        selector = digest_of("\0".join(sorted(source.paths, reverse=True)).encode("utf-8", "surrogateescape"))
        named = links(source.names, selector) + ((Link(source.content),) if source.content else ())
        if any(link.vertex in below for link in named):
            raise Unknown("files are copied from the image below the step")
        places += [(len(inputs), path) for path in source.paths]
        inputs.append(named)
    looked_for = {len(inputs) - len(sources) + number: not source.is_document for number, source in enumerate(sources)}
    for number, (place, path) in enumerate(places):
        first, last = number == 0, number == len(places) - 1
        before = (0 if below else _NONE) if first else len(inputs) + number - 1
        asked = _Copy(
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
        actions.append(_json(asked))
        indexes.append([before, place, 0 if last else _NONE])
    return (operation(_file_key(actions, indexes), *inputs),)


def _owner(text: str) -> _Owner | None:
    """``USER[:GROUP]``: each an id, or a name of the image."""
    if not text:
        return None
    user, colon, group = text.partition(":")
    return _Owner(user=_choice(user), group=_choice(group) if colon else None)


def _choice(text: str) -> _Choice:
    if text == "root":
        return _Choice(_User())
    try:
        return _Choice(_User(by_id=int(text)))
    except ValueError:
        return _Choice(_User(by_name=_Named(name=text)))


def _file_key(actions: list[bytes], indexes: list[list[int]]) -> str:
    """The digest of a FileOp. Indexes that are usual are left out: BuildKit once knew no others."""
    usual = all(
        before == (0 if number == 0 else len(indexes) + number - 1)
        and source in (_NONE, 1)
        and output == (0 if number == len(indexes) - 1 else _NONE)
        for number, (before, source, output) in enumerate(indexes)
    )
    return digest_of(_json(_FileKey(kind="buildkit.file.v0", actions=actions, indexes=[] if usual else indexes)))


def _json(message: msgspec.Struct) -> bytes:
    """Raises ``Unknown`` for text that is not UTF-8."""
    try:
        written = msgspec.json.encode(message)
    except UnicodeEncodeError:
        raise Unknown("its text is not UTF-8") from None
    for character, escaped in _ESCAPED:
        written = written.replace(character, escaped)
    return written
