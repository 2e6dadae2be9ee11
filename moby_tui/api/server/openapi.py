"""The table of operations as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), for people and for generators of clients."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

from moby_tui.api.operations.fields import Kind
from moby_tui.api.operations.operation import Operation
from moby_tui.api.operations.parameters import VARIABLE, Parameter
from moby_tui.schema.base import Wire
from moby_tui.schema.container import PathStat
from moby_tui.schema.stream import Stream
from moby_tui.version import API_VERSION

Json = dict[str, Any]

_TEXTS: Json = {"type": "array", "items": {"type": "string"}}
_PLATFORM: Json = {
    "type": "object",
    "required": ["os", "architecture"],
    "properties": {name: {"type": "string"} for name in ("os", "architecture", "variant")},
}
#: The schema of a field's text; of what is JSON inside of the query, see ``_IN_JSON``.
_SCHEMAS: dict[Kind, Json] = {
    "flag": {"type": "boolean"},
    "boolean": {"type": "boolean"},
    "inverse": {"type": "boolean"},
    "integer": {"type": "integer"},
    "count": {"type": "integer", "minimum": 0},
    "dimension": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    "texts": _TEXTS,
    "tail": {"type": "string", "pattern": "^(all|[0-9]+)$"},
}
_IN_JSON: dict[Kind, Json] = {
    "filters": {"type": "object", "additionalProperties": _TEXTS},
    "any_filters": {"type": "object", "additionalProperties": _TEXTS},
    "map": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
    "platform": _PLATFORM,
}
_PATH_STAT: Json = {
    "X-Docker-Container-Path-Stat": {
        "description": "base64 of the JSON of a PathStat",
        "schema": {"type": "string", "contentEncoding": "base64"},
    }
}
_DESCRIPTION = (
    "The Docker Engine API as moby has it, and under /moby/ what is moby's own. A path without a version means the newest. "
    "An answer with a status of 400 or more has an Error, unless its body has begun."
)


class Error(Wire, rename="lower"):
    """Why a request was refused: one line."""

    message: str


def document(operations: Iterable[Operation]) -> Json:
    """All of them by path and method, with the schemas that they name."""
    listed = list(operations)
    kinds = [kind for one in listed for kind in (one.body, _document_type(one)) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Error, PathStat], ref_template="#/components/schemas/{name}")
    by_kind = {repr(kind): schema for kind, schema in zip([*kinds, Error, PathStat], schemas, strict=True)}
    paths: dict[str, Json] = {}
    for one in listed:
        paths.setdefault(path_of(one), {})[one.method.lower()] = _operation(one, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "moby", "version": API_VERSION, "description": _DESCRIPTION},
        "servers": [{"url": f"/v{API_VERSION}"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def path_of(operation: Operation) -> str:
    """With its variables as OpenAPI writes them."""
    return VARIABLE.sub(r"{\1}", operation.path)


def _document_type(operation: Operation) -> Any:
    """The type of the answer's JSON; None for another answer."""
    answer = operation.answer
    streams = answer in (bytes, Stream) or (get_origin(answer) in (tuple, UnionType) and Stream in get_args(answer))
    return None if operation.media or streams or operation.method == "HEAD" or get_origin(answer) is tuple else answer


def _operation(operation: Operation, schemas: dict[str, Json]) -> Json:
    described: Json = {
        "operationId": _name(operation),
        "tags": [operation.family or "other"],
        "summary": operation.meaning.replace("``", "`"),
        "parameters": [
            *(
                parameter
                for one in operation.parameters
                if one.place in ("path", "query", "auth")
                for parameter in _parameters(one)
            ),
            *(_header(name, meaning) for name, meaning in operation.headers.items()),
        ],
        "responses": _responses(operation, schemas),
    }
    if operation.since:
        described["description"] = f"From API {operation.since} on."
    content: Json = {}
    if operation.body is not None:
        content["application/json"] = {"schema": schemas[repr(operation.body)]}
    elif operation.uploads:
        content[operation.uploads] = {"schema": {"type": "string", "format": "binary"}}
    if content:
        described["requestBody"] = {"content": content}
    return described


def _name(operation: Operation) -> str:
    if operation.name:
        return f"{operation.family}.{operation.name}"
    return "_".join([operation.method.lower(), *re.findall(r"\w+", path_of(operation))])


def _parameters(parameter: Parameter) -> list[Json]:
    """One, or two for a name and its tag."""
    if parameter.place == "path":
        return [{"name": parameter.wire, "in": "path", "required": True, "schema": {"type": "string"}}]
    if parameter.place == "auth":
        return [_header("X-Registry-Auth", "base64url of the JSON of a RegistryAuth")]
    described: Json = {"name": parameter.wire, "in": "query", "required": parameter.required}
    if description := _field_description(parameter):
        described["description"] = description
    if parameter.kind in _IN_JSON:
        return [{**described, "content": {"application/json": {"schema": _IN_JSON[parameter.kind]}}}]
    if parameter.kind == "platforms":
        return [{**described, "description": "JSON of a Platform; may be repeated", "schema": _TEXTS}]
    schema = dict(_SCHEMAS.get(parameter.kind, {"type": "string"}))
    if parameter.default and not parameter.required and parameter.kind != "inverse":
        schema["default"] = parameter.default
    described["schema"] = schema
    tag = [{"name": "tag", "in": "query", "schema": {"type": "string"}}] if parameter.kind == "reference" else []
    return [described, *tag]


def _header(name: str, meaning: str) -> Json:
    return {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}


def _field_description(parameter: Parameter) -> str:
    keys = f"Keys: {', '.join(sorted(parameter.keys))}." if parameter.keys else ""
    moment = "Unix seconds, or RFC 3339." if parameter.kind in ("moment", "timestamp") else ""
    since = f"From API {parameter.since} on." if parameter.since else ""
    return " ".join(filter(None, (keys, moment, since)))


def _responses(operation: Operation, schemas: dict[str, Json]) -> Json:
    error = {"application/json": {"schema": schemas[repr(Error)]}}
    responses: Json = {}
    if operation.status < 400:
        responses[str(operation.status)] = _success(operation, schemas)
        if operation.status == HTTPStatus.SWITCHING_PROTOCOLS and operation.media:
            responses["200"] = {**_success(operation, schemas), "description": "The same, without the header Upgrade"}
        refusals = (
            {*operation.errors, 400, 500} if operation.parameters or operation.body is not None else {*operation.errors, 500}
        )
    else:
        refusals = {operation.status}
    for status in sorted(refusals):
        content = {} if status == HTTPStatus.NOT_MODIFIED else {"content": error}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, **content}
    return responses


def _success(operation: Operation, schemas: dict[str, Json]) -> Json:
    described: Json = {"description": HTTPStatus(operation.status).phrase}
    kind = _document_type(operation)
    if operation.media:
        described["content"] = {operation.media: {"schema": {"type": "string", "format": "binary"}}}
    elif kind is not None:
        media = operation.lines if operation.form == "lines" else "application/json"
        described["content"] = {media: {"schema": schemas[repr(kind)]}}
    if PathStat in (operation.answer, *get_args(operation.answer)):
        described["headers"] = _PATH_STAT
    return described
