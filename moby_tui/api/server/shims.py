"""What older (or newer) versions of the API say differently, all in one place.

Each function takes an object as we speak it and returns it as a client of ``version`` expects it (docs: Engine API version
history). Our own shapes are those of 1.52.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from moby_tui.api.server.versions import ApiVersion
from moby_tui.errors import InvalidArgument
from moby_tui.schema import omitted
from moby_tui.schema.base import ZERO_TIME, encode, to_builtins
from moby_tui.schema.container import (
    BRIDGE_FIELDS,
    BindOptions,
    ContainerCreate,
    ContainerInspect,
    ContainerSummary,
    ContainerUpdate,
)
from moby_tui.schema.event import Event
from moby_tui.schema.exec import ExecInspect
from moby_tui.schema.image import ImageInspect, ImageSummary
from moby_tui.schema.network import NetworkCreate
from moby_tui.schema.stats import Stats
from moby_tui.schema.system import DiskUsage, Info, Version
from moby_tui.schema.volume import VolumeUsage

T = TypeVar("T")

#: What ``type`` of ``GET /system/df`` may be, and the list of its objects.
DISK_USERS = {"image": "Images", "container": "Containers", "volume": "Volumes", "build-cache": "BuildCache"}
_WITHOUT_NAMES = frozenset({"bridge", "host", "none"})
_COMMITS = ("ContainerdCommit", "RuncCommit", "InitCommit")


def container_create(config: ContainerCreate, version: ApiVersion) -> ContainerCreate:
    """A request is read as its version meant it. Raises ``InvalidArgument`` for what that version did not have."""
    host = config.host_config
    endpoints = (config.networking_config and config.networking_config.endpoints_config) or {}
    for name, endpoint in endpoints.items():
        if endpoint is None:
            raise InvalidArgument(f"invalid config for network {name}: EndpointsConfig is nil")
    for mount in host.mounts or ():
        if version < (1, 45) and mount.volume_options is not None and mount.volume_options.subpath:
            raise InvalidArgument("VolumeOptions.Subpath needs API v1.45 or newer")
        if version < (1, 48) and mount.type == "image":
            raise InvalidArgument('Mount type "Image" needs API v1.48 or newer')
    if version < (1, 40):
        host.ipc_mode = host.ipc_mode or "shareable"
    if version < (1, 42):
        host.console_size = None
    if version < (1, 43):
        host.annotations = None
    if version < (1, 44):
        _before_1_44(config, list(endpoints))
    return config


def warnings_of_create(config: ContainerCreate, version: ApiVersion) -> list[str]:
    """The warnings for fields that the version has no more, or will not have."""
    if config.mac_address and version >= (1, 44):
        return [
            "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
        ]
    return []


def _before_1_44(config: ContainerCreate, networks: list[str]) -> None:
    """Then a container had one network from its start, and what was mounted below a read-only mount could be written to."""
    if len(networks) > 1:
        raise InvalidArgument(f"Container cannot be created with multiple network endpoints: {', '.join(networks)}")
    if config.healthcheck is not None:
        config.healthcheck.start_interval = 0
    for mount in config.host_config.mounts or ():
        if mount.type != "bind":
            continue
        options = mount.bind_options = mount.bind_options or BindOptions()
        if options.read_only_force_recursive:
            raise InvalidArgument("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        options.read_only_non_recursive = mount.read_only and not options.non_recursive


def container_update(changes: ContainerUpdate, version: ApiVersion) -> ContainerUpdate:
    """Limits that an update did not take in the client's day are not meant by what it sends."""
    if version < (1, 40):
        changes.pids_limit = None
    changes.memory_swappiness = changes.oom_kill_disable = None
    return changes


def network_create(config: NetworkCreate, version: ApiVersion) -> NetworkCreate:
    """Each network had IPv4 before there was a field for it."""
    if version < (1, 47):
        config.enable_ipv4 = None
    return config


def or_null(value: object, name: str) -> dict[str, Any]:
    """An answer whose list of this name is null while it is empty."""
    result: dict[str, Any] = to_builtins(value)
    result[name] = result[name] or None
    return result


def container_inspect(container: ContainerInspect, version: ApiVersion) -> dict[str, Any]:
    if version >= (1, 52):
        return omitted.container(container)
    result: dict[str, Any] = to_builtins(container)
    networks = result["NetworkSettings"]["Networks"]
    if version < (1, 45):
        # a container is known by its short id and its host name in the networks that have names
        for name, endpoint in networks.items():
            if name not in _WITHOUT_NAMES:
                endpoint["Aliases"] = [*(endpoint["Aliases"] or []), container.id[:12], container.config.hostname]
    bridge = networks.get("bridge", {})
    result["NetworkSettings"] |= {
        "Bridge": "",
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{name: bridge.get(name, 0 if name.endswith("Len") else "") for name in BRIDGE_FIELDS},
    }
    result["GraphDriver"] = {"Name": container.driver, "Data": None}
    omitted.of_inspect(result)
    return result


def container_summaries(rows: list[ContainerSummary], version: ApiVersion) -> list[dict[str, Any]]:
    return [container_summary(row, version) for row in rows]


def container_summary(container: ContainerSummary, version: ApiVersion) -> dict[str, Any]:
    """Sizes are there only if they were asked for, addresses only if a port is published."""
    row: dict[str, Any] = to_builtins(container)
    omitted.drop(row, "ContainerSummary")
    row["Ports"] = [{key: item for key, item in port.items() if item is not None} for port in row["Ports"]]
    if version < (1, 52):
        row.pop("Health", None)
        for endpoint in row["NetworkSettings"]["Networks"].values():
            _without_requests(endpoint)
        for mount in row["Mounts"]:
            # dockerd's lists do not say where a volume lies
            mount["Source"] = "" if mount["Type"] == "volume" else mount["Source"]
    if version < (1, 46):
        row["HostConfig"].pop("Annotations", None)
    omitted.of_mount_points(row)
    return row


def _without_requests(endpoint: dict[str, Any]) -> None:
    """As dockerd's lists, without what a request has said of an endpoint, but for its addresses."""
    endpoint |= dict.fromkeys(("Links", "Aliases", "DriverOpts", "DNSNames"))
    if asked := endpoint["IPAMConfig"]:
        asked.pop("LinkLocalIPs", None)


def exec_inspect(execution: ExecInspect) -> dict[str, Any]:
    result: dict[str, Any] = to_builtins(execution)
    omitted.drop(result["ProcessConfig"], "ExecProcess")
    return result


def stats(sample: Stats) -> dict[str, Any]:
    result: dict[str, Any] = to_builtins(sample)
    omitted.of_stats(result)
    return result


def image_summary(image: ImageSummary, version: ApiVersion) -> dict[str, Any]:
    result: dict[str, Any] = to_builtins(image)
    _dangling(result, version)
    if version < (1, 44):
        result["VirtualSize"] = image.size
    if version < (1, 51):
        result["Containers"] = -1
    for manifest in result.get("Manifests") or ():
        for absent in [key for key in ("ImageData", "AttestationData") if manifest[key] is None]:
            del manifest[absent]
    return result


def image_inspect(image: ImageInspect, version: ApiVersion) -> dict[str, Any]:
    if version >= (1, 52):
        return omitted.image(image)
    result: dict[str, Any] = to_builtins(image)
    _dangling(result, version)
    result["Config"] = _image_config(result["Config"], version)
    omitted.drop(result, "ImageInspect")
    if version < (1, 44):
        result["VirtualSize"] = image.size
        result["Created"] = image.created or ZERO_TIME
    if version < (1, 45):
        result["Container"] = ""
        # which configuration a step's container had is not kept: the image's has the same volumes and ports, for which clients look here
        result["ContainerConfig"] = result["Config"]
    result["DockerVersion"] = ""
    result["GraphDriver"] = {"Name": "overlayfs", "Data": None}
    return result


def _dangling(image: dict[str, Any], version: ApiVersion) -> None:
    if version < (1, 43) and not image["RepoTags"]:
        image["RepoTags"] = ["<none>:<none>"]
        image["RepoDigests"] = image["RepoDigests"] or ["<none>@<none>"]


def _image_config(config: dict[str, Any], version: ApiVersion) -> dict[str, Any]:
    omitted.of_config(config)
    return {key: value for key, value in config.items() if key not in omitted.NOT_OF_IMAGES} if version >= (1, 50) else config


def event(value: Event, version: ApiVersion) -> bytes:
    """Clients before 1.52 read containers' and images' events by ``status``, ``id`` and ``from``; some fall over without them."""
    if version >= (1, 52) or value.type not in ("container", "image"):
        return encode(value) + b"\n"
    legacy = {"status": value.action, "id": value.actor.id}
    if value.type == "container":
        legacy["from"] = value.actor.attributes.get("image", "")
    return encode(legacy | to_builtins(value)) + b"\n"


def engine_version(value: Version, _: ApiVersion) -> dict[str, Any]:
    result: dict[str, Any] = to_builtins(value)
    omitted.drop(result, "Version")
    return result


def info(value: Info, version: ApiVersion) -> dict[str, Any]:
    result: dict[str, Any] = to_builtins(value)
    if version < (1, 50):
        result |= {"BridgeNfIptables": False, "BridgeNfIp6tables": False}
    if version < (1, 49):
        for name in _COMMITS:
            result[name]["Expected"] = ""
        del result["FirewallBackend"]
    if version < (1, 25):
        result["SecurityOptions"] = [option.removeprefix("name=").partition(",")[0] for option in value.security_options]
    return result


def disk_usage(value: DiskUsage, version: ApiVersion, kinds: Collection[str], *, verbose: bool) -> dict[str, Any]:
    """The answer of ``GET /system/df``: before 1.52 the objects, null for a kind that is not wanted, from 1.52 on sums, with the objects
    as ``Items`` if ``verbose``."""
    legacy = {
        "LayersSize": value.layers_size,
        "Images": [image_summary(image, version) | {"Containers": image.containers} for image in value.images],
        "Containers": container_summaries(value.containers, version),
        "Volumes": to_builtins(value.volumes),
        "BuildCache": to_builtins(value.build_cache),
        "Moby": to_builtins(value.moby),
    }
    if version < (1, 52):
        return legacy | dict.fromkeys(name for kind, name in DISK_USERS.items() if kind not in kinds)
    usage = {
        "ImageUsage": {
            **_sums(value.images, lambda image: image.size, lambda image: image.containers > 0),
            "TotalSize": value.layers_size,
            "Reclaimable": sum(image.size - max(image.shared_size, 0) for image in value.images if not image.containers),
        },
        "ContainerUsage": _sums(
            value.containers, lambda row: row.size_rw or 0, lambda row: row.state in ("running", "paused", "restarting")
        ),
        "VolumeUsage": _sums(
            [volume.usage_data for volume in value.volumes if isinstance(volume.usage_data, VolumeUsage)],
            lambda usage: usage.size,
            lambda usage: usage.ref_count > 0,
        ),
        "BuildCacheUsage": _sums(value.build_cache, lambda entry: entry.size, lambda entry: entry.in_use),
    }
    if verbose:
        for name, items in zip(usage, ("Images", "Containers", "Volumes", "BuildCache"), strict=True):
            usage[name]["Items"] = legacy[items]
        return usage
    return usage | legacy


def _sums(items: Sequence[T], size: Callable[[T], int], active: Callable[[T], bool]) -> dict[str, Any]:
    return {
        "TotalCount": len(items),
        "ActiveCount": sum(map(active, items)),
        "TotalSize": sum(map(size, items)),
        "Reclaimable": sum(size(item) for item in items if not active(item)),
    }
