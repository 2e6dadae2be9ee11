"""The options of an engine as a whole: what can be wrong with them, and how a reload tells of them. The texts are dockerd's."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from moby_tui.engine.policy import admission
from moby_tui.engine.policy.remap import Remap
from moby_tui.engine.policy.seccomp import profile
from moby_tui.engine.resources.images.registry import hosts
from moby_tui.engine.resources.networks import default_bridge
from moby_tui.engine.resources.networks.creation import pools
from moby_tui.engine.runtime.configuration import log_options
from moby_tui.engine.runtime.configuration.runtimes import Runtimes
from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument

#: Bytes; a history of less forgets the last hour.
LEAST_HISTORY = 1 << 20
#: Labels of letters, digits, hyphens and underscores, with dots between them (dockerd, ``ValidateDNSSearch``).
_DOMAIN = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.?)+")


def check(options: EngineOptions) -> None:
    """Raises ``InvalidArgument`` for the first option that no engine can work by. Reads files, and the users of the machine."""
    _check_labels(options.labels)
    hosts.check(options)
    for name, least in (("concurrent downloads", 0), ("concurrent uploads", 0), ("download attempts", 1)):
        value = getattr(options, f"max_{name.replace(' ', '_')}")
        if value < least:
            raise InvalidArgument(f"invalid max {name}: {value}")
    _check_names(options)
    if options.default_ipc_mode not in ("private", "shareable"):
        raise InvalidArgument(f'default IPC mode setting ({options.default_ipc_mode}) is invalid; use "shareable" or "private"')
    if options.default_cgroupns_mode not in ("", "private", "host"):
        raise InvalidArgument(f'invalid default cgroup namespace ({options.default_cgroupns_mode}): use "host" or "private"')
    if options.default_shm_size <= 0:
        raise InvalidArgument(f"invalid default shm size: {options.default_shm_size}")
    _check_history(options)
    log_options.validate(options.log_driver, options.log_options)
    admission.check_presets(options.default_ulimits, options.cgroup_parent)
    if options.seccomp_profile not in ("", "builtin", "unconfined"):
        _check_profile(options.seccomp_profile)
    default_bridge.check(options)
    pools.read_pools(options.default_address_pools)
    Runtimes(options)
    Remap(options)


def _check_history(options: EngineOptions) -> None:
    if options.history_size and options.history_size < LEAST_HISTORY:
        raise InvalidArgument(
            f"invalid history size: {options.history_size}: give at least {LEAST_HISTORY >> 20}m, or 0 for none"
        )
    for name, value in (("days", options.history_days), ("interval", options.history_interval)):
        if not 1 <= value <= 3650:
            raise InvalidArgument(f"invalid history {name}: {value}: give 1 to 3650")


def _check_labels(labels: Iterable[str]) -> None:
    known: dict[str, str] = {}
    for label in labels:
        key, equals, _ = label.partition("=")
        if not (key and equals):
            raise InvalidArgument(f"bad attribute format: {label}")
        if known.setdefault(key, label) != label:
            raise InvalidArgument(f"conflict labels for {label} and {known[key]}")


def _check_profile(file: str) -> None:
    try:
        profile.parse(Path(file).read_text())
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"opening seccomp profile ({file}) failed: {error}") from None


def _check_names(options: EngineOptions) -> None:
    for server in options.dns:
        try:
            ipaddress.ip_address(server)
        except ValueError:
            raise InvalidArgument(f"invalid IP address: {server}") from None
    versions = []
    for address in options.host_gateway_ips:
        try:
            versions.append(ipaddress.ip_address(address).version)
        except ValueError:
            raise InvalidArgument(f'ParseAddr("{address}"): unable to parse IP') from None
    for version in (4, 6):
        if versions.count(version) > 1:
            raise InvalidArgument(f"only one IPv{version} host gateway IP address can be specified")
    for domain in options.dns_search:
        if domain != "." and not _DOMAIN.fullmatch(domain):
            raise InvalidArgument(f"{domain} is not a valid domain")


def attributes(options: EngineOptions) -> dict[str, str]:
    """The attributes of dockerd's event ``reload``, as far as there are such options here."""
    return {
        "debug": _text(options.debug),
        "default-cgroupns-mode": options.default_cgroupns_mode,
        "default-ipc-mode": options.default_ipc_mode,
        "default-runtime": options.default_runtime,
        "default-shm-size": str(options.default_shm_size),
        "insecure-registries": _list(options.insecure_registries),
        "labels": _list(options.labels),
        "live-restore": _text(options.live_restore),
        "max-concurrent-downloads": str(options.max_concurrent_downloads),
        "max-concurrent-uploads": str(options.max_concurrent_uploads),
        "max-download-attempts": str(options.max_download_attempts),
        "name": os.uname().nodename,
        "registry-mirrors": _list(options.registry_mirrors),
        "runtimes": " ".join(f"{name}:{path}" for name, path in sorted(options.runtimes.items())),
    }


def _text(switch: bool) -> str:
    return "true" if switch else "false"


def _list(values: Iterable[str]) -> str:
    return json.dumps([*values], separators=(",", ":"))
