"""Takes the steps of ``dockerd_cases`` against a socket, and puts what comes back into a form that two engines can share.

``python -m networks.recorded.dockerd_steps SOCKET [GROUP]`` in this folder's parent writes anew what a fresh dockerd with the image
``busybox`` says, into ``dockerd_28_5.json`` or the file of the group, as ``dockerd_28_5_links.json``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from networks.recorded import (
    dockerd_cases,
    dockerd_configuration_cases,
    dockerd_link_cases,
    dockerd_live_cases,
    dockerd_option_cases,
    dockerd_port_cases,
)
from networks.recorded.dockerd_cases import BRIDGE, Step
from unix_http import UnixConnection

_HERE = Path(__file__).parent
#: The groups of steps, each taken by an engine with nothing else in it, and where its answers are recorded.
GROUPS = {
    "networks": (dockerd_cases.STEPS, _HERE / "dockerd_28_5.json"),
    "ports": (dockerd_port_cases.STEPS, _HERE / "dockerd_28_5_ports.json"),
    "options": (dockerd_option_cases.STEPS, _HERE / "dockerd_28_5_options.json"),
    "configurations": (dockerd_configuration_cases.STEPS, _HERE / "dockerd_28_5_configurations.json"),
    "links": (dockerd_link_cases.STEPS, _HERE / "dockerd_28_5_links.json"),
    "live": (dockerd_live_cases.STEPS, _HERE / "dockerd_28_5_live.json"),
}
_ID = re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b")
_MAC = re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b")
_LINK_LOCAL = re.compile(r"fe80::[0-9a-f:]+")
# of a network's own choice, with or without zeros at the head of a group; not those that the steps name: fd00::1, fd00:91::1
_ULA = re.compile(r"fd(?!00:(?::|\d+::))[0-9a-f]{2}:[0-9a-f:]+")
#: The first port that the kernel chooses (ip(7), ip_local_port_range).
_CHOSEN = 32768
_SHOWN = ("Networks", "Ports")
#: The image has no links for these.
_APPLETS = "".join(f'{name}() {{ busybox {name} "$@"; }}; ' for name in ("awk", "grep", "ip", "nslookup", "ping", "sort", "tail"))


def take(path: Path, steps: list[Step]) -> dict[str, Any]:
    """Every step's answer, by its name."""
    return {step.name: _shared(_answer(path, step)) for step in steps}


def _answer(path: Path, step: Step) -> Any:
    if step.method == "EXEC":
        return _run(path, step.path, step.body)
    status, text = _request(path, step.method, step.path.partition("#")[0], step.body)
    try:
        value: Any = json.loads(text) if text.strip() else None
    except ValueError:
        value = text
    if step.path.endswith("#networks") and status == 200:
        value = {key: value["NetworkSettings"][key] for key in _SHOWN}
    if step.path.endswith("#links") and status == 200:
        networks = value["NetworkSettings"]["Networks"] or {}
        value = {"host": value["HostConfig"]["Links"], "networks": {name: place["Links"] for name, place in networks.items()}}
    if step.path.endswith("#ports") and status == 200:
        value = _with_chosen(value["NetworkSettings"]["Ports"])
    if step.path.endswith("#row-ports") and status == 200:
        value = [sorted(_row_port(port) for port in container["Ports"]) for container in value]
    if step.path.endswith("#container-names") and status == 200:
        value = [sorted(container["Names"]) for container in value]
    if step.path.endswith("#names") and status == 200:
        value = sorted(network["Name"] for network in value)
    if isinstance(value, dict) and value.get("NetworksDeleted"):
        value["NetworksDeleted"].sort()
    return [status, value]


def _with_chosen(ports: Any) -> Any:
    """Ports of the kernel's choice by their order: which they are no two starts have in common, that they are the same they have."""
    chosen: list[str] = []
    for binding in (binding for bindings in (ports or {}).values() for binding in bindings or []):
        if int(binding["HostPort"] or 0) >= _CHOSEN:
            if binding["HostPort"] not in chosen:
                chosen.append(binding["HostPort"])
            binding["HostPort"] = f"CHOSEN {chosen.index(binding['HostPort'])}"
    return ports


def _row_port(port: dict[str, Any]) -> str:
    public = port.get("PublicPort", 0)
    return f"{port.get('IP', '')} {'CHOSEN' if public >= _CHOSEN else public} {port['PrivatePort']}/{port['Type']}"


def _request(path: Path, method: str, target: str, body: Any) -> tuple[int, str]:
    connection = UnixConnection(path)
    data = None if body is None else json.dumps(body)
    version = "" if target.startswith("/v1") else "/v1.51"
    connection.request(method, version + target, data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


def _run(path: Path, container: str, command: str) -> Any:
    asked = {"AttachStdout": True, "AttachStderr": True, "Tty": True, "Cmd": ["sh", "-c", _APPLETS + command]}
    status, text = _request(path, "POST", f"/containers/{container}/exec", asked)
    if status != 201:
        return [status, text]
    _, output = _request(path, "POST", f"/exec/{json.loads(text)['Id']}/start", {"Detach": False, "Tty": True})
    lines = output.replace("\r\n", "\n").splitlines()
    # the answers to its two questions come in either order
    return sorted(line for line in lines if line.strip()) if command.startswith("nslookup") else lines


def _shared(value: Any, key: str = "") -> Any:
    """Without what no two engines have in common: ids, moments, hardware addresses."""
    if key == "Containers":
        return _shared(list(value.values()))
    if isinstance(value, dict):
        return {_shared(name): _shared(item, name) for name, item in sorted(value.items()) if name != "Created"}
    if isinstance(value, list):
        items = [_shared(item) for item in value]
        return (
            sorted(items, key=lambda item: item["Name"])
            if items and all(isinstance(i, dict) and "Name" in i for i in items)
            else items
        )
    if not isinstance(value, str):
        return value
    if key == "MacAddress" and value:
        return "MAC"
    for pattern, name in ((_ID, "ID"), (_MAC, "MAC"), (_LINK_LOCAL, "LINK-LOCAL"), (_ULA, "ULA")):
        value = pattern.sub(name, value)
    # which of both addresses is found taken is chance there, and the endpoint's id helps nobody
    value = re.sub(r"(on endpoint \S+) \(ID\): (Bind for )?", r"\1: \2", value)
    value = re.sub(r"Bind for (0\.0\.0\.0|::):", "Bind for ANY:", value)
    # what is wrong with an option's value is said in Go's words there
    value = re.sub(r"^(failed to parse \S+ value: .*?) \(.*\)$", r"\1", value)
    # the default bridge is called after the engine
    return "BRIDGE" if key == BRIDGE + "name" and value.startswith(("docker0", "moby")) else value.rstrip()


if __name__ == "__main__":
    taken, recorded = GROUPS[sys.argv[2] if len(sys.argv) > 2 else "networks"]
    recorded.write_text(json.dumps(take(Path(sys.argv[1]), taken), indent=1, sort_keys=True) + "\n")
