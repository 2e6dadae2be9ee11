"""Completes the request for a container by the options of the engine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from moby_tui.engine_options import EngineOptions
from moby_tui.errors import InvalidArgument
from moby_tui.schema.container import HostConfig


def preset(options: EngineOptions, given: HostConfig) -> HostConfig:
    """A copy of a request's host configuration in which the engine's options stand for what the request leaves open.

    Raises ``InvalidArgument`` for a seccomp profile that cannot be read.
    """
    host = msgspec.structs.replace(given)
    _preset_log(options, host)
    host.shm_size = host.shm_size or options.default_shm_size
    host.ipc_mode = host.ipc_mode or options.default_ipc_mode
    host.cgroupns_mode = host.cgroupns_mode or options.default_cgroupns_mode
    host.cgroup_parent = host.cgroup_parent or options.cgroup_parent
    if host.init is None and options.init:
        host.init = True
    if options.default_ulimits:
        named = {limit.name for limit in host.ulimits or []}
        host.ulimits = [*(host.ulimits or []), *(limit for limit in options.default_ulimits if limit.name not in named)]
    _preset_security(options, host)
    return host


def _preset_log(options: EngineOptions, host: HostConfig) -> None:
    """Applies the engine's log options to a container that has the engine's log driver, named or not."""
    chosen = host.log_config.type or options.log_driver
    given = host.log_config.config or {}
    config = {**options.log_options, **given} if chosen == options.log_driver else given
    host.log_config = msgspec.structs.replace(host.log_config, type=chosen, config=config or host.log_config.config)


def _preset_security(options: EngineOptions, host: HostConfig) -> None:
    labels = [text.replace(":", "=", 1).partition("=")[0] for text in host.security_opt or []]
    added = []
    if options.no_new_privileges and "no-new-privileges" not in labels:
        added.append("no-new-privileges")
    if options.seccomp_profile != "builtin" and "seccomp" not in labels and not host.privileged:
        added.append(f"seccomp={_profile(options.seccomp_profile)}")
    if added:
        host.security_opt = [*(host.security_opt or []), *added]


def _profile(name: str) -> str:
    """The value of ``--security-opt seccomp=``: ``unconfined``, or the text of the profile in this file. Raises ``InvalidArgument``."""
    if name == "unconfined":
        return name
    try:
        return Path(name).read_text()
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"opening seccomp profile ({name}) failed: {error}") from None
