"""The OpenAPI document: it describes each route, and Docker's own operations with the statuses that Docker documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.wire import ask
from api.world import Served
from moby_tui.api.server.openapi import path_of
from moby_tui.api.server.routes import ROUTES

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
#: Each operation that Docker documents, with its statuses beside 500; ``{}`` is a variable.
DOCKERS = """
GET /containers/json 200 400
POST /containers/create 201 400 404 409
GET /containers/{}/json 200 404
GET /containers/{}/top 200 404
GET /containers/{}/logs 200 404
GET /containers/{}/changes 200 404
GET /containers/{}/export 200 404
GET /containers/{}/stats 200 404
POST /containers/{}/resize 200 400 404
POST /containers/{}/start 204 304 400 404 409
POST /containers/{}/stop 204 304 404
POST /containers/{}/restart 204 404
POST /containers/{}/kill 204 404 409
POST /containers/{}/update 200 404
POST /containers/{}/rename 204 404 409
POST /containers/{}/pause 204 404 409
POST /containers/{}/unpause 204 404 409
POST /containers/{}/attach 101 200 400 404 409
GET /containers/{}/attach/ws 101
POST /containers/{}/wait 200 400 404
DELETE /containers/{} 204 400 404 409
HEAD /containers/{}/archive 200 400 404
GET /containers/{}/archive 200 400 404
PUT /containers/{}/archive 200 400 403 404
POST /containers/prune 200
POST /containers/{}/exec 201 404 409
POST /exec/{}/start 200 404 409
POST /exec/{}/resize 200 400 404
GET /exec/{}/json 200 404
GET /images/json 200
POST /images/create 200 404
GET /images/{}/json 200 404
GET /images/{}/attestations 200 400 404 501
GET /images/{}/history 200 404
POST /images/{}/push 200 404
POST /images/{}/tag 201 400 404 409
DELETE /images/{} 200 404 409
GET /images/search 200
POST /images/prune 200
POST /commit 201 404
GET /images/{}/get 200
GET /images/get 200
POST /images/load 200
POST /build 200 400
POST /build/prune 200
GET /networks 200
GET /networks/{} 200 404
POST /networks/create 201 400 403 404
POST /networks/{}/connect 200 400 403 404
POST /networks/{}/disconnect 200 403 404
DELETE /networks/{} 204 403 404
POST /networks/prune 200
GET /volumes 200
POST /volumes/create 201
GET /volumes/{} 200 404
PUT /volumes/{} 200 400 404 503
DELETE /volumes/{} 204 404 409
POST /volumes/prune 200
POST /auth 200 401
GET /info 200
GET /version 200
GET /_ping 200
HEAD /_ping 200
GET /events 200 400
GET /system/df 200
GET /distribution/{}/json 200 401
"""
#: Those of plug-ins, swarms and sessions, which answer otherwise here.
OTHERS = """
POST /session
GET /plugins
GET /plugins/privileges
POST /plugins/pull
GET /plugins/{}/json
DELETE /plugins/{}
POST /plugins/{}/enable
POST /plugins/{}/disable
POST /plugins/{}/upgrade
POST /plugins/create
POST /plugins/{}/push
POST /plugins/{}/set
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave
POST /swarm/update
GET /swarm/unlockkey
POST /swarm/unlock
GET /nodes
GET /nodes/{}
DELETE /nodes/{}
POST /nodes/{}/update
GET /services
POST /services/create
GET /services/{}
DELETE /services/{}
POST /services/{}/update
GET /services/{}/logs
GET /tasks
GET /tasks/{}
GET /tasks/{}/logs
GET /secrets
POST /secrets/create
GET /secrets/{}
DELETE /secrets/{}
POST /secrets/{}/update
GET /configs
POST /configs/create
GET /configs/{}
DELETE /configs/{}
POST /configs/{}/update
"""


def without_names(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def strings(value: Any, key: str) -> Iterator[str]:
    """The texts under a key, however deep."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from [item] if name == key and isinstance(item, str) else strings(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item, key)


@pytest.fixture
async def document(served: Served) -> dict[str, Any]:
    answer = await ask(served.path, "GET", "/moby/openapi.json")
    assert answer.status == 200
    document: dict[str, Any] = answer.json()
    return document


async def test_the_document_has_each_route_and_no_other(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(one.operation.method, path_of(one.operation)) for one in ROUTES if one.path == one.operation.path}


async def test_dockers_operations_are_there_with_their_statuses(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), without_names(path)): set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    for method, path, *statuses in (line.split() for line in DOCKERS.split("\n") if line):
        assert described[method, path] & {"501", "503"} or set(statuses) <= described[method, path], (method, path)
    for method, path in (line.split() for line in OTHERS.split("\n") if line):
        assert (method, path) in described


async def test_the_document_is_sound(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for reference in strings(document, "$ref"):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    names = list(strings(document["paths"], "operationId"))
    assert len(names) == len(set(names))
    paths = document["paths"]
    assert len({without_names(path) for path in paths}) == len(paths), "one path with two names of a variable"
    for path, methods in paths.items():
        for operation in methods.values():
            variables = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert sorted(variables) == sorted(re.findall(r"{(\w+)}", path))
            assert operation["summary"], path


async def test_what_the_document_says_of_an_operation(document: dict[str, Any]) -> None:
    listed = document["paths"]["/volumes"]["get"]
    assert listed["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/VolumeList"}
    [filters] = listed["parameters"]
    assert (filters["name"], filters["description"]) == ("filters", "Keys: dangling, driver, label, name.")
    stop = {one["name"]: one for one in document["paths"]["/containers/{ref}/stop"]["post"]["parameters"]}
    assert stop["t"]["schema"] == {"type": "integer"}
    assert stop["signal"]["description"] == "From API 1.42 on."
    create = document["paths"]["/containers/create"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ContainerCreate"}


def test_the_page_has_each_operation_of_our_own() -> None:
    described = {
        f"| `{one.operation.method} {path_of(one.operation)}` | {one.operation.meaning} |"
        for one in ROUTES
        if one.path.startswith("/moby/")
    }
    assert described == {line for line in PAGE.read_text().splitlines() if line.startswith("| `")}
