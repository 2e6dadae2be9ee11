"""Creates a container for each value of each field of a create, and reads it back, in a form that two engines can share.

``cases.json`` has for each group of cases the fields with their values: ``HostConfig.Memory`` is a member of the host configuration,
``Endpoint in net1`` an endpoint of a container on the network ``net1``, and the empty name the whole body. The group ``types`` gives
each field JSON of each type.

``python -m api.created.steps SOCKET GROUP ARCHIVE`` in the folder of the tests writes anew what a fresh dockerd answers, into
``dockerd_28_5_GROUP.json``; ``ARCHIVE`` is one of busybox.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unix_http import UnixConnection

_HERE = Path(__file__).parent
GROUPS = ("config", "host", "limits", "mounts", "networks", "types")
_VALUES = {
    "text": '"x"',
    "digits": '"1"',
    "true as text": '"true"',
    "1": "1",
    "-1": "-1",
    "1.5": "1.5",
    "1.0": "1.0",
    "1e2": "1e2",
    "2^63": "9223372036854775808",
    "true": "true",
    "null": "null",
    "list": "[]",
    "list of text": '["x"]',
    "list of number": "[1]",
    "list of null": "[null]",
    "map": "{}",
    "map to null": '{"a": null}',
    "map to number": '{"a": 1}',
    "map to text": '{"a": "b"}',
    "map to list": '{"a": ["b"]}',
}
_CONFIG = """Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd Healthcheck
ArgsEscaped Image Volumes WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild Labels StopSignal StopTimeout Shell HostConfig
NetworkingConfig"""
_HOST = """Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom ConsoleSize
Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged
PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt Tmpfs UTSMode UsernsMode ShmSize Sysctls Runtime Isolation CpuShares Memory
NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps
CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests KernelMemory
KernelMemoryTCP MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps
IOMaximumBandwidth Mounts MaskedPaths ReadonlyPaths Init"""
#: dockerd falls over them.
_NOT_NULL = frozenset(
    {"Devices", "DeviceRequests", "Ulimits", "BlkioWeightDevice", "Mounts"}
    | {f"BlkioDevice{way}{kind}" for way in ("Read", "Write") for kind in ("Bps", "IOps")}
)
#: Digits may be the beginning of an id there, or the number of what one machine has and another has not.
_NO_DIGITS = frozenset({"Image", "NetworkMode", "CpusetCpus", "CpusetMems"})
#: What no two engines, or no two containers, have in common.
_OWN = ("Id", "Created", "Driver", "GraphDriver", "LogPath", "HostnamePath", "HostsPath", "ResolvConfPath", "Name")
_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "GwPriority")


class Api:
    """One connection to an engine. ``volumes`` is the folder of its volumes."""

    def __init__(self, path: Path) -> None:
        self._connection = UnixConnection(path)
        self.volumes = ""

    def __call__(self, method: str, target: str, body: str | bytes | None = None) -> tuple[int, Any]:
        """``body`` is JSON, or the bytes of an archive."""
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        self._connection.request(method, f"/v1.51{target}", body, {} if body is None else {"Content-Type": kind})
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        return answer.status, json.loads(text) if (text.strip() and answer.status != 200) or target.endswith("/json") else text

    def prepare(self) -> None:
        """The networks, the volume and the running container that the cases name."""
        pools = ({"Subnet": "10.99.1.0/24"}, {"Subnet": "fd00:99::/64"})
        for name, config in (("net1", list(pools)), ("net2", [{"Subnet": "10.99.2.0/24"}])):
            self._make("/networks/create", {"Name": name, "EnableIPv6": len(config) > 1, "IPAM": {"Config": config}})
        self.volumes = str(Path(self._make("/volumes/create", {"Name": "v1"})["Mountpoint"]).parents[1])
        base = {"Image": "busybox", "Cmd": ["sleep", "100000"], "Volumes": {"/data": {}}, "StopSignal": "KILL"}
        self._make("/containers/create?name=base", base)
        status, text = self("POST", "/containers/base/start")
        assert status == 204, text

    def _make(self, target: str, body: Any) -> Any:
        status, answer = self("POST", target, json.dumps(body))
        assert status == 201, answer
        return answer


def bodies(group: str) -> Iterator[tuple[str, str]]:
    """The name and the body of each case."""
    if group == "types":
        yield from _typed_bodies()
        return
    for place, values in json.loads((_HERE / "cases.json").read_text())[group].items():
        for value in values:
            body = {"Image": "busybox", "Cmd": ["sleep", "1000"], **_placed(place, value)}
            yield f"{place} {json.dumps(value)}".strip(), json.dumps(body)


def _placed(place: str, value: Any) -> dict[str, Any]:
    kind, _, mode = place.partition(" in ")
    if kind == "NetworkingConfig":
        return {"HostConfig": {"NetworkMode": mode}, "NetworkingConfig": value}
    if kind == "Endpoint":
        return {"HostConfig": {"NetworkMode": mode}, "NetworkingConfig": {"EndpointsConfig": {mode: value}}}
    if place.startswith("HostConfig."):
        return {"HostConfig": {place.partition(".")[2]: value}}
    return {place: value} if place else value


def _typed_bodies() -> Iterator[tuple[str, str]]:
    plain = {"Image": '"busybox"', "Cmd": '["x"]'}
    for place, names in (("", _CONFIG), ("HostConfig.", _HOST)):
        for field in names.split():
            for kind, value in _VALUES.items():
                if (field in _NOT_NULL and kind == "list of null") or (field in _NO_DIGITS and kind == "digits"):
                    continue
                fields = {**plain, "HostConfig": f'{{"{field}": {value}}}'} if place else {**plain, field: value}
                yield f"{place}{field} {kind}", "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"


def take(path: Path, group: str) -> dict[str, Any]:
    """The answer to each case: status and text of a refusal; or status, warnings, and the fields that differ from a plain container's."""
    api = Api(path)
    api.prepare()
    status, _, plain = _created(
        api,
        '{"Image": "busybox", "Cmd": ["x"]}' if group == "types" else json.dumps({"Image": "busybox", "Cmd": ["sleep", "1000"]}),
    )
    assert status == 201
    answers: dict[str, Any] = {}
    for name, body in bodies(group):
        answer = _created(api, body)
        answers[name] = answer if len(answer) < 3 else [*answer[:2], _changed(plain, answer[2])]
    return answers


def _created(api: Api, body: str) -> list[Any]:
    status, answer = api("POST", "/containers/create?name=case", body)
    if status != 201:
        text = str(answer["message"])
        # of JSON that fits no field each engine tells in its own words
        return [status, "invalid JSON" if text.startswith("invalid JSON") else _shared(api, text, "").rstrip()]
    try:
        _, inspected = api("GET", "/containers/case/json")
    finally:
        api("DELETE", "/containers/case?force=1&v=1")
    kept = {name: item for name, item in inspected.items() if name not in _OWN}
    for endpoint in kept["NetworkSettings"]["Networks"].values():
        for name in endpoint.keys() - set(_ENDPOINT):
            del endpoint[name]
    # what the engine itself may not do, no container of its may
    warnings = [text for text in answer["Warnings"] if not text.startswith("this engine does not hold")]
    return [status, warnings, _shared(api, kept, answer["Id"])]


def _shared(api: Api, value: Any, ident: str) -> Any:
    if isinstance(value, dict):
        return {_shared(api, name, ident): _shared(api, item, ident) for name, item in value.items()}
    if isinstance(value, list):
        return [_shared(api, item, ident) for item in value]
    if not isinstance(value, str):
        return value
    if ident:
        value = value.replace(ident, "SELF").replace(ident[:12], "SELF")
    value = value.replace(api.volumes, "VOLUMES").replace(str(Path(api.volumes).parent), "DATA")
    value = re.sub(r"\b[0-9a-f]{64}\b", "ID", value)
    return "HOST" if value == os.uname().nodename else value


def _changed(plain: Any, value: Any) -> dict[str, Any]:
    before, after = dict(_flat(plain)), dict(_flat(value))
    return {
        name: after.get(name, "-")
        for name in sorted(before.keys() | after.keys())
        if before.get(name, "-") != after.get(name, "-")
    }


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and not path.endswith("Networks"):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}".removeprefix("."))
    else:
        yield path, value


def recorded(group: str) -> dict[str, Any]:
    """What dockerd answered."""
    answers: dict[str, Any] = json.loads((_HERE / f"dockerd_28_5_{group}.json").read_text())
    return answers


def write(path: Path, answers: dict[str, Any]) -> None:
    """One case on each line."""
    lines = [f"{json.dumps(name)}: {json.dumps(answer, sort_keys=True)}" for name, answer in answers.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _socket, _group, _archive = sys.argv[1:]
    print(Api(Path(_socket))("POST", "/images/load", Path(_archive).read_bytes()))
    write(_HERE / f"dockerd_28_5_{_group}.json", take(Path(_socket), _group))
