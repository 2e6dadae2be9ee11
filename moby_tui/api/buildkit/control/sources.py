"""What a graph of a client's (LLB) stands for, if it is one source: an image, a repository, a folder, or the result of another build.

The result of any other graph is made first (``definition.py``), and then stands for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from moby_tui.api.buildkit.wire.ops_pb2 import Definition, Input, Op, OpMetadata, Position, Range, SourceInfo, SourceOp
from moby_tui.errors import InvalidArgument, NotImplementedYet
from moby_tui.reference import is_digest, parse
from moby_tui.schema.build import FOLDER, MADE, STORED

#: Schemes of identifiers. ``made://`` is ours: an image of another build of this engine, by its id.
_IMAGE, _LOCAL, _MADE, _GIT, _LAYOUT = "docker-image://", "local://", "made://", "git://", "oci-layout://"
_INPUT, _SHORT = "input:", "docker-image:"


def named(source: str, inputs: Mapping[str, Definition]) -> str:
    """A named context as in ``BuildOptions.contexts``. Raises ``InvalidArgument``, ``NotImplementedYet``."""
    if source.startswith(_INPUT):
        name = source.removeprefix(_INPUT)
        if name not in inputs:
            raise InvalidArgument(f"build context {name[:80]!r} was not sent")
        source = address(inputs[name])
    if source.startswith(_SHORT) and not source.startswith(_IMAGE):
        # BuildKit takes an image without the slashes too
        source = _IMAGE + source.removeprefix(_SHORT)
    if source.startswith("local:"):
        return f"{FOLDER}:{source.removeprefix('local:')}"
    if source.startswith(_LAYOUT):
        return _in_layout(source.removeprefix(_LAYOUT))
    return source


def _in_layout(text: str) -> str:
    """``STORE:TAG@DIGEST``, of which the client has looked up the digest."""
    name, _, digest = text.partition("@")
    store = name.partition(":")[0]
    if not store or not is_digest(digest):
        raise InvalidArgument(f"invalid build context oci-layout://{text[:80]}: it names a store and a digest")
    return f"{STORED}:oci:{store}@{digest}"


def is_source(definition: Definition) -> bool:
    """True for a graph that is one source, and for one that has nothing. Raises ``InvalidArgument``."""
    named = _operations(definition)
    return not named or (len(named) == 1 and named[0].HasField("source"))


def _operations(definition: Definition) -> list[Op]:
    try:
        operations = [Op.FromString(data) for data in getattr(definition, "def")]  # a keyword of Python
    except DecodeError:
        raise InvalidArgument("a build's input cannot be read: it is no graph of operations") from None
    return [operation for operation in operations if operation.WhichOneof("op")]


def address(definition: Definition) -> str:
    """The source that a graph consists of, as an attribute ``context:NAME`` has it. Raises ``NotImplementedYet``, ``InvalidArgument``."""
    named = _operations(definition)
    if not getattr(definition, "def"):
        # in BuildKit's words
        raise InvalidArgument("invalid nil input definition to definition op")
    if len(named) != 1 or not named[0].HasField("source"):
        raise InvalidArgument("a build's input is not one source, or nothing")
    identifier = named[0].source.identifier
    if identifier.startswith(_LOCAL):
        return f"local:{identifier.removeprefix(_LOCAL)}"
    if identifier.startswith(_MADE):
        return f"{MADE}:{identifier.removeprefix(_MADE)}"
    if identifier.startswith(_GIT):
        return named[0].source.attrs.get("git.fullurl") or identifier
    if identifier.startswith((_IMAGE, "http://", "https://")):
        return identifier
    raise NotImplementedYet(f"the source {identifier[:80]} as a build's input")


def result(image: str) -> Definition:
    """A graph that stands for an image that a build has made, by its id."""
    return _one(f"{_MADE}{image}")


def image(name: str) -> Definition:
    """A graph that is the image with this name. Raises ``InvalidArgument``."""
    return _one(f"{_IMAGE}{parse(name).tagged().canonical}")


def dockerfile(name: str, text: bytes) -> SourceInfo:
    """A Dockerfile as warnings and errors show it to clients, with the folder that it comes from."""
    return SourceInfo(filename=name, data=text, language="Dockerfile", definition=_one(f"{_LOCAL}dockerfile"))


def lines(first: int, last: int) -> list[Range]:
    """Lines of a Dockerfile, each as a range of its own, as with BuildKit."""
    return [Range(start=Position(line=line), end=Position(line=line)) for line in range(first, max(first, last) + 1)]


def _one(identifier: str) -> Definition:
    source = Op(source=SourceOp(identifier=identifier)).SerializeToString()
    digest = _digest(source)
    end = Op(inputs=[Input(digest=digest)]).SerializeToString()
    definition = Definition(metadata={digest: OpMetadata(), _digest(end): OpMetadata()})
    getattr(definition, "def").extend([source, end])  # a keyword of Python
    return definition


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
