"""A graph of operations (BuildKit's LLB) as a build is asked for with it: sources, and what makes files of them.

https://github.com/moby/buildkit, solver/pb/ops.proto. Whoever makes a ``Graph`` checks what it says; ``Graph.check`` checks how it hangs
together.
"""

from __future__ import annotations

from msgspec import Struct, field

from moby_tui.errors import InvalidArgument
from moby_tui.schema import oci

#: An input that is nothing: an empty tree.
NONE = -1
#: More operations than any client has.
MOST = 10_000


class Result(Struct, frozen=True):
    """An output of a vertex: both counted from 0."""

    vertex: int
    output: int = 0


class Name(Struct, frozen=True, omit_defaults=True):
    """A user or group: ``ident``, or else ``name`` as the list of users in ``input`` has it."""

    ident: int | None = None
    name: str = ""
    input: int = NONE


class Owner(Struct, frozen=True, omit_defaults=True):
    user: Name | None = None
    group: Name | None = None


class Mount(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """``kind`` is ``bind``, ``cache``, ``tmpfs``, ``secret`` or ``ssh``. ``output`` is the number of the operation's output that what is
    written there becomes, or ``NONE``. ``options`` are those of ``RUN --mount`` of the kinds but ``bind``."""

    kind: str
    target: str
    input: int = NONE
    selector: str = ""
    output: int = NONE
    readonly: bool = False
    options: dict[str, str] = field(default_factory=dict)


class SecretVariable(Struct, frozen=True):
    ident: str
    name: str
    optional: bool = False


class Source(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="source"):
    """``identifier`` has a scheme: ``docker-image://``, ``local://``, ``git://``, ``https://``, ``oci-layout://``."""

    identifier: str
    attributes: dict[str, str] = field(default_factory=dict)


class Execution(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="exec"):
    """A command. ``network`` is ``default``, ``host`` or ``none``; ``proxies`` are variables that change nothing that is made."""

    command: list[str]
    environment: list[str] = field(default_factory=list)
    working_directory: str = "/"
    user: str = ""
    hostname: str = ""
    #: ``name:address``
    hosts: list[str] = field(default_factory=list)
    #: name, soft, hard
    limits: list[tuple[str, int, int]] = field(default_factory=list)
    cgroup_parent: str = ""
    proxies: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    secrets: list[SecretVariable] = field(default_factory=list)
    network: str = "default"
    insecure: bool = False
    #: exit codes that are no failure
    succeeds: list[int] = field(default_factory=lambda: [0])


class MakeDirectory(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="mkdir"):
    """Times are nanoseconds since 1970, or None for now."""

    path: str
    mode: int
    parents: bool = False
    owner: Owner | None = None
    time: int | None = None


class MakeFile(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="mkfile"):
    path: str
    mode: int
    data: bytes = b""
    owner: Owner | None = None
    time: int | None = None


class MakeLink(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="symlink"):
    """``path`` leads to ``target``."""

    path: str
    target: str
    owner: Owner | None = None
    time: int | None = None


class Remove(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="rm"):
    path: str
    may_lack: bool = False
    wildcard: bool = False


class Copy(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="copy"):
    """Without ``owner``, ``mode`` or ``time`` that of the source. ``mode`` is octal, or changes as chmod(1) takes them."""

    source: str
    target: str
    owner: Owner | None = None
    mode: str = ""
    time: int | None = None
    follow_link: bool = False
    contents: bool = False
    unpacks: bool = False
    makes_parents: bool = False
    wildcard: bool = False
    may_lack: bool = False
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    replaces: bool = False


class Action(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A change of files. ``input`` counts the operation's inputs, and after them its actions; so does ``source``, that of a copy."""

    change: MakeDirectory | MakeFile | MakeLink | Remove | Copy
    input: int = NONE
    source: int = NONE
    output: int = NONE


class Files(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="file"):
    actions: list[Action]


class Merge(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="merge"):
    """Trees laid over each other, the last uppermost."""

    inputs: list[int]


class Difference(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="diff"):
    """What makes ``upper`` of ``lower``."""

    lower: int = NONE
    upper: int = NONE


class Nested(Struct, kw_only=True, frozen=True, omit_defaults=True, tag="build"):
    """What a graph makes that is in a file of another result (BuildOp). ``file`` is its path there."""

    input: int
    file: str


Operation = Source | Execution | Files | Merge | Difference | Nested


class Vertex(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """An operation. ``inputs`` are results of vertexes before it; ``name`` is what progress shows, ``description`` what it does.
    ``platform`` is written as ``os/architecture``, or empty for the builder's."""

    digest: str
    name: str
    description: str
    operation: Operation
    inputs: list[Result] = field(default_factory=list)
    platform: str = ""
    ignore_cache: bool = False


class Graph(Struct, kw_only=True, frozen=True):
    """``vertexes`` come after those that they take results of."""

    vertexes: list[Vertex]
    result: Result

    def check(self) -> None:
        """Raises ``InvalidArgument`` for a graph that does not hang together."""
        if len(self.vertexes) > MOST:
            raise InvalidArgument(f"the graph has more than {MOST} operations")
        for number, vertex in enumerate(self.vertexes):
            if not all(0 <= each.vertex < number and each.output >= 0 for each in vertex.inputs):
                raise InvalidArgument(f"the operation {vertex.digest[:80]} takes a result that no operation before it has")
            for place in _taken(vertex.operation):
                if not NONE <= place < len(vertex.inputs):
                    raise InvalidArgument(f"the operation {vertex.digest[:80]} has no input {place}")
            if isinstance(vertex.operation, Files):
                _check_actions(vertex, vertex.operation)
        if not 0 <= self.result.vertex < len(self.vertexes) or self.result.output < 0:
            raise InvalidArgument("the graph has no result")


def _taken(operation: Operation) -> list[int]:
    """The inputs that an operation names, but for those of a change of files."""
    match operation:
        case Execution():
            return [mount.input for mount in operation.mounts]
        case Merge():
            return operation.inputs
        case Difference():
            return [operation.lower, operation.upper]
        case Nested():
            return [operation.input]
        case _:
            return []


def _check_actions(vertex: Vertex, files: Files) -> None:
    """An action takes inputs, and results of actions before it."""
    for number, action in enumerate(files.actions):
        owner = None if isinstance(action.change, Remove) else action.change.owner
        named = [each.input for each in (owner.user, owner.group) if each is not None] if owner else []
        for place in (action.input, action.source, *named):
            if not NONE <= place < len(vertex.inputs) + number:
                raise InvalidArgument(f"the operation {vertex.digest[:80]} has no input {place} for its action {number}")


# What else a build may be asked for in place of a Dockerfile


class Lookup(Struct, kw_only=True, frozen=True, tag="lookup"):
    """The configuration of the image with this name, which is told to the ``Caller``. ``platform`` may be empty; ``pull``: as it is in its
    registry now."""

    image: str
    platform: str = ""
    pull: bool = False


class Subject(Struct, frozen=True):
    """Of a statement: the image itself if ``is_image``, under its tags or ``name``; else what has these digests."""

    name: str = ""
    digests: list[str] = field(default_factory=list)
    is_image: bool = False


class Attested(Struct, kw_only=True, frozen=True):
    """What is stated of an image: ``path`` in the image ``manifest`` (as in ``Part``) is a predicate of the type ``predicate_type``, or if
    ``is_bundle`` a folder of whole statements, all of that type if there is one."""

    manifest: str
    path: str
    predicate_type: str = ""
    is_bundle: bool = False
    subjects: list[Subject] = field(default_factory=list)


class Part(Struct, kw_only=True, frozen=True):
    """An image by the digest of its manifest, which a build of this engine has made; an empty one if that is empty. ``config`` is the
    configuration that it gets in place of its own."""

    manifest: str
    platform: str = ""
    config: oci.ImageConfig | None = None
    attested: list[Attested] = field(default_factory=list)


class Assembly(Struct, kw_only=True, frozen=True, tag="assembly"):
    """Images that builds have made, to be exported together: one for each platform."""

    parts: list[Part]


class Process(Struct, kw_only=True, frozen=True):
    """``environment`` is all that it has, but for a PATH, HOME and TERM that it lacks."""

    command: list[str]
    environment: list[str] = field(default_factory=list)
    working_directory: str = "/"
    user: str = ""
    tty: bool = False
    insecure: bool = False
    secrets: list[SecretVariable] = field(default_factory=list)
    #: of the first process; empty: that of the container
    network: str = ""


class Sandbox(Struct, kw_only=True, frozen=True, tag="sandbox"):
    """A container in which the ``Caller`` runs processes. Its root is ``image``, an image by its name, or a mount at ``/``; ``mounts`` count
    ``inputs``, which are images that builds have made, by the digests of their manifests (empty: nothing). ``folders`` are mounted
    read-only: files by their names, by the place. ``network``, ``hostname`` and ``hosts`` are those of an ``Execution``."""

    image: str = ""
    inputs: list[str] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    folders: dict[str, dict[str, bytes]] = field(default_factory=dict)
    platform: str = ""
    network: str = "default"
    hostname: str = ""
    hosts: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises ``InvalidArgument`` for one that does not hang together."""
        for mount in self.mounts:
            if not NONE <= mount.input < len(self.inputs):
                raise InvalidArgument(f"a mount at {mount.target[:80]!r} has no input {mount.input}")
