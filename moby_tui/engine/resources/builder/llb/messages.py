"""The messages of ``solver/pb/ops.proto`` that a Dockerfile's steps are made of, and their JSON as Go's ``encoding/json`` writes it.

Members are in the order of the message's fields, without those that are zero. The digest of an operation is made of it.
"""

from __future__ import annotations

import msgspec
from msgspec import field

from moby_tui.engine.resources.builder.llb.vertices import Unknown

#: What Go's encoder escapes and msgspec does not.
_ESCAPED = [(character.encode(), f"\\u{ord(character):04x}".encode()) for character in "<>&\u2028\u2029"]


class Message(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A message of ``ops.proto``."""


class Meta(Message, kw_only=True):
    args: list[str]
    env: list[str]
    cwd: str
    user: str = ""
    remove_mount_stubs_recursive: bool


class TmpfsOption(Message, kw_only=True):
    size: int = 0


class CacheOption(Message, kw_only=True):
    ident: str = field(name="ID", default="")


class Handed(Message, kw_only=True):
    """What the caller of the build supplies: a secret, or an agent."""

    ident: str = field(name="ID", default="")
    uid: int = 0
    gid: int = 0
    mode: int = 0
    optional: bool = False


class MountOption(Message, kw_only=True):
    input: int = 0
    dest: str
    output: int = 0
    readonly: bool = False
    mount_type: int = 0
    tmpfs: TmpfsOption | None = field(name="TmpfsOpt", default=None)
    cache: CacheOption | None = field(name="cacheOpt", default=None)
    secret: Handed | None = field(name="secretOpt", default=None)
    agent: Handed | None = field(name="SSHOpt", default=None)


class SecretVariable(Message, kw_only=True):
    ident: str = field(name="ID")
    name: str
    optional: bool = False


class ExecOp(Message, kw_only=True):
    meta: Meta
    mounts: list[MountOption] = field(default_factory=list)
    network: int = 0
    security: int = 0
    secretenv: list[SecretVariable] = field(default_factory=list)


class ExecKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str = field(name="Type")
    operation: ExecOp = field(name="Exec")
    os: str = field(name="OS")
    architecture: str = field(name="Arch")
    variant: str = field(name="Variant", default="")


class ManifestKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    digest: str = field(name="Digest")
    os: str = field(name="OS")
    architecture: str = field(name="Arch")
    variant: str = field(name="Variant", default="")


class NamedUser(Message, kw_only=True):
    name: str


class UserOption(Message, kw_only=True):
    by_name: NamedUser | None = None
    by_id: int = 0


class UserChoice(msgspec.Struct):
    user: UserOption = field(name="User")


class Owner(Message, kw_only=True):
    user: UserChoice | None = None
    group: UserChoice | None = None


class MakeDirectoryAction(Message, kw_only=True):
    path: str
    mode: int
    make_parents: bool
    owner: Owner | None = None
    timestamp: int


class MakeFileAction(Message, kw_only=True):
    path: str
    mode: int
    data: bytes = b""
    timestamp: int


class CopyAction(Message, kw_only=True):
    src: str
    dest: str
    owner: Owner | None = None
    mode: int = 0
    follow_symlink: bool = False
    dir_copy_contents: bool = False
    attempt_unpack_docker_compatibility: bool = False
    create_dest_path: bool
    allow_wildcard: bool = False
    allow_empty_wildcard: bool = False
    timestamp: int


class FileKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str = field(name="Type")
    actions: list[bytes] = field(name="Actions")
    indexes: list[list[int]] = field(default_factory=list)


class MergeInput(Message, kw_only=True):
    input: int = 0


class MergeOp(Message, kw_only=True):
    inputs: list[MergeInput]


class MergeKey(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str = field(name="Type")
    operation: MergeOp = field(name="Merge")


def json_of(message: msgspec.Struct) -> bytes:
    """Raises ``Unknown`` for text that is not UTF-8."""
    try:
        written = msgspec.json.encode(message)
    except UnicodeEncodeError:
        raise Unknown("its text is not UTF-8") from None
    for character, escaped in _ESCAPED:
        written = written.replace(character, escaped)
    return written
