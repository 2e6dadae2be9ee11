"""The OpenAPI document beside the reference of the Docker Engine API: paths, parameters, statuses, and each member of bodies and answers.

``engine_1_51.json`` has the names and types that Docker documents for version 1.51, without those of swarms and managed plug-ins. Our
document is of 1.52, which has dropped some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.flattened import Table, flattened
from moby_tui.api.server.openapi import document
from moby_tui.api.server.routes import ROUTES

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "engine_1_51.json").read_text())
#: Of what is documented, by expressions: what is not here, or of another type, and why.
KNOWN = {
    # 1.52
    r"GET /containers/{}/json answer \.NetworkSettings\.(Bridge|HairpinMode|LinkLocal.*|Secondary.*): .*": "dropped in 1.52",
    r"GET /containers/{}/json answer \.NetworkSettings\.(EndpointID|Gateway|Global.*|IP.*|MacAddress): .*": "dropped in 1.52",
    r"GET /(containers|images)/{}/json answer \.(GraphDriver|DockerVersion)\b.*": "dropped in 1.52",
    # parameters
    r".* query (filters|platform|labels|buildargs): string, not content": "JSON in the text",
    r".* query (t|extrahosts|changes|platform): string, not array": "may be repeated",
    r"GET /containers/{}/logs query (since|until): integer, not string": "a time in either form",
    r"PUT /containers/{}/archive query (noOverwriteDirNonDir|copyUIDGID): string, not boolean": "true or false",
    r"POST /build query pull: string, not boolean": "true or false",
    r"POST /build header Content-type: .*": "a tar, whatever its type is called",
    r"POST /containers/{}/start query detachKeys: .*": "without an effect at dockerd too",
    r"PUT /volumes/{} query version: .*": "of a swarm",
    # statuses
    r"GET /containers/{}/attach/ws status 200": "101, as of dockerd",
    r"POST /auth status 204": "not sent by dockerd either",
    r"PUT /volumes/{} status (200|400|404)": "of a swarm",
    r"POST /session status 400": "in the stream",
    # bodies and answers
    r".* (body|answer) (\[\])?(\.Config)?\.(Cmd|Entrypoint): array, not .*": "one text is a list of one",
    r"POST /containers/{}/update body \.Init: .*": "read by no engine",
    r"POST /auth body \.email: .*": "read by no registry",
    r".* answer .*\.(ImageManifestDescriptor|Descriptor|Manifests|data)\b.*": "of containerd's image store",
    r"GET /images/{}/json answer \.OsVersion: .*": "of Windows",
    r"GET /containers/{}/stats answer \.memory_stats\.(commit.*|privateworkingset): .*": "of Windows",
    r"GET /containers/{}/stats answer \.storage_stats\..*": "of Windows",
    r"GET /containers/{}/stats answer \.networks.*": "of Windows; the map of interfaces",
    r"GET /info answer \.(Containerd|Swarm|ProductLicense)\b.*": "of programs that are not run",
    r"GET /info answer \.(DiscoveredDevices|GenericResources|FirewallBackend)\b.*": "left out, where there is none",
    r"GET /info answer \.Runtimes{}\..*": "a map of texts",
    r".* (body|answer) (\.Volumes\[\])?\.(ClusterVolume\w*|Status{}): .*": "of a swarm, or of plug-ins",
    r"GET /networks(/{})? answer (\[\])?\.Peers\b.*": "of a swarm",
}


def described() -> dict[str, Any]:
    whole = document(route.operation for route in ROUTES if route.path == route.operation.path)
    return {
        f"{method.upper()} {re.sub('{[^}]+}', '{}', path)}": _entry(operation, whole)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
    }


def _entry(operation: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"query": {}, "header": {}, "statuses": [int(status) for status in operation["responses"]]}
    for one in operation["parameters"]:
        if one["in"] != "path":
            entry[one["in"]][one["name"]] = one.get("schema", {}).get("type", "content")
    entry["body"] = _table(operation.get("requestBody", {}), whole)
    success = [answer for status, answer in operation["responses"].items() if int(status) < 300]
    entry["answer"] = next(filter(None, (_table(one, whole) for one in success)), {})
    return entry


def _table(message: dict[str, Any], whole: dict[str, Any]) -> Table:
    schemas = [one["schema"] for one in message.get("content", {}).values()]
    return flattened(schemas[0], whole) if schemas else {}


def differences() -> Iterator[str]:
    ours = described()
    for name, theirs in REFERENCE.items():
        own = ours.get(name)
        if own is None:
            yield f"{name}: missing"
            continue
        yield from (f"{name} status {status}" for status in theirs["statuses"] if status not in own["statuses"])
        for place in ("query", "header"):
            for parameter, kind in theirs.get(place, {}).items():
                there = own[place].get(parameter)
                if there is None:
                    yield f"{name} {place} {parameter}: {kind}"
                elif there != kind:
                    yield f"{name} {place} {parameter}: {kind}, not {there}"
        for place in ("body", "answer"):
            for member, kinds in theirs.get(place, {}).items():
                types = "|".join(sorted(own[place].get(member, ())))
                if member not in own[place]:
                    yield f"{name} {place} {member}: {kinds}"
                elif types != kinds:
                    yield f"{name} {place} {member}: {kinds}, not {types}"


def test_what_docker_documents_is_described_with_its_types() -> None:
    listed = list(differences())
    unknown = [line for line in listed if not any(re.fullmatch(known, line) for known in KNOWN)]
    assert unknown == []
    unused = [known for known in KNOWN if not any(re.fullmatch(known, line) for line in listed)]
    assert unused == [], "they are mended: take them out"
