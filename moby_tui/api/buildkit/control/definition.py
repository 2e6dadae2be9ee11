"""A graph of operations (LLB) as a client sends it: ``pb.Definition``, checked, as ``schema.operations.Graph``.

What a client sends is hostile. An operation is known by the digest of its encoding, so a graph cannot lead back to itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard, cast

from google.protobuf.message import DecodeError, Message

from moby_tui.api.buildkit.wire import ops_pb2 as pb
from moby_tui.api.buildkit.wire.gateway_pb2 import InitMessage
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.schema import operations as ops

#: The description of an operation that a client shows in place of ours.
_CUSTOM_NAME = "llb.customname"
#: Characters of the description of an operation that tells of its inputs.
_LONGEST = 2000
_NETWORKS = {pb.UNSET: "default", pb.HOST: "host", pb.NONE: "none"}
_KINDS = {pb.BIND: "bind", pb.SECRET: "secret", pb.SSH: "ssh", pb.CACHE: "cache", pb.TMPFS: "tmpfs"}
_SHARING = {pb.SHARED: "shared", pb.PRIVATE: "private", pb.LOCKED: "locked"}
#: The one builder of a BuildOp: of a graph that is a file of one of its inputs. That input has the file's usual name.
_OF_GRAPHS, _FILE = -1, "buildkit.llb.definition"
_FILE_NAME = "llbbuild.filename"
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def read_file(data: bytes) -> ops.Graph:
    """The graph in a file of a BuildOp. Raises as ``read``."""
    try:
        definition = pb.Definition.FromString(data)
    except DecodeError:
        raise InvalidArgument("the file of a graph's operation build is no graph of operations") from None
    if not getattr(definition, "def"):
        raise InvalidArgument("the file of a graph's operation build has no operations")
    return read(definition)


def read(definition: pb.Definition) -> ops.Graph:
    """Raises ``InvalidArgument`` for a graph that is damaged, and ``NotImplementedYet`` for an operation that this engine lacks."""
    if len(getattr(definition, "def")) > ops.MOST:
        raise InvalidArgument(f"the graph has more than {ops.MOST} operations")
    data = {_digest(each): each for each in getattr(definition, "def")}  # a keyword of Python
    last = _digest(getattr(definition, "def")[-1])
    decoded = {digest: _decoded(each) for digest, each in data.items()}
    ordered = _ordered(decoded, last)
    end = decoded[last]
    if end.WhichOneof("op") is not None or len(end.inputs) != 1:
        raise InvalidArgument("the graph of operations has no result: it ends in an operation without content and with one input")
    places = {digest: number for number, digest in enumerate(ordered[:-1])}

    def result(each: pb.Input) -> ops.Result:
        return ops.Result(places[each.digest], each.index)

    vertexes = list[ops.Vertex]()
    for digest in ordered[:-1]:
        op, metadata = decoded[digest], definition.metadata.get(digest)
        description = _description(op, [vertexes[places[each.digest]].description for each in op.inputs])
        vertexes.append(
            ops.Vertex(
                digest=digest,
                name=(metadata.description.get(_CUSTOM_NAME) if metadata else "") or description,
                description=description,
                operation=_operation(op),
                inputs=[result(each) for each in op.inputs],
                platform=platform(op.platform),
                ignore_cache=bool(metadata and metadata.ignore_cache),
            )
        )
    graph = ops.Graph(vertexes=vertexes, result=result(end.inputs[0]))
    graph.check()
    return graph


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _decoded(data: bytes) -> pb.Op:
    try:
        op = pb.Op.FromString(data)
    except DecodeError:
        raise InvalidArgument("the graph of operations cannot be read: a part of it is no operation") from None
    _check_texts(op)
    return op


def _check_texts(message: Message) -> None:
    """No path, argument or name has a NUL byte. Raises ``InvalidArgument``."""
    for field, value in message.ListFields():
        for each in value.values() if isinstance(value, Mapping) else value if _is_repeated(value) else (value,):
            if isinstance(each, Message):
                _check_texts(each)
            elif isinstance(each, str) and "\0" in each:
                raise InvalidArgument(f"the graph of operations has a NUL byte in the field {field.name}: {each[:80]!r}")


def _is_repeated(value: object) -> TypeGuard[Iterable[object]]:
    return not isinstance(value, str | bytes | Message) and isinstance(value, Iterable)


def _ordered(decoded: Mapping[str, pb.Op], last: str) -> list[str]:
    """The operations that the last one needs, each after its inputs. Raises ``InvalidArgument`` for an input that was not sent."""
    ordered = dict[str, None]()
    pending = [last]
    while pending:
        digest = pending[-1]
        if digest in ordered:
            pending.pop()
            continue
        op = decoded.get(digest)
        if op is None:
            raise InvalidArgument(f"the graph of operations lacks {digest[:80]!r}, an input of another operation")
        missing = [each.digest for each in op.inputs if each.digest not in ordered]
        pending += missing
        if not missing:
            ordered.setdefault(pending.pop())
    return list(ordered)


def platform(asked: pb.Platform) -> str:
    """As ``os/architecture[/variant]``; empty for none."""
    return "/".join(filter(None, (asked.OS, asked.Architecture, asked.Variant)))


def _operation(op: pb.Op) -> ops.Operation:
    match op.WhichOneof("op"):
        case "source":
            return ops.Source(identifier=op.source.identifier, attributes=dict(op.source.attrs))
        case "exec":
            return _execution(op.exec)
        case "file":
            return ops.Files(actions=[_action(each) for each in op.file.actions])
        case "merge":
            return ops.Merge(inputs=[each.input for each in op.merge.inputs])
        case "diff":
            lower = op.diff.lower.input if op.diff.HasField("lower") else ops.NONE
            return ops.Difference(lower=lower, upper=op.diff.upper.input if op.diff.HasField("upper") else ops.NONE)
        case "build":
            return _nested(op.build)
        case _:
            raise InvalidArgument("the graph of operations has an operation of a kind that is not known, or of none")


def _description(op: pb.Op, below: list[str]) -> str:
    """As BuildKit shows an operation (solver/llbsolver/vertex.go); ``below`` are those of its inputs, which a name may repeat."""
    match op.WhichOneof("op"):
        case "source":
            return op.source.identifier
        case "exec":
            return " ".join(op.exec.meta.args)
        case "file":
            return ", ".join(map(_file_name, op.file.actions))
        case "merge":
            return f"merge ({', '.join(below)})"[:_LONGEST]
        case "build":
            return "build"
        case "diff":
            lower = below[op.diff.lower.input] if 0 <= op.diff.lower.input < len(below) else "scratch"
            upper = below[op.diff.upper.input] if 0 <= op.diff.upper.input < len(below) else "scratch"
            return f"diff ({lower} -> {upper})"[:_LONGEST]
        case _:
            return "unknown"


def _file_name(action: pb.FileAction) -> str:
    match action.WhichOneof("action"):
        case "copy":
            return f"copy {action.copy.src} {action.copy.dest}"
        case "mkfile":
            return f"mkfile {action.mkfile.path}"
        case "mkdir":
            return f"mkdir {action.mkdir.path}"
        case "symlink":
            return f"symlink {action.symlink.newpath} -> {action.symlink.oldpath}"
        case "rm":
            return f"rm {action.rm.path}"
        case _:
            return "unknown"


def _nested(asked: pb.BuildOp) -> ops.Nested:
    if asked.builder != _OF_GRAPHS:
        raise InvalidArgument("a graph's operation build has another builder than that of graphs (-1)")
    if _FILE not in asked.inputs:
        raise InvalidArgument(f"a graph's operation build has no input {_FILE}, in which its graph is")
    if unknown := sorted(asked.attrs.keys() - {_FILE_NAME}):
        raise NotImplementedYet(f"the attribute {unknown[0][:80]} of a graph's operation build")
    return ops.Nested(input=asked.inputs[_FILE].input, file=asked.attrs.get(_FILE_NAME) or _FILE)


# Commands


def _execution(asked: pb.ExecOp) -> ops.Execution:
    if asked.cdiDevices:
        raise NotImplementedYet(f"the device {asked.cdiDevices[0].name[:80]!r} (CDI) of a graph's command")
    meta = asked.meta
    if not meta.args:
        raise InvalidArgument("a graph's command has no arguments")
    return ops.Execution(
        command=list(meta.args),
        environment=list(meta.env),
        working_directory=meta.cwd or "/",
        user=meta.user,
        hostname=meta.hostname,
        hosts=[f"{each.Host}:{each.IP}" for each in meta.extraHosts],
        limits=[(each.Name, each.Soft, each.Hard) for each in meta.ulimit],
        cgroup_parent=meta.cgroupParent,
        proxies=_proxies(meta),
        mounts=[mount(each, each.input, each.output) for each in asked.mounts],
        secrets=_secrets(asked.secretenv),
        network=network(asked.network),
        insecure=asked.security == pb.INSECURE,
        succeeds=list(meta.validExitCodes) or [0],
    )


def _proxies(meta: pb.Meta) -> dict[str, str]:
    proxies = {name: getattr(meta.proxy_env, name) for name in _PROXIES}
    return {each: value for name, value in proxies.items() if value for each in (name.upper(), name)}


def process(asked: InitMessage) -> ops.Process:
    """A process of a container of a build (ExecProcess). Raises ``InvalidArgument``."""
    _check_texts(asked)
    return ops.Process(
        command=list(asked.Meta.args),
        environment=list(asked.Meta.env),
        working_directory=asked.Meta.cwd or "/",
        user=asked.Meta.user,
        tty=asked.Tty,
        insecure=asked.Security == pb.INSECURE,
        secrets=_secrets(asked.secretenv),
    )


def _secrets(asked: Iterable[pb.SecretEnv]) -> list[ops.SecretVariable]:
    return [ops.SecretVariable(each.ID, each.name, each.optional) for each in asked]


def network(asked: int) -> str:
    """As ``ops.Execution`` has it. Raises ``InvalidArgument``."""
    if asked not in _NETWORKS:
        raise InvalidArgument(f"a graph's command has the unknown network mode {asked}")
    return _NETWORKS[cast("pb.NetMode", asked)]


def mount(asked: pb.Mount, place: int, output: int = ops.NONE) -> ops.Mount:
    """A mount of the input at this place. Raises ``InvalidArgument``."""
    _check_texts(asked)
    kind = _KINDS.get(asked.mountType)
    if kind is None:
        raise InvalidArgument(f"a graph's command has a mount of the unknown type {asked.mountType}")
    return ops.Mount(
        kind=kind,
        target=asked.dest,
        input=place,
        selector=asked.selector,
        output=output,
        readonly=asked.readonly,
        options=_mount_options(kind, asked),
    )


def _mount_options(kind: str, asked: pb.Mount) -> dict[str, str]:
    """As ``RUN --mount`` has them."""
    match kind:
        case "cache":
            # the frontend for Dockerfiles puts a namespace before a slash
            ident, sharing = asked.cacheOpt.ID.removeprefix("/"), _SHARING.get(asked.cacheOpt.sharing, "shared")
            return {"id": ident, "sharing": sharing, "rw": "false" if asked.readonly else "true"}
        case "tmpfs":
            return {"size": str(asked.TmpfsOpt.size)} if asked.TmpfsOpt.size else {}
        case "secret" | "ssh":
            given: Any = asked.secretOpt if kind == "secret" else asked.SSHOpt
            return {
                "id": given.ID or ("default" if kind == "ssh" else ""),
                "uid": str(given.uid),
                "gid": str(given.gid),
                "mode": f"{given.mode & 0o7777:o}",
                "required": "false" if given.optional else "true",
            }
        case _:
            return {}


# Changes of files


def _action(asked: pb.FileAction) -> ops.Action:
    kind = asked.WhichOneof("action")
    if kind is None:
        raise InvalidArgument("a graph's change of files is of a kind that is not known, or of none")
    read: dict[str, Callable[[Any], Any]] = {
        "copy": _copy,
        "mkfile": lambda each: ops.MakeFile(
            path=each.path, mode=each.mode & 0o777, data=each.data, owner=_owner(each), time=_time(each.timestamp)
        ),
        "mkdir": lambda each: ops.MakeDirectory(
            path=each.path, mode=each.mode & 0o777, parents=each.makeParents, owner=_owner(each), time=_time(each.timestamp)
        ),
        "symlink": lambda each: ops.MakeLink(
            path=each.newpath, target=each.oldpath, owner=_owner(each), time=_time(each.timestamp)
        ),
        "rm": lambda each: ops.Remove(path=each.path, may_lack=each.allowNotFound, wildcard=each.allowWildcard),
    }
    return ops.Action(
        change=read[kind](getattr(asked, kind)),
        input=asked.input,
        source=asked.secondaryInput if kind == "copy" else ops.NONE,
        output=asked.output,
    )


def _copy(asked: pb.FileActionCopy) -> ops.Copy:
    return ops.Copy(
        source=asked.src,
        target=asked.dest,
        owner=_owner(asked),
        mode=asked.modeStr or (f"{asked.mode & 0o7777:o}" if asked.mode != -1 else ""),
        time=_time(asked.timestamp),
        follow_link=asked.followSymlink,
        contents=asked.dirCopyContents,
        unpacks=asked.attemptUnpackDockerCompatibility,
        makes_parents=asked.createDestPath,
        wildcard=asked.allowWildcard,
        may_lack=asked.allowEmptyWildcard,
        include=list(asked.include_patterns),
        exclude=list(asked.exclude_patterns),
        replaces=asked.alwaysReplaceExistingDestPaths,
    )


def _time(nanoseconds: int) -> int | None:
    return None if nanoseconds == -1 else nanoseconds


def _owner(asked: Any) -> ops.Owner | None:
    if not asked.HasField("owner"):
        return None
    return ops.Owner(*(_who(asked.owner, name) for name in ("user", "group")))


def _who(owner: pb.ChownOpt, name: str) -> ops.Name | None:
    if not owner.HasField(name):
        return None
    option: pb.UserOpt = getattr(owner, name)
    match option.WhichOneof("user"):
        case "byID":
            return ops.Name(ident=option.byID)
        case "byName":
            return ops.Name(name=option.byName.name, input=option.byName.input)
        case _:
            return None
