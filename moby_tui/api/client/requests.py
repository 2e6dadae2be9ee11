"""From the values of an operation's parameters to a request: path, query, headers and body, as the table of operations says."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from moby_tui.api.client.transport import Body
from moby_tui.api.operations.operation import Operation
from moby_tui.api.operations.parameters import VARIABLE, Parameter
from moby_tui.errors import InvalidArgument
from moby_tui.schema.base import encode


def query_of(operation: Operation, values: Mapping[str, Any], version: tuple[int, int]) -> dict[str, object]:
    """The fields of the query by their names on the wire.

    Raises ``InvalidArgument`` for a value that an engine of this ``version`` of the API would not read.
    """
    query: dict[str, object] = {}
    for parameter in operation.parameters:
        if parameter.place == "query":
            fields = _field(parameter, values)
            if parameter.since and any(fields.values()):
                _check_version(parameter, version)
            query |= fields
    return query


def _check_version(parameter: Parameter, version: tuple[int, int]) -> None:
    """Raises ``InvalidArgument`` for a parameter that the engine's version of the API has not yet."""
    major, _, minor = parameter.since.partition(".")
    if version < (int(major), int(minor)):
        raise InvalidArgument(
            f"{parameter.wire} needs version {parameter.since} of the API, and the engine there has {version[0]}.{version[1]}: "
            "leave it out, or use a newer engine"
        )


def login_of(operation: Operation, values: Mapping[str, Any]) -> dict[str, str]:
    """The header with a login, for an operation that takes one."""
    for parameter in operation.parameters:
        if parameter.place == "auth" and (auth := values.get(parameter.name)):
            return {"X-Registry-Auth": base64.urlsafe_b64encode(encode(auth)).decode()}
    return {}


def split(reference: str) -> tuple[str, str]:
    """``name:tag`` or ``name@digest`` in two; the tag is ``latest`` if there is none."""
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    head, _, last = reference.rpartition("/")
    repository, _, tag = last.partition(":")
    return (f"{head}/{repository}" if head else repository), tag or "latest"


def path_of(operation: Operation, values: Mapping[str, Any]) -> str:
    parts = VARIABLE.split(operation.path)
    path = parts[0]
    for name, inner, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        # an image's name is in the path as it is
        path += quote(values[name], safe="/:@" if inner == ".*" else "") + literal
    return path


def body_of(operation: Operation, values: Mapping[str, Any]) -> tuple[Body | None, dict[str, str]]:
    if operation.members:
        document = operation.body(**{wire: values[name] for name, wire in operation.members.items()})
        return encode(document), {"Content-Type": "application/json"}
    for parameter in operation.parameters:
        value = values.get(parameter.name)
        if parameter.place == "upload" and value is not None:
            return value, {"Content-Type": operation.uploads}
        if parameter.place == "body":
            # null for a body that may be left out, as docker's client sends it: podman refuses a commit without one
            return encode(value), {"Content-Type": "application/json"}
    return None, {}


def _field(parameter: Parameter, values: Mapping[str, Any]) -> dict[str, object]:
    """What the query says; nothing of a value that means the same as its absence."""
    owner, dot, member = parameter.name.partition(".")
    value: Any = getattr(values[owner], member) if dot and owner in values else values.get(parameter.name)
    if value is None and parameter.kind != "tail":
        return {}
    match parameter.kind:
        case "flag":
            return {} if value == parameter.default else {parameter.wire: str(int(value))}
        case "boolean":
            return {parameter.wire: True} if value else {}
        case "inverse":
            return {parameter.wire: True} if not value else {}
        case "integer" | "count":
            return {} if value == parameter.default else {parameter.wire: value}
        case "texts":
            return {parameter.wire: [str(item) for item in value]}
        case "moment":
            return {parameter.wire: f"{value:.9f}"}
        case "timestamp":
            return {parameter.wire: f"{value:.9f}"} if value else {}
        case "tail":
            return {parameter.wire: "all" if value is None else value}
        case "platform":
            return {parameter.wire: _platform(value)}
        case "platforms":
            return {parameter.wire: [_platform(platform) for platform in value]}
        case "reference":
            repository, tag = split(value) if value else ("", "")
            return {parameter.wire: repository, "tag": tag}
    return {parameter.wire: value}


def _platform(text: str) -> str:
    """As the API has it since 1.48: the OCI object, in JSON."""
    if not text:
        return ""
    system, _, rest = text.partition("/")
    machine, _, variant = rest.partition("/")
    if not machine:
        raise InvalidArgument(f"write the platform of an engine elsewhere as linux/amd64, not {text!r}")
    return encode({"os": system, "architecture": machine, **({"variant": variant} if variant else {})}).decode()
